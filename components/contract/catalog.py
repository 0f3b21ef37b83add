"""The rows of the catalog, one per photo: made of the photos' paths, put in order, and counted."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import pandas as pd

from components.contract import schema

RAW_PATH = "raw_path"  # where the photo lies in the raw data; not written to images.csv
FIRST_SIZE = ("first_photo_width", "first_photo_height")  # counts of the record, px; none where no photo is good
MAX_DAY = 36_525  # a century: a larger number is a date or a serial number, and would make wrong labels


def rows_of(photos: Iterable[PurePosixPath]) -> pd.DataFrame:
    """Returns the catalog's rows of photos of either split, in its order."""
    rows = [test_row(path) if path.parts[0] == schema.TEST_FOLDER else train_row(path) for path in photos]
    return in_catalog_order(pd.DataFrame(rows, columns=[*schema.IMAGES_COLUMNS, RAW_PATH]).astype({"day": "Int64"}))


def in_catalog_order(photos: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows sorted; no two are equal, so that it does not matter how they came."""
    photos = photos.assign(is_test=photos["split"] == schema.TEST)
    return photos.sort_values(["is_test", "species", "series", "day", "image_id"], ignore_index=True).drop(columns="is_test")


def refuse_empty(good: pd.DataFrame, splits: Sequence[str], place: str, bad: int) -> None:
    """Raises ValueError where leaving bad photos out leaves none of a split."""
    for split, folder in ((schema.TRAIN, schema.TRAIN_FOLDER), (schema.TEST, schema.TEST_FOLDER)):
        if split in splits and not (good["split"] == split).any():
            raise ValueError(f"{place}/{folder}: none of its photos can be decoded ({bad} bad photos in all). Replace them.")


def count_photos(good: pd.DataFrame, bad: int, ignored: int) -> dict[str, int]:
    """Returns the record's counts."""
    train, test = (good[good["split"] == split] for split in (schema.TRAIN, schema.TEST))
    return {
        "photos": len(good),
        "train_photos": len(train),
        "test_photos": len(test),
        "train_series": train["series"].nunique(),
        "test_series": test["series"].nunique(),
        "bad_photos": bad,
        "other_files": ignored,
    }


def train_row(path: PurePosixPath) -> tuple[object, ...]:
    """Returns the row of `train_dataset/<species>/<series>/<stem that ends in the day>.<suffix>`."""
    _, species, series, _ = path.parts
    return (f"{schema.TRAIN}/{series}/{path.stem}", schema.TRAIN, species, series, read_day(path), jpeg_path(path), str(path))


def test_row(path: PurePosixPath) -> tuple[object, ...]:
    """Returns the row of `test_dataset/<species>/<folder>/<stem>.<suffix>`, whose series is `<species>_<folder>`."""
    _, species, folder, _ = path.parts
    series = f"{species}_{folder}"
    return (f"{schema.TEST}/{series}/{path.stem}", schema.TEST, species, series, None, jpeg_path(path), str(path))


def jpeg_path(path: PurePosixPath) -> str:
    """Returns where the stored photo lies, relative to images/: as in the raw data, with the suffix .jpg."""
    return f"{path.parent}/{path.stem}.jpg"


def read_day(path: PurePosixPath) -> int:
    """Returns the number that ends the stem: `DAT07` is day 7.

    Raises:
        ValueError: no digits there, or more than MAX_DAY.
    """
    digits = re.search(r"[0-9]+$", path.stem)
    if digits is None:
        raise ValueError(
            f"{path}: the stem {path.stem!r} does not end in digits, so the photo has no day. "
            "Expected a name such as DAT07.png; rename the file or take it out of train_dataset."
        )
    if int(digits[0]) > MAX_DAY:
        raise ValueError(
            f"{path}: the stem {path.stem!r} ends in {digits[0]}, read as the photo's day. Expected days counted from one "
            f"start, at most {MAX_DAY}; rename the file, for example to DAT07{path.suffix}."
        )
    return int(digits[0])
