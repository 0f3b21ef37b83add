"""Reads what stages wrote as they wrote it: each file is verified by the manifest beside it, or refused by its name."""

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from components.contract import schema
from components.contract.artifacts import file_digest, manifest_digest
from components.settings import STAGES

SHOWN_DIGITS = 12  # of a digest
READ_BYTES = 2**18  # at a time
said: set[Path] = set()  # folders of which this process has said that nothing in them can be verified


class ChangedError(ValueError):
    """A file is not as a stage wrote it."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a stage says that it wrote into a folder."""

    path: Path  # of the manifest
    stage: str  # who wrote it
    files: Mapping[str, tuple[int, str]]  # name to (bytes, SHA-256 in hex)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Returns the manifest at `path`. Raises ChangedError: it is not as it was written."""
        try:
            content = json.loads(path.read_bytes())
            files = {each["name"]: (each["bytes"], each["sha256"]) for each in content["files"]}
            if content["sha256"] != manifest_digest(content["stage"], content["files"]):
                raise ValueError("its own SHA-256 is another one")
            return cls(path, content["stage"], files)
        except (ValueError, KeyError, TypeError) as error:
            raise ChangedError(f"{path}: damaged ({type(error).__name__}: {error}). {remedy(stage_of(path))}") from error

    def require(self, path: Path, size: int, digest: str | None = None) -> None:
        """Raises ChangedError where the file at `path` has not the size, or the digest, that was written."""
        if path.name not in self.files:
            raise ChangedError(f"{path}: not among the files that {self.stage} wrote, by {self.path}. {remedy(self.stage)}")
        expected_size, expected = self.files[path.name]
        if size != expected_size:
            raise ChangedError(f"{path}: {size} bytes, and {self.stage} wrote {expected_size}. {remedy(self.stage)}")
        if digest not in (None, expected):
            raise ChangedError(
                f"{path}: SHA-256 {str(digest)[:SHOWN_DIGITS]}..., and {self.stage} wrote {expected[:SHOWN_DIGITS]}...: "
                f"it was changed or damaged. {remedy(self.stage)}"
            )

    def require_all(self) -> None:
        """Raises FileNotFoundError where a file is missing."""
        for name in self.files:
            if not (self.path.parent / name).is_file():
                raise FileNotFoundError(f"{self.path.parent / name}: missing, and {self.stage} wrote it. {remedy(self.stage)}")


def remedy(stage: str) -> str:
    """Returns what to do about a damaged artifact."""
    return f"Run {stage} again, and what depends on it: python pipeline.py rerun RUN {stage} --downstream"


def stage_of(path: Path) -> str:
    """Returns the stage that wrote a file, by the folders that it lies in, which kfp names after tasks."""
    parts = (part.replace("-", "_") for part in reversed(path.parts))
    return next((stage for part in parts for stage in STAGES if part.startswith(stage)), "the stage that wrote it")


def manifest_in(folder: Path) -> Manifest | None:
    """Returns the manifest of a folder, or None of one that is older than manifests, which is said once."""
    path = folder / schema.MANIFEST_JSON
    if path.is_file():
        return Manifest.read(path)
    is_artifact = (folder / schema.STAGE_RECORD).is_file() or any(folder.glob("photos-*.zip"))
    if is_artifact and folder not in said:
        said.add(folder)
        print(f"{folder}: written before there was a {schema.MANIFEST_JSON}, so it is read as it is, without being verified")
    return None


def manifest_of(path: Path) -> Manifest | None:
    """Returns the manifest that lists a file: that beside it or, of a link, that beside what it leads to."""
    return manifest_in(path.parent) or (manifest_in(path.readlink().parent) if path.is_symlink() else None)


def read_bytes(path: Path) -> bytes:
    """Returns a file's content: the bytes that are verified are those that are used. Raises ChangedError: they are others."""
    content = path.read_bytes()
    if manifest := manifest_of(path):
        manifest.require(path, len(content), hashlib.sha256(content).hexdigest())
    return content


class Hashed(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, file: io.FileIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self.file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:size])
        return size


@contextlib.contextmanager
def reading(path: Path) -> Iterator["io.BufferedReader[Hashed]"]:
    """Yields a file that is too large to be held; what the block made of it counts only where it ends without an error.

    Raises:
        ChangedError: the bytes were others than were written; whatever the block raised of them.
    """
    with path.open("rb", buffering=0) as file, io.BufferedReader(hashed := Hashed(file), READ_BYTES) as buffered:
        try:
            yield buffered
        finally:
            while buffered.read(READ_BYTES):
                pass
            if manifest := manifest_of(path):
                manifest.require(path, file.tell(), hashed.digest.hexdigest())


def read_single(path: Path, digest: str | None, stage: str) -> bytes:
    """Returns the content of an artifact that is one file. Raises ChangedError: it is not what the stage wrote.

    Args:
        digest: its SHA-256, as the artifact's metadata say; None where it is older than that.
        stage: who wrote it.
    """
    content = path.read_bytes()
    if digest is not None:
        known = {path.name: (len(content), digest)}
        Manifest(path, stage, known).require(path, len(content), hashlib.sha256(content).hexdigest())
    return content


def read_json(path: Path) -> Any:
    """Returns what a JSON file says; raises as `read_bytes`."""
    return json.loads(read_bytes(path))


def unchanged(path: Path) -> Path:
    """Returns `path` after a pass over the file, for what a library opens by its name; raises as `read_bytes`."""
    if manifest := manifest_of(path):
        manifest.require(path, path.stat().st_size)
        manifest.require(path, path.stat().st_size, file_digest(path))
    return path


def is_there(path: Path) -> bool:
    """Whether a stage wrote a file that it need not write. Raises FileNotFoundError: it did, and the file is gone."""
    if path.is_file():
        return True
    manifest = manifest_in(path.parent)
    if manifest and path.name in manifest.files:
        manifest.require_all()
    return False


def require_complete(folder: Path) -> None:
    """Raises FileNotFoundError where a file that a stage wrote into `folder` is missing."""
    if manifest := manifest_in(folder):
        manifest.require_all()


def content_of(place: Path, *, verify: bool) -> str:
    """Returns a digest of an artifact's content, a folder's or a file's, which no modification time and no place changes.

    Args:
        verify: whether each file that a manifest lists is read; else the manifest is believed.

    Raises:
        ChangedError: a file is not what the manifest says.
        FileNotFoundError: one is missing.
    """
    manifest = manifest_in(place) if place.is_dir() else None
    if manifest:
        manifest.require_all()
        for path in filter(Path.is_file, place.rglob("*")):
            if path != manifest.path:
                manifest.require(path, path.stat().st_size, file_digest(path) if verify else None)
        return file_digest(manifest.path)
    digest = hashlib.sha256()
    for path in [place, *sorted(place.rglob("*"))]:
        if path.is_file():
            digest.update(f"{path.relative_to(place)}\0{path.stat().st_size}\0{file_digest(path)}\0".encode())
    return digest.hexdigest()
