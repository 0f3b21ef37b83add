"""The listing of the raw photos enters; the catalog leaves: one row per photo, with its series, its day and its place."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

import pandas as pd

from components.contract import schema
from components.contract.tables.catalog import RAW_PATH, in_catalog_order
from components.contract.tables.stage_tables import whole_where_all_are
from components.raw.layout import RawListing

DayOf = Callable[[PurePosixPath], float | None]


def build_catalog(listing: RawListing, day_of: DayOf) -> pd.DataFrame:
    """Returns IMAGES_COLUMNS but `path`, and RAW_PATH: train by (species, series, day, stem), test by (species, series, stem).

    The winner sorts by file name. Sorting by day gives the same order where the numbers are padded with zeros, and the right
    one where they are not (DAT7 before DAT10). `day_of` gives a photo's day, None of a test photo.
    """
    paths = listing.photos()
    table = pd.DataFrame(
        {
            "image_id": [f"{split_of(path)}/{series_name(path)}/{path.stem}" for path in paths],
            "split": list(map(split_of, paths)),
            "species": [path.parts[1] for path in paths],
            "series": list(map(series_name, paths)),
            "day": whole_where_all_are(pd.Series(list(map(day_of, paths)))),
            RAW_PATH: list(paths),
        }
    )
    return in_catalog_order(table)


def name_problems(listing: RawListing) -> list[str]:
    """Returns what is wrong with names: one series name in two species, photos that cannot be told apart."""
    train = ((f"{path.parts[2]}/{path.stem}", path) for path in listing.train)
    test = ((path.stem, path) for path in listing.test)
    return [
        *shared_series(listing.train, "train"),
        *shared_series(listing.test, "test"),
        *twins(train, "in one train series"),
        *twins(test, "in the test set, where test_data.csv knows photos by stem alone"),
    ]


def split_of(path: PurePosixPath) -> str:
    """Returns the split of `<split>_dataset/<species>/<folder>/<stem>.<suffix>`."""
    return schema.TEST if path.parts[0] == schema.TEST_FOLDER else schema.TRAIN


def series_name(path: PurePosixPath) -> str:
    """Returns the series of a photo: a train photo's is its folder, a test photo's `<species>_<folder>`."""
    _, species, folder, _ = path.parts
    return f"{species}_{folder}" if split_of(path) == schema.TEST else folder


def jpeg_path(path: PurePosixPath) -> str:
    """Returns where the stored photo lies, relative to images/: as in the raw data, with the suffix .jpg."""
    return f"{path.parent}/{path.stem}.jpg"


def shared_series(paths: Iterable[PurePosixPath], split: str) -> Iterator[str]:
    """Yields what is wrong where two folders make series of one name: folds and pairs know a series by its name."""
    folders: dict[str, PurePosixPath] = {}
    for folder in sorted({path.parent for path in paths}):
        name = series_name(folder / "photo")
        other = folders.setdefault(composed(name), folder)
        if other != folder:
            yield (
                f"{folder}: {other} is {split} series {name!r}, too (species {folder.parts[1]} and {other.parts[1]}). "
                f"Expected one name per series; rename the folder, for example to {folder.parts[1]}_{folder.parts[2]}."
            )


def twins(photos: Iterable[tuple[str, PurePosixPath]], where: str) -> Iterator[str]:
    """Yields what is wrong where two photos have one name, also where they are written in two forms of Unicode."""
    seen: dict[str, PurePosixPath] = {}
    for name, path in photos:
        if (other := seen.setdefault(composed(name), path)) is not path:
            written = "" if other.stem == path.stem else ", one composed and one decomposed"
            yield f"{other} and {path}: two photos with the stem {path.stem!r} {where}{written}. Rename or remove one of them."


def composed(name: str) -> str:
    """Returns a name by which it is compared: macOS writes decomposed letters, everybody else composed ones."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
