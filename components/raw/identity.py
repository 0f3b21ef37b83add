"""Finds photos of equal bytes: one plant under two names would be trained on and validated with, or asked for in the test set."""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from components.contract import schema
from components.raw.layout import RawListing
from components.raw.source import UNREADABLE, RawSource

BETWEEN_SPLITS, TWO_SERIES = "in the train and in the test set", "in two train series"
ONE_SERIES, IN_TEST = "twice in one train series", "twice in the test set"
LEAKS = (BETWEEN_SPLITS, TWO_SERIES)  # by which a score would be better than the model is
SHA256_HEX = 64
SHOWN = 5
BEGINNINGS = (b"\x89PNG", b"\xff\xd8")  # of a PNG, and of a JPEG


@dataclasses.dataclass(frozen=True)
class EqualPhotos:
    """Photos of equal bytes."""

    paths: tuple[PurePosixPath, ...]  # two or more, sorted
    where: str  # one of the constants above: the worst that holds

    def __str__(self) -> str:
        return " = ".join(map(str, self.paths))


def find_equal_photos(source: RawSource, listing: RawListing) -> list[EqualPhotos]:
    """Returns the photos of a place that are equal; only those of equal size are hashed."""
    sizes = defaultdict[int, list[PurePosixPath]](list)
    for path in (*listing.train, *listing.test):
        sizes[source.size(path)].append(path)
    sizes.pop(0, None)  # empty files are no photos
    alike = [path for paths in sizes.values() if len(paths) > 1 for path in paths]
    groups = grouped(alike, source.digests(alike)) if alike else []
    groups = [same for group in groups for same in grouped(group, map(source.size, group))]
    paths = [path for group in groups for path in group]
    if any(len(digest) != SHA256_HEX for digest in source.digests(paths)):  # but checksums, which may agree by chance
        groups = grouped(paths, (hashlib.sha256(content_of(source, path)).hexdigest() for path in paths))
    # broken files are alike, and no photos
    groups = [group for group in groups if content_of(source, group[0]).startswith(BEGINNINGS)]
    return sorted((EqualPhotos(tuple(group), where(group)) for group in groups), key=lambda each: each.paths)


def content_of(source: RawSource, path: PurePosixPath) -> bytes:
    """Returns a file's content; nothing of one that cannot be read, which whoever decodes it makes a bad photo."""
    try:
        return source.read(path)
    except UNREADABLE:
        return b""


def grouped(paths: Iterable[PurePosixPath], keys: Iterable[object]) -> list[list[PurePosixPath]]:
    """Returns the paths of one key, where there are two or more, sorted."""
    first: dict[object, PurePosixPath] = {}  # most photos are alone: a list for each would take more memory than their names
    more = defaultdict[object, list[PurePosixPath]](list)
    for path, key in zip(paths, keys, strict=True):
        if first.setdefault(key, path) is not path:
            more[key].append(path)
    return [sorted([first[key], *others]) for key, others in more.items()]


def where(paths: Sequence[PurePosixPath]) -> str:
    """Returns the worst that may be said of equal photos at these paths."""
    splits = {path.parts[0] for path in paths}
    if len(splits) > 1:
        return BETWEEN_SPLITS
    if splits == {schema.TEST_FOLDER}:
        return IN_TEST
    return TWO_SERIES if len({path.parent for path in paths}) > 1 else ONE_SERIES


def describe_leaks(found: Sequence[EqualPhotos], place: str) -> str | None:
    """Returns what to say of equal photos that leak, and how to mend it; None where there are none."""
    leaks = [each for each in found if each.where in LEAKS]
    if not leaks:
        return None
    shown = "".join(f"\n  {each} ({each.where})" for each in leaks[:SHOWN])
    more = f"\n  and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
    return (
        f"{place}: {len(leaks)} photos are there under two names or more, byte for byte, so that a model would be validated or "
        f"tested on what it was trained on. Remove the copies, or set on_equal_photos=report to go on with them.{shown}{more}"
    )
