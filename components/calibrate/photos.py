"""Reads what the models say of single photos: the date of each, and how much its series looks like those trained on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from components.contract import schema
from components.contract.tables.stage_tables import columns_of, read_table
from components.contract.verified import is_there

DATED = (*schema.PHOTOS_COLUMNS, schema.DATE_DAYS)


def read_photos(folders: Sequence[Path]) -> pd.DataFrame:
    """Returns PHOTOS_COLUMNS, and DATE_DAYS where all models date photos, a row per photo: the mean over the models.

    A model's dates are from nowhere in particular, so that only what is apart in a series is averaged. The table is empty where
    no folder has one, as those of earlier versions.

    Args:
        folders: of predictions, or out of fold.
    """
    paths = [folder / schema.PHOTOS_CSV for folder in folders if is_there(folder / schema.PHOTOS_CSV)]
    if not paths:
        return pd.DataFrame(columns=list(DATED))
    dated = len(paths) == len(folders) and all(schema.DATE_DAYS in columns_of(path) for path in paths)
    tables = [read_table(path, DATED if dated else schema.PHOTOS_COLUMNS) for path in paths]
    if dated:
        for table in tables:
            table[schema.DATE_DAYS] -= table.groupby("series")[schema.DATE_DAYS].transform("mean")
    return pd.concat(tables).groupby(list(schema.PHOTOS_COLUMNS[:3]), as_index=False, sort=True).mean()
