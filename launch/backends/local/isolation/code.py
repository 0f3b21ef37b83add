"""Gives the stages of a run a copy of the code that stays as it is, whatever is edited meanwhile."""

import functools
import shutil
from pathlib import Path

from components.contract.full_disk import naming_full_disk
from components.images import ROOT, image_for
from components.settings import STAGES

COPIED = ("components", "requirements", "docker")  # what the names of images are made from
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")  # bytecode is believed by the time of its source, in whole seconds


def copy_code(copy: Path, root: Path = ROOT) -> Path:
    """Copies the stages' code, and what else is in the names of their images, to `copy` and returns it."""
    for name in COPIED:
        if (root / name).is_dir():
            with naming_full_disk(copy / name):
                shutil.copytree(root / name, copy / name, ignore=LEFT_OUT)
    return copy


def require_same_code(image: str, code: Path) -> None:
    """Refuses code that was edited since the stage's image, its key in the cache, was named. Raises ValueError: it was."""
    kinds = {name.partition(":")[0] for name in image_names(code)}
    if image.partition(":")[0] in kinds and image not in image_names(code):
        raise ValueError(
            f"{image}: the code was edited while the run was being started; its result would be kept under another's name. "
            "Repeat the command."
        )


@functools.cache
def image_names(code: Path) -> set[str]:
    """Returns the names of the images of all stages, by a copy of their code."""
    return {image_for(stage, root=code) for stage in STAGES}
