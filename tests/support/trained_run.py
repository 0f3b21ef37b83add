"""One small trained run for all test modules that need one: only the first to ask makes it."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from command_line import pipeline_py, set_options, write_raw
from shared import shared_folder
from source_tree import shallow_tree

TINY = {
    "image_size": 32, "dim": 32, "encoder": "B0", "checkpoint": "none", "lstm_units": 2, "dense_units": 2, "num_folds": 2,
    "cliques_per_batch": 1, "steps_per_epoch": 1, "augmentations": 0, "mixed_precision": "float32", "strip_pairs": 1,
    "folds": "[0,1]", "schedule": "cosine", "ema_momentum": 0.9, "reestimate_batchnorm": "true", "calibration": "fit",
}  # fmt: skip
RUN_OPTIONS = [*set_options(TINY), "--parallel", "2"]
NAME = "first"


def copy_of_trained_run(factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with raw/, runs/ and tree/: in runs/ the run `first`, of folds 0 and 1, has finished.

    Its artifacts are shared. tree/pipeline.py made it, which trains within seconds (`shallow_tree`), by `run` with RUN_OPTIONS.
    """
    tree = shallow_tree(factory)
    shared = shared_folder(factory, "trained", partial(train, tree=tree))
    place = factory.mktemp("place")
    shutil.copytree(shared / "raw", place / "raw")
    shutil.copytree(shared / "runs", place / "runs", ignore=shutil.ignore_patterns("artifacts"))
    (place / "tree").symlink_to(tree)
    return place


def train(place: Path, tree: Path) -> None:
    """Writes raw/ and runs/ to the folder `place`."""
    command = ["run", "--raw", str(write_raw(place / "raw")), "--name", NAME, *RUN_OPTIONS]
    done = pipeline_py(*command, "--runs-dir", str(place / "runs"), timeout_seconds=1800, tree=tree)
    assert done.returncode == 0, done.stdout + done.stderr
