"""Reads what people say of each test pair: its place in a submission, and its true days.

generate_pairs looks at them first, so that nothing trains for hours before a row of theirs is found to be wrong.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.tables.user_tables import hint_of, read_test_data, read_user_table
from components.contract.verified import is_there


def read_order(catalog: Path) -> tuple[pd.Series, Path]:
    """Returns `idx` in the order of a submission, and the file it is from: sample_submission.csv, else test_data.csv.

    Raises:
        ValueError: as `read_user_table`, or sample_submission.csv has not the idx of test_data.csv.
    """
    of_pairs, path = read_test_data(catalog)["idx"], catalog / schema.SAMPLE_SUBMISSION_CSV
    if not is_there(path):
        return of_pairs, catalog / schema.TEST_DATA_CSV
    order = read_user_table(path, schema.SUBMISSION_COLUMNS)["idx"]
    require_same_idx(order, of_pairs, path, missing=f"is not in {schema.TEST_DATA_CSV}")
    return order, path


def require_same_idx(order: pd.Series, others: pd.Series, path: Path, *, missing: str) -> None:
    """Raises ValueError where the file at `path` has not the idx of another table; `missing` is said of one that others lack."""
    here, there = set(order), set(others)
    for odd, what in ((here - there, missing), (there - here, "is not in the file")):
        if odd:
            raise ValueError(
                f"{path}: idx {min(odd)} {what} ({len(odd)} such). Expected the same idx as in {schema.TEST_DATA_CSV}; "
                "correct the file and run again from resize_images."
            )


def read_labels(catalog: Path, idx: pd.Series, name: str = schema.TEST_LABELS_CSV) -> pd.Series | None:
    """Returns the true days of test pairs, float64 in the order of `idx`, or None where the catalog has no such table.

    Raises:
        ValueError: as `read_user_table`, or a test pair has no label, or one that is no finite number. Other rows do not matter.
    """
    path = catalog / name
    if not is_there(path):
        return None
    labels = read_user_table(path, schema.SUBMISSION_COLUMNS).set_index("idx")["time_delta"]
    days = pd.to_numeric(labels, errors="coerce").reindex(idx).astype("float64")
    unknown = days.index[~np.isfinite(days)]
    if len(unknown) and isinstance(found := labels.get(unknown[0]), str) and (hint := hint_of(found)):
        raise ValueError(
            f"{path}: idx {unknown[0]}: time_delta={found!r}{hint}. Expected a number of days, such as 3.5; correct it."
        )
    if len(unknown):
        raise ValueError(
            f"{path}: idx {unknown[0]} has no days ({len(unknown)} such test pairs). Expected a row idx,time_delta for each "
            f"row of {schema.TEST_DATA_CSV}; complete the file, or remove it to go without a test score."
        )
    return days.reset_index(drop=True)


def read_few_labels(catalog: Path, idx: pd.Series) -> pd.Series | None:
    """Returns the true days of a few test pairs, float64 by idx, or None where the catalog has no such table.

    A row without days is as good as none, so that a copy of test_data.csv can be filled in here and there.

    Raises:
        ValueError: as `read_user_table`, or an idx that is no test pair's, or days that are no number above 0.
    """
    path = catalog / schema.FEW_LABELS_CSV
    if not is_there(path):
        return None
    table = read_user_table(path, schema.SUBMISSION_COLUMNS)
    table = table[table["time_delta"].str.strip() != ""]
    if odd := set(table["idx"]) - set(idx):
        raise ValueError(
            f"{path}: idx {min(odd)} is not in {schema.TEST_DATA_CSV} ({len(odd)} such). Expected rows idx,time_delta of test "
            "pairs; correct them."
        )
    days = pd.to_numeric(table["time_delta"], errors="coerce")
    wrong = table[~(np.isfinite(days) & (days > 0))]
    if len(wrong):
        cell = wrong["time_delta"].iloc[0]
        raise ValueError(
            f"{path}: idx {wrong['idx'].iloc[0]}: time_delta={cell!r}{hint_of(cell)}. Expected a number of days above 0, such as "
            "3.5, or nothing where it is not known; correct it."
        )
    return pd.Series(days.to_numpy("float64"), index=table["idx"].to_numpy())
