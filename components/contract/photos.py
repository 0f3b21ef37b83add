"""Keeps the resized photos of a task in few files: many small ones cross a bucket one after another, with a wait for each."""

import array
import itertools
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from components.contract.artifacts import atomic_write
from components.contract.naming import names_first, naming
from components.contract.shards import Shard
from components.contract.verified import unchanged

ARCHIVE = "photos-{shard:05d}-of-{num_shards:05d}{part}.zip"
MOST = 4096  # photos of one archive, whose directory is in memory while it is written, and while it is opened: 1 KB per photo
WRITTEN_AT = (1980, 1, 1, 0, 0, 0)  # of every photo, so that the same photos make the same bytes


def write_photos(folder: Path, photos: Iterable[tuple[str, bytes]], shard: Shard) -> None:
    """Writes photos into archives of a shard, each whole; JPEGs are stored as they are, as nothing makes them smaller.

    Most shards have one. Where there are many photos each has MOST, and the last, which has fewer or none, is the end. `photos`
    are the path of each, as the catalog has it, and its bytes, in the catalog's order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rest, written = iter(photos), MOST
    for number in itertools.count():
        if written < MOST:
            return
        name, written = archive_name(shard, number), 0
        with atomic_write(folder / name) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for path, content in itertools.islice(rest, MOST):
                archive.writestr(zipfile.ZipInfo(path, WRITTEN_AT), content)
                written += 1


def archive_name(shard: Shard, number: int = 0) -> str:
    """Returns the name of the archive of that number, from 0, of a shard."""
    part = f"-{number:05d}" if number else ""
    return ARCHIVE.format(shard=shard.shard, num_shards=shard.num_shards, part=part)


class Photos:
    """The resized photos in a folder: in the archives of all shards or, as earlier versions wrote them, a file for each."""

    def __init__(self, folder: Path) -> None:
        """Raises ChangedError where an archive is not what resize_images wrote."""
        self.folder = folder
        self.archives: list[zipfile.ZipFile] = []
        self.number_of: dict[str, int] = {}
        self.places = array.array("Q")  # of each photo: its archive, where it begins there, its bytes and their checksum
        for number, path in enumerate(sorted(folder.glob("*.zip"))):
            self.archives.append(archive := names_first(zipfile.ZipFile)(unchanged(path)))
            for each in archive.infolist():
                self.number_of[each.filename] = len(self.number_of)
                self.places.extend((number, each.header_offset, each.file_size, each.CRC))
            archive.filelist.clear()  # before the next is read: it takes five times the memory of what is known of it by now
            archive.NameToInfo.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for archive in self.archives:
            archive.close()

    def __contains__(self, path: str) -> bool:
        return path in self.number_of or (self.folder / path).is_file()

    def read(self, path: str) -> bytes:
        """Returns a photo's bytes, verified. Raises FileNotFoundError: there is none; FileError: not what was written."""
        with naming(f"{self.folder}/{path}"):
            if path not in self.number_of:
                return (self.folder / path).read_bytes()
            begin, entry = 4 * self.number_of[path], zipfile.ZipInfo(path)
            number, entry.header_offset, entry.file_size, entry.CRC = self.places[begin : begin + 4]
            entry.compress_size = entry.file_size  # they are stored as they are
            return self.archives[number].read(entry)
