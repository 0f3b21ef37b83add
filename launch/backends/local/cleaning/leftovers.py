"""Removes what killed runs left behind: temporary folders, files that are half written, and locks that nobody holds."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from launch.runs.record import LOCK, RUN_JSON, SCRATCH, is_running, run_folders

ALIVE = ".alive"  # in the folder of runs: every run that goes on holds its lock together with the others
HALF_WRITTEN = (".programs/.partial-*", ".programs/.locks/*", ".training/.partial-*", ".cache/.kfp_cache_*.tmp")


@contextlib.contextmanager
def among_runs(runs: Path) -> Iterator[None]:
    """Within the block this process is one of those that run something in `runs`; what dead ones left there is removed before it.

    What runs share is looked at only where no other run goes on, as it may be writing there.
    """
    for folder in run_folders(runs):
        clear_run(folder)
    with (runs / ALIVE).open("w") as alive:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for pattern in HALF_WRITTEN:
                remove_files(runs, pattern)
        fcntl.flock(alive, fcntl.LOCK_SH)
        yield


def clear_run(folder: Path) -> None:
    """Removes what is temporary of a run that died; a run that ended has removed its lock, and is not looked at."""
    if is_running(folder) or not all((folder / name).is_file() for name in (RUN_JSON, LOCK)):
        return
    for place in (folder / LOCK).read_text(encoding="utf-8").splitlines():
        if Path(place).name.startswith(SCRATCH):
            shutil.rmtree(place, ignore_errors=True)
    remove_files(folder, "**/.partial-*")
    (folder / LOCK).unlink(missing_ok=True)


def remove_files(folder: Path, pattern: str) -> None:
    """Removes the files below a folder that match; one that cannot be removed is left."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            path.unlink()
