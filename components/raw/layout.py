"""The challenge's layout: tells by their names which files are photos of which split, tables, or neither."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from components.contract import schema

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")  # in any case
RAW_TABLES = {
    schema.TEST_DATA_CSV: schema.RAW_TEST_DATA,
    schema.SAMPLE_SUBMISSION_CSV: schema.SAMPLE_SUBMISSION_CSV,
    schema.TEST_LABELS_CSV: f"{schema.TEST_FOLDER}/{schema.TEST_LABELS_CSV}",
}  # name in the catalog -> path in the raw data
PHOTO_PARTS = 4  # of <split>_dataset/<species>/<series>/<photo>
LAYOUT = "<split>_dataset/<species>/<series>/<photo>, photo ending in " + ", ".join(PHOTO_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class RawListing:
    """What the pipeline reads of the raw data; every path is relative to its root, and every tuple is sorted.

    Attributes:
        train: photos of the train set, `train_dataset/<species>/<series>/<photo>`.
        test: photos of the test set, `test_dataset/<species>/<series>/<photo>`.
        tables: catalog file name to path, for the tables that are there; test_data.csv always is.
        ignored: files that lie among the photos and are none, and photos at another depth (`is_photo` tells them apart).
    """

    train: tuple[PurePosixPath, ...]
    test: tuple[PurePosixPath, ...]
    tables: dict[str, PurePosixPath]
    ignored: tuple[PurePosixPath, ...]

    def paths(self) -> list[PurePosixPath]:
        """Returns the paths of all that the pipeline reads, sorted."""
        return sorted([*self.train, *self.test, *self.tables.values()])


def list_raw(files: Sequence[PurePosixPath], place: str, splits: Sequence[str] = schema.SPLITS) -> RawListing:
    """Returns what is read of `files`, which are visible and relative to `place`.

    Args:
        files: of both splits.
        place: named in errors.
        splits: both, or test alone where nothing is trained: then train photos are neither needed nor looked at.

    Raises:
        FileNotFoundError: no train photo, no test photo or no test_data.csv.
    """
    train, ignored_train = list_split(files, schema.TRAIN_FOLDER, place) if schema.TRAIN in splits else ((), ())
    test, ignored_test = list_split(files, schema.TEST_FOLDER, place)
    tables = {name: PurePosixPath(path) for name, path in RAW_TABLES.items() if PurePosixPath(path) in files}
    if schema.TEST_DATA_CSV not in tables:
        raise FileNotFoundError(
            f"{place}/{schema.RAW_TEST_DATA}: missing. It names the test pairs (idx,before_file_path,after_file_path); add it."
        )
    return RawListing(train, test, tables, tuple(sorted(ignored_train + ignored_test)))


def list_split(
    files: Sequence[PurePosixPath], folder: str, place: str
) -> tuple[tuple[PurePosixPath, ...], tuple[PurePosixPath, ...]]:
    """Returns the photos of one split, and what is ignored: the other files beside them, and photos at another depth.

    Raises:
        FileNotFoundError: no photo; says which pattern was looked for.
    """
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


def visible(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Returns the paths, sorted, in which no name starts with a dot."""
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.parts))


def is_photo(path: PurePosixPath) -> bool:
    """Returns whether a file is a photo by its name."""
    return path.suffix.lower() in PHOTO_SUFFIXES
