"""Finds raw data in a folder or a bucket, and digests its content.

A source is where the raw data lies: RawFolder, or components.raw.gcs.GcsFolder, which alone imports Google's library.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from components.contract import schema
from components.contract.artifacts import file_digest, json_digest
from components.contract.cores import available_cores, mapped
from components.contract.verified import ChangedError
from components.raw.layout import FOLDERS, LAYOUT, RawListing, list_raw
from components.raw.source import GS, RawSource
from components.raw.walk import Found, look_at, look_into, path_text, scan

NOT_READ, DIGEST = "not read", re.compile("[0-9a-f]{64}")
WHILE_NOBODY_WRITES = "Repeat the command while nobody writes there."
NOT_LOOKED_INTO = f"a folder that is not looked into; only {' and '.join(FOLDERS.values())} are"


class RawFolder:
    """Raw data in a folder of this machine; `seen` are digests of files that were read: they are told of what was used."""

    def __init__(self, root: Path) -> None:
        self.root, self.concurrency = root, available_cores()
        self.sizes: Mapping[PurePosixPath, int] = {}
        self.seen: dict[PurePosixPath, str] = {}

    def __str__(self) -> str:
        return str(self.root)

    def find(self) -> Found:
        """As `RawSource.find`; linked folders are looked into. Raises FileNotFoundError: no such folder; OSError."""
        if not self.root.is_dir():
            found = "a file, not a folder" if self.root.exists() else "no such folder"
            raise FileNotFoundError(
                f"{self.root}: {found}. Expected the raw data, {LAYOUT}; give the folder that holds train_dataset."
            )
        found_here = Found()
        for entry in scan(self.root):
            path = PurePosixPath(entry.name)
            if entry.name in FOLDERS.values():
                look_into(self.root, path, found_here, ())
            elif entry.is_dir() and not entry.name.startswith("."):
                found_here.leave(path, NOT_LOOKED_INTO)
            else:
                look_at(self.root, path, entry, found_here, ())
        self.sizes = found_here.sizes
        return found_here

    def size(self, path: PurePosixPath) -> int:
        """Returns a file's size in bytes when it was listed; it may be gone by now."""
        return self.sizes[path]

    def read(self, path: PurePosixPath) -> bytes:
        """Returns a file's bytes, which are hashed. Raises ChangedError: it was read before, and held something else."""
        try:
            content = (self.root / path).read_bytes()
        except OSError as error:
            self.note(path, f"{NOT_READ}: {error.strerror}")
            raise
        self.note(path, hashlib.sha256(content).hexdigest())
        return content

    def note(self, path: PurePosixPath, digest: str) -> str:
        """Returns the digest of a file, which has to be that of the last time."""
        if self.seen.setdefault(path, digest) != digest:
            raise ChangedError(f"{self.root / path}: changed while it was being used. {WHILE_NOBODY_WRITES}")
        return digest

    def digests(self, paths: Sequence[PurePosixPath]) -> Iterator[str]:
        """Yields each file's SHA-256; those that were not read so far are read for that."""

        def digest(path: PurePosixPath) -> str:
            if path in self.seen:
                return self.seen[path]
            try:
                return self.note(path, file_digest(self.root / path))
            except OSError as error:  # a bad photo, of which the stage that reads it makes an error or leaves it out
                return self.note(path, f"{NOT_READ}: {error.strerror}")

        with ThreadPoolExecutor(max_workers=available_cores()) as pool:  # hashing and reading both release the GIL
            digests = mapped(pool, digest, paths)
            quiet = all(path in self.seen for path in paths)
            yield from tqdm(
                digests, "hash raw data", len(paths), unit="file", file=sys.stdout, mininterval=2, ncols=90, disable=quiet
            )


def open_raw(raw: str | Path) -> RawSource:
    """Returns the source for a folder or a gs:// address; nothing is read yet."""
    if not str(raw).startswith(GS):
        return RawFolder(Path(raw))
    from components.raw.gcs import GcsFolder  # Google's library takes a while to import

    return GcsFolder(str(raw))


def locate_raw(raw: str | Path) -> str:
    """Returns one name for one place, as cache keys need it: a folder's absolute path, a gs:// address without "/" at its end."""
    return str(raw).rstrip("/") if str(raw).startswith(GS) else str(Path(raw).resolve())


def find_photos(source: RawSource, splits: Sequence[str] = schema.SPLITS) -> RawListing:
    """Lists the photos and tables of raw data, and accounts for the rest; raises as `RawSource.find` and `list_raw`."""
    return list_raw(source.find(), str(source), splits)


def content_digest(raw: str | Path, splits: Sequence[str] = schema.SPLITS) -> str:
    """Returns a SHA-256 in hex over the names and contents of all files the pipeline reads from `raw`; raises as `find_photos`.

    It does not change with modification times, the data's own place, or files the pipeline does not read. Files of a folder
    are read; of a gs:// address the listing's checksums stand for the contents, so nothing is downloaded, and the digest is
    another than that of the same files in a folder.
    """
    source = open_raw(raw)
    return digest_of(source, find_photos(source, splits).paths())


def digest_of(source: RawSource, paths: Sequence[PurePosixPath]) -> str:
    """Returns the `content_digest` of files of a source; a file that it has read is not read again."""
    return json_digest((path_text(path), digest) for path, digest in zip(paths, source.digests(paths), strict=True))


def require_digest(source: RawSource, paths: Sequence[PurePosixPath], digest: str) -> None:
    """Refuses data that is not what the run was started for: the result would be kept under the name of another.

    Args:
        source: the data, after all that is used of it, `paths`, was read.
        digest: the `content_digest` of what the run was started for; another text, such as the time of a schedule, names no data.

    Raises:
        ChangedError: files were added, removed or replaced since then.
    """
    if DIGEST.fullmatch(digest) and (found := digest_of(source, paths)) != digest:
        raise ChangedError(
            f"{source}: changed since the run was started ({len(paths)} files of digest {found[:12]}..., "
            f"expected {digest[:12]}...{newest(source, paths)}). {WHILE_NOBODY_WRITES}"
        )


def newest(source: RawSource, paths: Sequence[PurePosixPath]) -> str:
    """Returns which file of a folder was written last, in words; nothing where the source does not know."""
    if not isinstance(source, RawFolder):
        return ""
    times = {path: (source.root / path).stat().st_mtime for path in paths if (source.root / path).exists()}
    return f"; written last: {max(times, key=lambda path: times[path])}" if times else ""
