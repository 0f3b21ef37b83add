"""One small trained run for all test modules that need one: it takes a minute or two, so only the first to ask makes it."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from command_line import pipeline_py, write_raw

TINY = {
    "image_size": 32, "dim": 32, "encoder": "B0", "checkpoint": "none", "lstm_units": 2, "dense_units": 2, "num_folds": 2,
    "cliques_per_batch": 1, "steps_per_epoch": 1, "augmentations": 0, "mixed_precision": "float32", "strip_pairs": 1,
    "folds": "[0,1]", "calibration": "fit",
}  # fmt: skip
NAME = "first"


def copy_of_trained_run(factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with raw/ and runs/, where `first`, of folds 0 and 1, has finished; the artifacts are shared."""
    session = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    shared = session / "trained"
    with (session / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers are processes
        if not (shared / "runs").exists():
            shutil.rmtree(shared, ignore_errors=True)  # what a worker that failed has left
            settings = [text for name, value in TINY.items() for text in ("--set", f"{name}={value}")]
            command = ["run", "--raw", str(write_raw(shared / "raw")), "--name", NAME, *settings]
            done = pipeline_py(*command, "--runs-dir", str(shared / "unfinished"), timeout_seconds=1800)
            assert done.returncode == 0, done.stdout + done.stderr
            (shared / "runs").symlink_to(shared / "unfinished")
    place = factory.mktemp("place")
    shutil.copytree(shared / "raw", place / "raw")
    shutil.copytree(shared / "runs", place / "runs", ignore=shutil.ignore_patterns("artifacts"))
    return place
