"""Finds what lies beside the runs and within them that no run needs any more.

BESIDE is the table of it: for each folder that runs share, what says whether nobody needs a path in it. A folder that is not
in the table is left alone.
"""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.backends.local.cache.inspected import INSPECTED

DELETING = ".deleting-"  # how the name of what is being deleted begins
ENTRY = re.compile(r"[0-9a-f]{64}\.json")
KEY = re.compile(r"[0-9a-f]{16}(\.partial-\d+)?$")  # of sample data, and of what a process was writing
UNFINISHED = (".kfp_cache_", ".partial-")  # entries of the cache that a killed process was writing
SCRATCH = (".scratch-", ".partial-")  # of a stage that was killed


@dataclasses.dataclass(frozen=True)
class Remaining:
    """What remains when runs are deleted."""

    folders: Sequence[Path]  # those of the runs that remain
    used: frozenset[Path]  # the paths on this machine that their records name
    deleted: Sequence[Path]  # the folders of the runs that do not
    going_on: bool  # whether any run is going on, whose record does not name yet what it will use
    # in seconds since 1970; what is older may go, as the command line says. None where it says nothing of age.
    before: float | None = None


def is_dead_entry(path: Path, remaining: Remaining) -> bool:
    """Whether an entry of the cache is of artifacts that are gone, or go with their run, or a killed process was writing it."""
    if not ENTRY.fullmatch(path.name):
        return path.name.startswith(UNFINISHED if remaining.folders else (*UNFINISHED, INSPECTED)) and not remaining.going_on
    used: list[Path] = []
    with contextlib.suppress(OSError, ValueError):  # one that cannot be read names nothing
        used = list(paths_in(json.loads(path.read_text(encoding="utf-8"))))
    return any(not each.exists() or any(map(each.is_relative_to, remaining.deleted)) for each in used)


def is_unused_sample(path: Path, remaining: Remaining) -> bool:
    """Whether no remaining run was made of sample data, or it was not finished."""
    known = KEY.match(path.name) or path.name.startswith(SCRATCH)
    return bool(known) and path not in remaining.used and not remaining.going_on


def is_old_training_state(path: Path, remaining: Remaining) -> bool:
    """Whether no run remains that an interrupted training could go on for, or its state is old enough to be asked for."""
    old = remaining.before is not None and path.lstat().st_mtime < remaining.before
    return not remaining.going_on and (not remaining.folders or old)


BESIDE: Mapping[str, Callable[[Path, Remaining], bool]] = {
    ".cache": is_dead_entry,
    ".sample": is_unused_sample,
    ".programs": lambda _, remaining: not remaining.folders,  # what XLA has compiled does not say who may need it
    ".training": is_old_training_state,
    ".mlflow": lambda _path, _remaining: False,  # `ui` keeps MLflow's database equal to the runs
}


def unneeded(runs_dir: Path, remaining: Remaining) -> dict[str, list[Path]]:
    """Returns by the folder that it is in what nobody needs: beside the runs, within them, and of deletions that were stopped."""
    there = [name for name in BESIDE if (runs_dir / name).is_dir() and not (runs_dir / name).is_symlink()]
    found = {name: [path for path in sorted((runs_dir / name).iterdir()) if BESIDE[name](path, remaining)] for name in there}
    found |= {path.name: [path] for path in sorted(runs_dir.iterdir()) if path.name.startswith(DELETING)}
    found |= {folder.name: scratch_in(folder) for folder in remaining.folders}
    return {name: paths for name, paths in found.items() if paths}


def unknown_folders(runs_dir: Path) -> list[str]:
    """Returns the hidden folders beside the runs that are in no table, and links, which are not followed."""
    hidden = sorted(path for path in runs_dir.iterdir() if path.name.startswith(".") and path.is_dir())
    return [path.name for path in hidden if not (path.name in BESIDE or path.name.startswith(DELETING)) or path.is_symlink()]


def scratch_in(folder: Path) -> list[Path]:
    """Returns what stages that were killed have left in the folder of a run that is not going on."""
    found = []
    for place, folders, files in os.walk(folder):
        found += [Path(place, name) for name in (*folders, *files) if name.startswith(SCRATCH)]
        folders[:] = [name for name in folders if not name.startswith(SCRATCH)]
    return sorted(found)


def paths_in(value: Any) -> Iterator[Path]:
    """Yields the absolute paths among the texts of a record, or of a part of one."""
    if isinstance(value, str) and value.startswith("/"):
        yield Path(value)
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from paths_in(each)
