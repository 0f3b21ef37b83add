"""The challenge's layout: tells by their names which files are photos of which split, tables, or neither."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from components.contract import schema
from components.raw.walk import HIDDEN, NAMED_AS_PHOTOS, Found

PHOTO_SUFFIXES = NAMED_AS_PHOTOS  # in any case
RAW_TABLES = {
    schema.TEST_DATA_CSV: schema.RAW_TEST_DATA,
    schema.SAMPLE_SUBMISSION_CSV: schema.SAMPLE_SUBMISSION_CSV,
    schema.TEST_LABELS_CSV: f"{schema.TEST_FOLDER}/{schema.TEST_LABELS_CSV}",
    schema.FEW_LABELS_CSV: f"{schema.TEST_FOLDER}/{schema.FEW_LABELS_CSV}",
    schema.TEST_ORACLE_CSV: f"{schema.TEST_FOLDER}/{schema.TEST_ORACLE_CSV}",
}  # name in the catalog -> path in the raw data
DAYS_TABLE = PurePosixPath(schema.TRAIN_FOLDER, schema.DAYS_CSV)
OTHER_PHOTO_SUFFIXES = (  # of photos in formats that are not read
    *(".tif", ".tiff", ".bmp", ".gif", ".webp", ".heic", ".heif", ".avif", ".jp2", ".jpe", ".jfif", ".jxl", ".ppm"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw"),
)
PHOTO_PARTS = 4  # of <split>_dataset/<species>/<series>/<photo>
ELSEWHERE = "neither a photo nor a table that is read here"
FOLDERS = {schema.TRAIN: schema.TRAIN_FOLDER, schema.TEST: schema.TEST_FOLDER}
LAYOUT = "<split>_dataset/<species>/<series>/<photo>, photo ending in " + ", ".join(PHOTO_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class RawListing:
    """What the pipeline reads of the raw data; every path is relative to its root, and every tuple is sorted."""

    train: tuple[PurePosixPath, ...]  # photos of the train set, `train_dataset/<species>/<series>/<photo>`
    test: tuple[PurePosixPath, ...]  # photos of the test set, `test_dataset/<species>/<series>/<photo>`
    tables: dict[str, PurePosixPath]  # catalog file name to path, for the tables that are there; test_data.csv always is
    # files that lie among the photos and are none, and photos at another depth (`is_photo` tells them apart)
    ignored: tuple[PurePosixPath, ...]
    days: PurePosixPath | None = None  # the table of days, if there is one and train photos are read
    # photos, and folders in the place of a series, that cannot be read, and why
    bad: Mapping[PurePosixPath, str] = dataclasses.field(default_factory=dict)
    # everything else that lies there, and why it is not read
    others: Mapping[PurePosixPath, str] = dataclasses.field(default_factory=dict)
    # tables that are there and cannot be read, and why
    unread_tables: Mapping[PurePosixPath, str] = dataclasses.field(default_factory=dict)

    def photos(self) -> tuple[PurePosixPath, ...]:
        """Returns the photos of both splits."""
        return (*self.train, *self.test)

    def paths(self) -> list[PurePosixPath]:
        """Returns the paths of all that the pipeline reads, sorted."""
        return sorted([*self.train, *self.test, *self.tables.values(), *([self.days] if self.days else [])])


def list_raw(found: Found, place: str, splits: Sequence[str] = schema.SPLITS) -> RawListing:
    """Returns what is read of all that lies in a place, and accounts for the rest.

    Args:
        place: named in errors.
        splits: both, or test alone where nothing is trained: then train photos are neither needed nor looked at.

    Raises:
        FileNotFoundError: no train photo, no test photo or no test_data.csv.
    """
    files = sorted(found.sizes)
    train, ignored_train = list_split(files, schema.TRAIN_FOLDER, place) if schema.TRAIN in splits else ((), ())
    test, ignored_test = list_split(files, schema.TEST_FOLDER, place)
    tables = {name: PurePosixPath(path) for name, path in RAW_TABLES.items() if PurePosixPath(path) in found.sizes}
    wanted = {*map(PurePosixPath, RAW_TABLES.values()), *([DAYS_TABLE] if schema.TRAIN in splits else [])}
    unread_tables = {path: found.unread[path] for path in sorted(wanted & found.unread.keys())}
    if schema.TEST_DATA_CSV not in tables:
        why = unread_tables.get(PurePosixPath(schema.RAW_TEST_DATA), "missing")
        raise FileNotFoundError(
            f"{place}/{schema.RAW_TEST_DATA}: {why}. It names the test pairs (idx,before_file_path,after_file_path); add it."
        )
    ignored = tuple(sorted(ignored_train + ignored_test))
    days = DAYS_TABLE if schema.TRAIN in splits and DAYS_TABLE in found.sizes else None
    looked_at = [FOLDERS[split] for split in splits]
    left = sorted((path, why) for path, why in found.unread.items() if path not in unread_tables)
    unread = {path: why for path, why in left if path.parts[0] in looked_at or len(path.parts) == 1}
    bad = {path: why for path, why in unread.items() if is_missed(path, why, path in found.folders)}
    formats = [path for path in ignored if path.suffix.lower() in OTHER_PHOTO_SUFFIXES]
    bad |= {path: f"a {path.suffix} file; expected {', '.join(PHOTO_SUFFIXES)}: convert it" for path in formats}
    read = {*train, *test, *tables.values(), *ignored, *([days] if days else [])}
    others = {path: why for path, why in unread.items() if path not in bad}
    others |= {path: ELSEWHERE for path in files if path not in read and (path.parts[0] in looked_at or len(path.parts) == 1)}
    return RawListing(train, test, tables, tuple(path for path in ignored if path not in bad), days, bad, others, unread_tables)


def is_missed(path: PurePosixPath, why: str, is_folder: bool) -> bool:
    """Whether something that is not read would have been a photo, or a folder of photos, by its name and place."""
    if why == HIDDEN or len(path.parts) == 1:
        return False
    if is_folder and len(path.parts) < PHOTO_PARTS:
        return True
    return path.suffix.lower() in (*PHOTO_SUFFIXES, *OTHER_PHOTO_SUFFIXES)


def list_split(
    files: Sequence[PurePosixPath], folder: str, place: str
) -> tuple[tuple[PurePosixPath, ...], tuple[PurePosixPath, ...]]:
    """Returns the photos of one split, and what is ignored: others, at another depth. Raises FileNotFoundError: no photo."""
    inside = [path for path in files if path.parts[0] == folder]
    photos = tuple(path for path in inside if is_photo(path) and len(path.parts) == PHOTO_PARTS)
    elsewhere = [path for path in inside if is_photo(path) and len(path.parts) != PHOTO_PARTS]
    if not photos:
        patterns = ", ".join(f"{folder}/*/*/*{suffix}" for suffix in PHOTO_SUFFIXES)
        astray = f" ({len(elsewhere)} at another depth, such as {elsewhere[0]})" if elsewhere else ""
        raise FileNotFoundError(
            f"{place}: no photo found for {patterns}{astray}. Put the photos at {folder}/<species>/<series>/, "
            f"for example {folder}/BC/BC_01/DAT01.png, or give the folder that holds {folder}."
        )
    others = (path for path in inside if not is_photo(path) and len(path.parts) == PHOTO_PARTS)
    return photos, tuple(sorted([*elsewhere, *others]))


def is_photo(path: PurePosixPath) -> bool:
    """Returns whether a file is a photo by its name."""
    return path.suffix.lower() in PHOTO_SUFFIXES
