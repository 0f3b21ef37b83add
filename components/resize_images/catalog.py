"""The listing of the raw photos enters; the catalog leaves: one row per photo, with its series, its day and its place."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import pandas as pd

from components import schema
from components.layout import RawListing

RAW_PATH = "raw_path"  # where the photo lies in the raw data; not written to images.csv
MAX_DAY = 36_525  # a century: a larger number is a date or a serial number, and would make wrong labels


def build_catalog(listing: RawListing) -> pd.DataFrame:
    """Returns IMAGES_COLUMNS and RAW_PATH: train by (species, series, day, stem), then test by (species, series, stem).

    The winner sorts by file name. Sorting by day gives the same order where the numbers are padded with zeros, and the right
    one where they are not (DAT7 before DAT10).

    Raises:
        ValueError: a train stem without a day, a series name that two species share, two photos of one name.
    """
    refuse_shared_series(listing.train)
    refuse_twins(((f"{path.parts[2]}/{path.stem}", path) for path in listing.train), "in one train series")
    refuse_twins(((path.stem, path) for path in listing.test), "in the test set, where test_data.csv knows photos by stem alone")
    rows = [train_row(path) for path in listing.train] + [test_row(path) for path in listing.test]
    catalog = pd.DataFrame(rows, columns=[*schema.IMAGES_COLUMNS, RAW_PATH]).astype({"day": "Int64"})
    catalog["is_test"] = catalog["split"] == schema.TEST
    return catalog.sort_values(["is_test", "species", "series", "day", "image_id"], ignore_index=True).drop(columns="is_test")


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


def refuse_shared_series(train: Iterable[PurePosixPath]) -> None:
    """Raises ValueError where two species have a train series of one name: folds and pairs know a series by its name."""
    species_of: dict[str, str] = {}
    for path in train:
        _, species, series, _ = path.parts
        if species_of.setdefault(series, species) != species:
            raise ValueError(
                f"{schema.TRAIN_FOLDER}/{species}/{series}: species {species_of[series]} has a train series of that name too. "
                f"Expected one name per series; rename the folder, for example to {species}_{series}."
            )


def refuse_twins(photos: Iterable[tuple[str, PurePosixPath]], where: str) -> None:
    """Raises ValueError where two photos have one name."""
    seen: dict[str, PurePosixPath] = {}
    for name, path in photos:
        if seen.setdefault(name, path) is not path:
            raise ValueError(
                f"{seen[name]} and {path}: two photos with the stem {path.stem!r} {where}. Rename or remove one of them."
            )
