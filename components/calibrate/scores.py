"""Pairs with raw and calibrated days enter; root mean squared errors in days leave."""

from pathlib import Path

import numpy as np
import pandas as pd

from components import schema
from components.calibrate.tables import CALIBRATED, RAW, read_idx_table


def score_validation(validation: pd.DataFrame) -> dict[str, float]:
    """Returns the RMSE in days over all out-of-fold pairs: of the train folds' mean, of raw and of calibrated days."""
    columns = {"baseline_rmse_days": "baseline_days", "validation_rmse_days": RAW, "validation_rmse_days_calibrated": CALIBRATED}
    return {name: rmse_days(validation[column], validation["time_delta_days"]) for name, column in columns.items()}


def score_test(test: pd.DataFrame, catalog: Path) -> dict[str, float]:
    """Returns the RMSE in days of both submissions where the dataset has test_labels.csv, else nothing.

    Raises:
        ValueError: a test pair has no label, or one that is no finite number.
    """
    path = catalog / schema.TEST_LABELS_CSV
    if not path.is_file():
        return {}
    labels = read_idx_table(path).set_index("idx")["time_delta"]
    true_days = pd.to_numeric(labels, errors="coerce").reindex(test["idx"])
    unknown = true_days.index[~np.isfinite(true_days)]
    if len(unknown):
        raise ValueError(
            f"{path}: idx {unknown[0]} has no days ({len(unknown)} such test pairs). Expected a row idx,time_delta for each "
            f"row of {schema.TEST_DATA_CSV}; complete the file, or remove it to go without a test score."
        )
    columns = {"test_rmse_days_raw": RAW, "test_rmse_days_calibrated": CALIBRATED}
    return {name: rmse_days(test[column], true_days) for name, column in columns.items()}


def rmse_days(days: pd.Series, true_days: pd.Series) -> float:
    """Returns the root mean squared error of two columns of equal length, row by row."""
    return float(np.sqrt(np.mean((days.to_numpy() - true_days.to_numpy()) ** 2)))
