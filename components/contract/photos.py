"""Keeps the resized photos of a task in one file: many small ones cross a bucket one after another, with a wait for each."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from components.contract.artifacts import atomic_write
from components.contract.naming import names_first, naming
from components.contract.shards import Shard
from components.contract.verified import unchanged

ARCHIVE = "photos-{shard:05d}-of-{num_shards:05d}.zip"
WRITTEN_AT = (1980, 1, 1, 0, 0, 0)  # of every photo, so that the same photos make the same bytes


def write_photos(folder: Path, photos: Iterable[tuple[str, bytes]], shard: Shard) -> None:
    """Writes photos, (path, bytes) in the catalog's order, into the archive of a shard, whole; JPEGs are stored as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    name = ARCHIVE.format(shard=shard.shard, num_shards=shard.num_shards)
    with atomic_write(folder / name) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for path, content in photos:
            archive.writestr(zipfile.ZipInfo(path, WRITTEN_AT), content)


class Photos:
    """The resized photos in a folder: in the archives of all shards or, as earlier versions wrote them, a file for each."""

    def __init__(self, folder: Path) -> None:
        """Raises ChangedError where an archive is not what resize_images wrote."""
        self.folder = folder
        self.archives = [names_first(zipfile.ZipFile)(unchanged(path)) for path in sorted(folder.glob("*.zip"))]
        self.archive_of = {name: archive for archive in self.archives for name in archive.namelist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for archive in self.archives:
            archive.close()

    def __contains__(self, path: str) -> bool:
        return path in self.archive_of or (self.folder / path).is_file()

    def read(self, path: str) -> bytes:
        """Returns a photo's bytes, verified. Raises FileNotFoundError: there is none; FileError: not what was written."""
        with naming(f"{self.folder}/{path}"):
            return self.archive_of[path].read(path) if path in self.archive_of else (self.folder / path).read_bytes()
