"""Divides the train pairs into folds that share no series, in the winner's shuffled order."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.artifacts import atomic_write, write_record
from components.contract.tables.pair_csv import write_pairs
from components.contract.tables.stage_tables import read_table
from components.split_folds.settings import SplitFoldsSettings


def split_folds(*, pairs: Path, folded_pairs: Path, settings: SplitFoldsSettings) -> dict[str, Any]:
    """Writes train_pairs.csv with the column `fold` and, last, stage.json into `folded_pairs`; returns the record.

    Raises:
        FileNotFoundError: no train_pairs.csv.
        ValueError: fewer series than folds; as `read_table`.
    """
    table = read_table(pairs / schema.TRAIN_PAIRS_CSV, schema.TRAIN_PAIRS_COLUMNS, repeated=schema.REPEATED)
    table["fold"] = assign_folds(table["series"].astype(str), settings.num_folds)
    refuse_leak(table)
    shuffled = table["fold"].sample(frac=1.0, random_state=settings.shuffle_seed).index.to_numpy()
    folded_pairs.mkdir(parents=True, exist_ok=True)
    with atomic_write(folded_pairs / schema.TRAIN_PAIRS_CSV) as path:
        write_pairs(path, table[list(schema.FOLDED_PAIRS_COLUMNS)], shuffled)
    return write_record(folded_pairs, "split_folds", settings, count_folds(table), [])


def assign_folds(series: pd.Series, num_folds: int) -> np.ndarray:
    """Returns the fold of each pair, int64 [P]: scikit-learn's GroupKFold, group = series. Raises ValueError: too few series.

    Pairs of one series share photos, so a series in two folds would let the model see what it is validated on.
    """
    if series.nunique() < num_folds:
        raise ValueError(
            f"{series.nunique()} train series with pairs and num_folds={num_folds}: a fold would be empty. "
            f"Set num_folds to at most {series.nunique()} (and at least 2), or add series."
        )
    from sklearn.model_selection import GroupKFold  # here: it costs a second or two

    groups, _ = pd.factorize(series, sort=True)  # scikit-learn sorts the groups, and sorts a million numbers faster than texts
    folds = np.full(len(series), -1, dtype="int64")
    for fold, (_, validation) in enumerate(GroupKFold(num_folds).split(folds, groups=groups)):
        folds[validation] = fold
    return folds


def refuse_leak(table: pd.DataFrame) -> None:
    """Raises ValueError where a series, or a photo, is in two folds; `table` has `fold`, and names as categories."""
    folds = table["fold"].to_numpy()
    for name, columns in (("series", ["series"]), ("photo", [*schema.PHOTO_IDS])):
        said = [table[column].cat for column in columns]
        codes, names = pd.factorize(pd.concat([pd.Series(each.categories, dtype=str) for each in said]))
        parts = np.split(codes.astype("int32"), [len(said[0].categories)])
        rows = [part[each.codes] for part, each in zip(parts, said, strict=False)]  # the second is empty of a single column
        fold_of = np.empty(len(names), dtype="int64")
        for each in rows:
            fold_of[each] = folds
        if any((fold_of[each] != folds).any() for each in rows):
            leaked = pd.Series(np.tile(folds, len(rows))).groupby(names[np.concatenate(rows)]).nunique()
            raise ValueError(
                f"{name} {leaked.idxmax()} is in {leaked.max()} folds, so validation would see what was trained on. "
                f"Expected each {name} in one fold; correct the pairs: a photo belongs to one series."
            )


def count_folds(table: pd.DataFrame) -> dict[str, int]:
    """Returns pairs and series, in all and by fold."""
    counts = {"pairs": len(table), "series": table["series"].nunique()}
    for fold, part in table.groupby("fold"):
        counts |= {f"fold_{fold}_pairs": len(part), f"fold_{fold}_series": part["series"].nunique()}
    return counts
