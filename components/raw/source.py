"""What every place of raw data offers: its listing, its files and their digests, whether it is a folder or a bucket."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from components.raw.walk import Found

GS = "gs://"


class UnreadableError(OSError):
    """One file that cannot be read, where the others can: `strerror` says why."""


UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, UnreadableError)  # one file alone


class RawSource(Protocol):
    """Where raw data lies; `str` of it is what a person calls the place, of which `concurrency` files are best read at a time."""

    concurrency: int

    def find(self) -> Found:
        """Returns the files of both splits and the tables, and what else lies among them with the reason why it is not read."""

    def size(self, path: PurePosixPath) -> int:
        """Returns a file's size in bytes, as `find` listed it."""

    def read(self, path: PurePosixPath) -> bytes:
        """Returns a listed file's content, verified; what stands in the way ends in an OSError."""

    def digests(self, paths: Sequence[PurePosixPath]) -> Iterator[str]:
        """Yields a digest of each listed file's content, of one that cannot be read of the reason."""
