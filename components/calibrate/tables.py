"""Reads what the models of all folds predicted, as one table of test pairs, one of out-of-fold pairs and one of photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.tables.stage_tables import columns_of, read_table
from components.contract.verified import is_there

RAW, CALIBRATED = "prediction_days", schema.CALIBRATED_DAYS  # columns of days, before and after calibration
DATED = (*schema.PHOTOS_COLUMNS, schema.DATE_DAYS)


def read_predictions(folders: Sequence[Path], more: Sequence[str] = ()) -> pd.DataFrame:
    """Returns PREDICTIONS_COLUMNS and `more` in the first folder's order, `prediction_days` being the mean over the folders.

    Behind them are `lowest_days` and `highest_days` of the folders.

    Raises:
        FileNotFoundError: a folder has no predictions.csv.
        ValueError: no folder, folders of different pairs, a pair twice, a prediction that is no finite number.
    """
    if not folders:
        raise ValueError("no predictions folder. Expected one per trained fold; set folds to at least one fold.")
    tables = [read_table(folder / schema.PREDICTIONS_CSV, (*schema.PREDICTIONS_COLUMNS, *more)) for folder in folders]
    first = tables[0]
    for folder, table in zip(folders, tables, strict=True):
        odd = set(table["pair_id"]) ^ set(first["pair_id"])
        if odd:
            raise ValueError(
                f"{folder / schema.PREDICTIONS_CSV}: {len(odd)} pairs, such as {min(odd)}, are not in both this file and "
                f"{folders[0] / schema.PREDICTIONS_CSV}. Expected the same test pairs from every model; predict all folds anew."
            )
    aligned = np.stack([table.set_index("pair_id")["prediction_days"].loc[first["pair_id"]].to_numpy() for table in tables])
    return first.assign(prediction_days=aligned.mean(axis=0), lowest_days=aligned.min(axis=0), highest_days=aligned.max(axis=0))


def read_out_of_fold(folders: Sequence[Path], more: Sequence[str] = ()) -> pd.DataFrame:
    """Returns OUT_OF_FOLD_COLUMNS and `more` of all folders, one after the other.

    Raises:
        FileNotFoundError: a folder has no out_of_fold.csv.
        ValueError: no folder, a pair twice, a prediction that is no finite number.
    """
    if not folders:
        raise ValueError("no out_of_fold folder. Expected one per trained fold; set folds to at least one fold.")
    tables = [read_table(folder / schema.OUT_OF_FOLD_CSV, (*schema.OUT_OF_FOLD_COLUMNS, *more)) for folder in folders]
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise ValueError(f"{folders[0] / schema.OUT_OF_FOLD_CSV}: no pair. Expected the pairs of the fold held out; train again.")
    twice = table["pair_id"][table["pair_id"].duplicated()]
    if len(twice):
        raise ValueError(
            f"out_of_fold pair {twice.iloc[0]} is in two of {', '.join(map(str, folders))}. Expected each fold once; "
            "name no fold twice in folds."
        )
    return table


def read_photos(folders: Sequence[Path]) -> pd.DataFrame:
    """Returns PHOTOS_COLUMNS, and DATE_DAYS where all models date photos, a row per photo: the mean over the models.

    A model's dates are from nowhere in particular, so that only what is apart in a series is averaged. The table is empty where
    no folder, of predictions or out of fold, has one, as those of earlier versions.
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
