"""Makes the catalog of a listing of raw photos, and refuses names that would be taken for each other."""

from collections.abc import Iterable
from pathlib import PurePosixPath

import pandas as pd

from components.contract import schema
from components.contract.catalog import rows_of
from components.raw.layout import RawListing


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
    return rows_of([*listing.train, *listing.test])


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
