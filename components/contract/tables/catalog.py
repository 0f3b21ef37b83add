"""The rows of the catalog, one per photo: put in order, and counted."""

from collections.abc import Sequence

import pandas as pd

from components.contract import schema

RAW_PATH = "raw_path"  # where the photo lies in the raw data; not written to images.csv
FIRST_SIZE = ("first_photo_width", "first_photo_height")  # counts of the record, px; none where no photo is good


def in_catalog_order(photos: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows sorted; no two are equal, so that it does not matter how they came."""
    photos = photos.assign(is_test=photos["split"] == schema.TEST)
    for column in ("image_id", "day", "series", "species", "is_test"):  # one by one takes a third of the memory of all at once
        photos = photos.sort_values(column, kind="stable", ignore_index=True)
    return photos.drop(columns="is_test")


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
