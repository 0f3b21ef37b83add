"""Stores what outlives a process where other processes find it: files of a folder, or objects of a bucket.

An entry is there whole or not at all, however many processes write; what was used longest ago goes when the bound is passed.
It begins with the SHA-256 of the rest, by which `unsealed` tells one that is damaged.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from components.raw.storage import GS

MOST_BYTES = 4_000_000_000  # of all entries together
TIMEOUT = (5.0, 60.0)  # seconds to connect to a bucket's server, and between two of its answers' parts
DIGEST_BYTES = hashlib.sha256().digest_size


def sealed(content: bytes | memoryview) -> tuple[bytes, bytes | memoryview]:
    """Returns the parts of an entry that holds `content`."""
    return hashlib.sha256(content).digest(), content


def unsealed(entry: bytes) -> memoryview | None:
    """Returns the content of an entry, which is not copied, or None where it is damaged."""
    content = memoryview(entry)[DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == entry[:DIGEST_BYTES] else None


class FolderStore:
    """Entries as files of a folder, made with the first; what else lies there is bounded with them: XLA's notes on autotuning."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = folder, most_bytes

    def read(self, key: str) -> bytes | None:
        """Returns an entry, or None where there is none; raises OSError where it cannot be read."""
        try:
            content = (self.folder / key).read_bytes()
        except FileNotFoundError:
            return None
        with contextlib.suppress(OSError):  # what is read counts as used, where the folder may be written
            os.utime(self.folder / key)
        return content

    def write(self, key: str, parts: Iterable[bytes | memoryview]) -> None:
        """Adds or replaces an entry; raises OSError where that cannot be done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".partial-", dir=self.folder, delete=False) as partial:
            try:
                partial.writelines(parts)
                partial.close()
                Path(partial.name).replace(self.folder / key)
            finally:
                Path(partial.name).unlink(missing_ok=True)
        self.make_room()

    def delete(self, key: str) -> None:
        """Removes an entry, if there is one; raises OSError where that cannot be done."""
        (self.folder / key).unlink(missing_ok=True)

    def make_room(self) -> None:
        """Deletes what was used longest ago until the rest is within the bound."""
        known = []
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # another process makes room, too
                if path.is_file():
                    known.append((path.stat().st_mtime, path.stat().st_size, path))
        for path in oldest(known, self.most_bytes):
            path.unlink(missing_ok=True)


class BucketStore:
    """Entries as objects below a gs:// address. An object's age counts from when it was written: reading does not change it."""

    def __init__(self, address: str, most_bytes: int = MOST_BYTES) -> None:
        """Raises what Google's library does where there are no credentials."""
        from components.raw.gcs import split_address
        from components.raw.gcs_requests import new_client

        bucket, folder = split_address(address)
        self.client = new_client(address, connections=4)
        self.bucket, self.folder, self.most_bytes = self.client.bucket(bucket), folder.rstrip("/"), most_bytes

    def read(self, key: str) -> bytes | None:
        """As `FolderStore.read`; raises what Google's library does."""
        from google.api_core.exceptions import NotFound

        try:
            return self.bucket.blob(f"{self.folder}/{key}").download_as_bytes(timeout=TIMEOUT)
        except NotFound:
            return None

    def write(self, key: str, parts: Iterable[bytes | memoryview]) -> None:
        """As `FolderStore.write`; raises what Google's library does."""
        content = b"".join(parts)
        self.bucket.blob(f"{self.folder}/{key}").upload_from_string(content, "application/octet-stream", timeout=TIMEOUT)
        known = self.client.list_blobs(self.bucket, prefix=f"{self.folder}/", timeout=TIMEOUT)
        for blob in oldest([(blob.updated, blob.size, blob) for blob in known], self.most_bytes):
            blob.delete(timeout=TIMEOUT)

    def delete(self, key: str) -> None:
        """As `FolderStore.delete`; raises what Google's library does."""
        from google.api_core.exceptions import NotFound

        with contextlib.suppress(NotFound):
            self.bucket.blob(f"{self.folder}/{key}").delete(timeout=TIMEOUT)


def oldest(known: list[tuple[Any, int, Any]], most_bytes: int) -> Iterator[Any]:
    """Yields what was used longest ago of (when, bytes, what), until the rest is within a bound."""
    excess = sum(size for _, size, _ in known) - most_bytes
    for _, size, what in sorted(known, key=lambda each: each[0]):
        if excess > 0:
            yield what
        excess -= size


Store = FolderStore | BucketStore


def open_store(place: str, most_bytes: int = MOST_BYTES) -> Store:
    """Returns the store at a place: a folder's path, or gs://BUCKET/FOLDER."""
    return BucketStore(place, most_bytes) if place.startswith(GS) else FolderStore(Path(place), most_bytes)
