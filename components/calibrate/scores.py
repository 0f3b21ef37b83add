"""Scores the raw and the calibrated days, out of fold and on test pairs."""

from pathlib import Path

import pandas as pd

from components.calibrate.tables import CALIBRATED, RAW
from components.contract.by_idx import read_labels
from components.contract.scores import rmse_days


def score_validation(validation: pd.DataFrame) -> dict[str, float]:
    """Returns the RMSE in days over all out-of-fold pairs: of the train folds' mean, of raw and of calibrated days."""
    columns = {"baseline_rmse_days": "baseline_days", "validation_rmse_days": RAW, "validation_rmse_days_calibrated": CALIBRATED}
    return {name: rmse_days(validation[column], validation["time_delta_days"]) for name, column in columns.items()}


def score_test(test: pd.DataFrame, catalog: Path) -> dict[str, float]:
    """Returns the RMSE in days of both submissions where the dataset has test_labels.csv, else nothing.

    Raises:
        ValueError: as `read_labels`.
    """
    true_days = read_labels(catalog, test["idx"])
    if true_days is None:
        return {}
    columns = {"test_rmse_days_raw": RAW, "test_rmse_days_calibrated": CALIBRATED}
    return {name: rmse_days(test[column], true_days) for name, column in columns.items()}
