"""Scores the raw and the calibrated days, out of fold and on test pairs."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from components.calibrate.tables import CALIBRATED, RAW
from components.contract import schema
from components.contract.scores import rmse_days
from components.contract.verdict import VERDICT, in_short


def score_validation(validation: pd.DataFrame) -> dict[str, float]:
    """Returns the RMSE in days over all out-of-fold pairs: of the train folds' mean, of raw and of calibrated days."""
    columns = {"baseline_rmse_days": "baseline_days", "validation_rmse_days": RAW, "validation_rmse_days_calibrated": CALIBRATED}
    return {name: rmse_days(validation[column], validation["time_delta_days"]) for name, column in columns.items()}


def score_test(test: pd.DataFrame, true_days: pd.Series | None, oracle: pd.Series | None = None) -> dict[str, float]:
    """Returns the RMSE in days of both submissions, and of the sample's oracle, where the true days are known, else nothing."""
    if true_days is None:
        return {}
    columns = {"test_rmse_days_raw": RAW, "test_rmse_days_calibrated": CALIBRATED}
    scores = {name: rmse_days(test[column], true_days) for name, column in columns.items()}
    return scores | ({} if oracle is None else {"test_oracle_rmse_days": rmse_days(oracle, true_days)})


def metadata_of(submission: Path) -> dict[str, Any]:
    """Returns what the artifact `metrics` carries of metrics.json: every number, and in short what is wrong with the model."""
    metrics = json.loads((submission / schema.METRICS_JSON).read_text(encoding="utf-8"))
    found = in_short(metrics.pop(VERDICT, []))
    return {name: value for name, value in metrics.items() if value is not None} | ({VERDICT: found} if found else {})
