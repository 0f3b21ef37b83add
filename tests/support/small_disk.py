"""A disk of a few megabytes, of which a test leaves as much free as it likes: a file system in memory, without any reserve."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096


class SmallDisk:
    """The disk, mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast = folder, folder / "ballast"

    def leave(self, room: int) -> None:
        """Has `room` bytes left, rounded down to whole pages; fills up the rest."""
        self.ballast.unlink(missing_ok=True)
        free = os.statvfs(self.folder)
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - room // PAGE * PAGE))

    def free(self) -> None:
        """Has all room that there is."""
        self.ballast.unlink(missing_ok=True)

    def used(self) -> int:
        """The bytes that are taken."""
        disk = os.statvfs(self.folder)
        return (disk.f_blocks - disk.f_bfree) * disk.f_bsize


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mounts such a disk for the length of the block; skips the test where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("VERDELTA_REQUIRE_CONTAINERS"):  # CI, which runs as root
            pytest.fail(f"no small disk: {done.stderr}")
        pytest.skip(f"no small disk: {done.stderr}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
