"""Keeps decoded images in a temporary file that is used like an array: for more images than memory may hold.

Plain reads and writes, not a mapping: the pages of a mapped file count as memory of the process, and what it is limited to ends
it. What the system keeps of this file in its cache it can drop.

N images, H, W; uint8 in [0, 255].
"""

import errno
import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

MOUNTS = Path("/proc/self/mounts")  # Linux's
IN_MEMORY = ("tmpfs", "ramfs")  # kinds of file systems


class ImageFile:
    """Images in a file without a name, of a `shape` (N, H, W, 3), whose space is free again when the object is gone.

    `images[row] = image` writes one, `images[rows]` reads any number of them.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Takes the space that images of `shape` need in the temporary folder. Raises OSError: it does not have that space."""
        self.shape, self.image_bytes = shape, math.prod(shape[1:])
        folder = Path(tempfile.gettempdir())
        require_space(folder, math.prod(shape))
        if kind_of_file_system(folder) in IN_MEMORY:
            gigabytes = math.prod(shape) / 1e9
            print(
                f"warning: {gigabytes:.1f} GB of decoded images go to {folder}, which is memory; set TMPDIR to a folder on disk."
            )
        self.file = tempfile.TemporaryFile(prefix="verdelta-images-", dir=folder, buffering=0)  # noqa: SIM115 - see the class
        os.posix_fallocate(self.file.fileno(), 0, max(1, math.prod(shape)))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | np.ndarray) -> np.ndarray:
        """Row numbers [...] to images [..., H, W, 3] in memory; IndexError beyond the last ends a `for` loop over the images."""
        numbers = np.asarray(rows)
        images = np.empty((*numbers.shape, *self.shape[1:]), np.uint8)
        for row, image in zip(numbers.ravel().tolist(), images.reshape(-1, self.image_bytes), strict=True):
            os.preadv(self.file.fileno(), [image.data], self.offset(row))
        return images

    def __setitem__(self, row: int, image: np.ndarray) -> None:
        """Writes one image [H, W, 3] uint8."""
        assert image.shape == self.shape[1:] and image.dtype == np.uint8
        os.pwrite(self.file.fileno(), np.ascontiguousarray(image).data, self.offset(row))

    def offset(self, row: int) -> int:
        """Returns where in the file an image begins; raises IndexError where there is no such row."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row}: expected 0 to {len(self) - 1}.")
        return row * self.image_bytes


DecodedImages = np.ndarray | ImageFile  # [N, H, W, 3] uint8, in memory or not


def require_space(folder: Path, num_bytes: int) -> None:
    """Raises OSError, with what to change, where the disk that `folder` lies on has not `num_bytes` free."""
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise OSError(
            errno.ENOSPC,
            f"decoded images beyond the memory budget go to the temporary folder {folder}, which has {free / 1e9:.1f} of the "
            f"{num_bytes / 1e9:.1f} GB needed free; set TMPDIR to a folder with more space, raise memory_budget_gb or lower dim",
        )


def kind_of_file_system(folder: Path) -> str:
    """Returns what `folder` lies on, such as ext4 or tmpfs; nothing where the system does not tell."""
    if not MOUNTS.is_file():
        return ""
    mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    kinds = {Path(point.replace(r"\040", " ")): kind for _, point, kind, *_ in mounts}  # of two on one point the last is seen
    return next((kinds[place] for place in (folder.resolve(), *folder.resolve().parents) if place in kinds), "")
