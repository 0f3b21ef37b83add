"""Deletes runs of this machine, whole or not at all, and what only they used; what a remaining run needs stays."""

import collections
import contextlib
import dataclasses
import datetime
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from launch.backends.local.cleaning.unneeded import DELETING, Remaining, paths_in, unknown_folders, unneeded
from launch.runs.lineage import RERUN
from launch.runs.record import BROKEN, LOCK, RUNNING, is_running, read_runs


@dataclasses.dataclass
class Cleaning:
    """What is to be deleted, and what is not, with the reason."""

    runs: list[Path]  # the folders of the runs that go
    left: dict[str, str]  # name to why, of those that would go, but for that
    others: dict[str, list[Path]]  # what nobody needs then, by the folder that it is in
    remaining: int  # how many runs remain
    unknown: list[str]  # hidden folders beside the runs that are left alone


def plan_cleaning(runs_dir: Path, keep: int | None, older_than_days: float | None) -> Cleaning:
    """Returns what to delete below `runs_dir`: without `keep` and `older_than_days` no run, only what no run needs.

    A run that was started earlier than so many days ago, and is not among the newest `keep`, goes; where only one is given, that
    alone decides. Not a run that is going on, and not one whose artifacts, or whose record, a remaining run needs.
    """
    records = {record["name"]: record for record in read_runs(runs_dir)}
    before = None if older_than_days is None else time.time() - 86400 * older_than_days
    newest = set(list(records)[len(records) - keep :]) if keep else set[str]()
    chosen = [] if keep is None and before is None else [name for name in records if name not in newest]
    chosen = [name for name in chosen if before is None or started(records[name]) < before]
    left = {name: why for name in chosen if (why := untouchable(runs_dir / name, records[name]))}
    going = [name for name in chosen if name not in left]
    needs = {name: needed_runs(runs_dir, record) for name, record in records.items()}
    while needed := {other: name for name in records if name not in going for other in needs[name] if other in going}:
        left |= {name: f"{by} needs it" for name, by in needed.items()}
        going = [name for name in going if name not in needed]
    stay = [name for name in records if name not in going]
    remaining = Remaining(
        folders=[runs_dir / name for name in stay if untouchable(runs_dir / name, records[name]) == ""],
        used=frozenset(path for name in stay for path in paths_in(records[name].get("stages", []))),
        deleted=[runs_dir / name for name in going],
        going_on=any(record["state"] == RUNNING for record in records.values()),
        before=before,
    )
    return Cleaning(
        runs=[runs_dir / name for name in going],
        left=left,
        others=unneeded(runs_dir, remaining),
        remaining=len(stay),
        unknown=unknown_folders(runs_dir),
    )


def started(record: Mapping[str, Any]) -> float:
    """Returns when a run was started, in seconds since 1970; one that does not say is never old."""
    try:
        return datetime.datetime.fromisoformat(record["started"]).timestamp()
    except ValueError:
        return float("inf")


def untouchable(folder: Path, record: Mapping[str, Any]) -> str:
    """Returns why the folder of a run must not be touched, or nothing where it may."""
    if folder.is_symlink():
        return "a link, which is not followed; remove it by hand"
    if record["state"] == RUNNING or is_running(folder):
        return "it is going on"
    return "its run.json is missing or cannot be read; delete the folder by hand" if record["state"] == BROKEN else ""


def needed_runs(runs_dir: Path, record: Mapping[str, Any]) -> set[str]:
    """Returns the other runs without which a run cannot be gone on from: the writers of what it read, and a rerun's parent."""
    found = {path.relative_to(runs_dir).parts[0] for path in paths_in(record.get("stages", [])) if path.is_relative_to(runs_dir)}
    parent = record.get("parent") or {}
    return found | ({parent["run"]} if parent.get("kind") == RERUN else set()) - {record["name"]}


def delete_run(folder: Path) -> None:
    """Deletes a run: at once out of the list of runs, and then its files.

    Raises:
        BlockingIOError: it is going on.
        OSError: a file that cannot be deleted; the next cleaning tries again.
    """
    with held(folder):
        hidden = folder.with_name(f"{DELETING}{folder.name}")
        shutil.rmtree(hidden, ignore_errors=True)  # of an earlier run of this name
        folder.rename(hidden)
        shutil.rmtree(hidden)


def delete(path: Path) -> None:
    """Deletes a file, a link or a folder with all that is in it; links are not followed."""
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path)
    else:
        path.unlink()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within the block no run begins in a folder; raises BlockingIOError where one is going on there."""
    lock = folder / LOCK
    if not lock.is_file():
        yield
        return
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def bytes_freed(path: Path) -> int:
    """Returns the bytes of the files at or below a path; none of one that has a further name elsewhere, as in MLflow's store."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    names: collections.Counter[tuple[int, int]] = collections.Counter()
    stats: dict[tuple[int, int], os.stat_result] = {}
    for place, _, files in os.walk(path):
        for name in files:
            found = Path(place, name).lstat()
            key = (found.st_dev, found.st_ino)
            names[key], stats[key] = names[key] + 1, found
    return sum(found.st_size for key, found in stats.items() if names[key] == found.st_nlink)
