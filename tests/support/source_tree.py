"""This project's source in a folder, as it is or changed for a test: `python pipeline.py` there is the product."""

import shutil
from pathlib import Path

import pytest
from shared import shared_folder

from components.images import ROOT

FOLDERS = ("components", "launch", "requirements")
CUT = """

from keras.src.applications import efficientnet

assert len(efficientnet.DEFAULT_BLOCKS_ARGS) == 7
del efficientnet.DEFAULT_BLOCKS_ARGS[1:]
"""


def copy_source(tree: Path) -> None:
    """Copies what `python pipeline.py` consists of to the folder `tree`."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pipeline.py", tree)


def shallow_tree(factory: pytest.TempPathFactory) -> Path:
    """Returns the source with every EfficientNet cut to its first block, for tests of what is around training.

    TensorFlow takes a minute to trace B0 whole, in every process that trains it, and some seconds so. BatchNorm is measured over
    8 images, not 512, which takes as long again with a miniature's two in each pass.
    tests/components/train/test_train.py and `make demo` train it whole.
    """
    return shared_folder(factory, "shallow", write_shallow)


def write_shallow(tree: Path) -> None:
    """Writes that source to the folder `tree`."""
    copy_source(tree)
    with (tree / "components/network/model.py").open("a", encoding="utf-8") as file:
        file.write(CUT)
    with (tree / "components/network/batchnorm.py").open("a", encoding="utf-8") as file:
        file.write("\n\nassert IMAGES == 512\nIMAGES = 8\n")
