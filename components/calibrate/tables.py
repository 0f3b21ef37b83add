"""The folders of all models enter; checked tables of predictions and of out-of-fold pairs leave."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract import schema

RAW, CALIBRATED = "prediction_days", schema.CALIBRATED_DAYS  # columns of days, before and after calibration
TEXT = dict.fromkeys(("pair_id", "species", "series"), str)


def read_predictions(folders: Sequence[Path]) -> pd.DataFrame:
    """Returns PREDICTIONS_COLUMNS in the first folder's order, `prediction_days` being the mean over the folders.

    Raises:
        FileNotFoundError: a folder has no predictions.csv.
        ValueError: no folder, folders of different pairs, a pair twice, a prediction that is no finite number.
    """
    if not folders:
        raise ValueError("no predictions folder. Expected one per trained fold; set folds to at least one fold.")
    tables = [read_pairs(folder / schema.PREDICTIONS_CSV, schema.PREDICTIONS_COLUMNS) for folder in folders]
    first = tables[0]
    for folder, table in zip(folders, tables, strict=True):
        odd = set(table["pair_id"]) ^ set(first["pair_id"])
        if odd:
            raise ValueError(
                f"{folder / schema.PREDICTIONS_CSV}: {len(odd)} pairs, such as {min(odd)}, are not in both this file and "
                f"{folders[0] / schema.PREDICTIONS_CSV}. Expected the same test pairs from every model; predict all folds anew."
            )
    aligned = [table.set_index("pair_id")["prediction_days"].loc[first["pair_id"]].to_numpy() for table in tables]
    return first[list(schema.PREDICTIONS_COLUMNS)].assign(prediction_days=np.mean(aligned, axis=0))


def read_out_of_fold(folders: Sequence[Path]) -> pd.DataFrame:
    """Returns OUT_OF_FOLD_COLUMNS of all folders, one after the other.

    Raises:
        FileNotFoundError: a folder has no out_of_fold.csv.
        ValueError: no folder, a pair twice, a prediction that is no finite number.
    """
    if not folders:
        raise ValueError("no out_of_fold folder. Expected one per trained fold; set folds to at least one fold.")
    tables = [read_pairs(folder / schema.OUT_OF_FOLD_CSV, schema.OUT_OF_FOLD_COLUMNS) for folder in folders]
    table = pd.concat(tables, ignore_index=True)[list(schema.OUT_OF_FOLD_COLUMNS)]
    if table.empty:
        raise ValueError(f"{folders[0] / schema.OUT_OF_FOLD_CSV}: no pair. Expected the pairs of the fold held out; train again.")
    twice = table["pair_id"][table["pair_id"].duplicated()]
    if len(twice):
        raise ValueError(
            f"out_of_fold pair {twice.iloc[0]} is in two of {', '.join(map(str, folders))}. Expected each fold once; "
            "name no fold twice in folds."
        )
    return table


def read_pairs(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Returns a table of predictions, floats exact.

    Raises:
        FileNotFoundError: no such file.
        ValueError: columns are missing, a pair is there twice, `prediction_days` is not finite somewhere.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected the table that train or predict writes; run those stages first.")
    missing = {"prediction_days": ["", "nan"]}  # and nothing else: a species may be called NA
    table = pd.read_csv(path, dtype=TEXT, keep_default_na=False, na_values=missing)
    if not set(columns) <= set(table.columns):
        raise ValueError(f"{path}: columns {', '.join(table.columns)}. Expected {', '.join(columns)}.")
    twice = table["pair_id"][table["pair_id"].duplicated()]
    if len(twice):
        raise ValueError(f"{path}: pair {twice.iloc[0]} is there twice. Expected each pair once.")
    finite = np.isfinite(pd.to_numeric(table["prediction_days"]).to_numpy(dtype="float64"))
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"{path}: prediction_days of pair {table['pair_id'][row]} is {table['prediction_days'][row]} "
            f"({(~finite).sum()} such pairs). Expected finite days; the training diverged: lower learning_rate or use "
            "mixed_precision=float32."
        )
    return table
