"""A folder that all workers of a test session share: a name and what fills the folder go in, the full folder comes out."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def shared_folder(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Returns the session's folder of that name; the first to ask fills it, others wait meanwhile.

    Args:
        factory: pytest's, of any worker.
        name: what is in the folder.
        fill: is given the folder, empty; if it raises, the next to ask tries anew.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers are processes
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            done.touch()
    return folder
