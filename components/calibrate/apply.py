"""Predictions of new photos and an earlier run's calibration enter; the raw and the calibrated submission leave."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.calibrate import idle_rules, in_order, series_factors, write_table
from components.calibrate.linear import apply_lines, apply_rules, floor_days
from components.calibrate.scores import score_test
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, RAW, read_predictions
from components.contract import schema
from components.contract.artifacts import write_json, write_record
from components.contract.by_idx import read_order

TEST_SCORES = "test_"  # how the names of metrics of test pairs begin


def apply_calibration(*, catalog: Path, predictions: Sequence[Path], calibrated: Path, submission: Path) -> dict[str, Any]:
    """Writes what calibrate writes, but nothing is fitted: calibration and out-of-fold pairs are the earlier run's.

    Args:
        catalog: test_data.csv; sample_submission.csv and test_labels.csv where the dataset has them.
        predictions: one folder per model; their mean is the raw prediction.
        calibrated: the folder that calibrate wrote in the run that trained the models.
        submission: the output folder.

    Returns:
        The stage's record, whose settings are the earlier ones.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: tables that do not fit together, or a prediction that is not finite.
    """
    test = in_order(read_predictions(predictions), *read_order(catalog))
    calibration, metrics, earlier = (
        read_json(calibrated / name) for name in (schema.CALIBRATION_JSON, schema.METRICS_JSON, schema.STAGE_RECORD)
    )
    floored = int((test[RAW] <= 0).sum())
    test[RAW] = floor_days(test[RAW].to_numpy())
    test[CALIBRATED] = floor_days(calibrated_days(test, calibration))
    scores = {name: value for name, value in metrics.items() if not name.startswith(TEST_SCORES)} | score_test(test, catalog)
    submission.mkdir(parents=True, exist_ok=True)
    for name, column in ((schema.SUBMISSION_RAW_CSV, RAW), (schema.SUBMISSION_CALIBRATED_CSV, CALIBRATED)):
        write_table(submission / name, test[["idx", column]].set_axis(list(schema.SUBMISSION_COLUMNS), axis=1))
    shutil.copyfile(calibrated / schema.OUT_OF_FOLD_CALIBRATED_CSV, submission / schema.OUT_OF_FOLD_CALIBRATED_CSV)
    write_json(submission / schema.METRICS_JSON, scores)
    if calibration["fits"]:
        unknown = sorted(set(test["species"]) - set(calibration["fits"]))
        skipped = [(name, "a test species that the calibration has no line for: its predictions stay raw") for name in unknown]
    else:
        calibration["factors"] = series_factors(test, calibration["rules"])
        skipped = idle_rules(test, calibration["rules"])
    write_json(submission / schema.CALIBRATION_JSON, calibration)
    counts = {"models": len(predictions), "test_pairs": len(test), "test_days_floored": floored}
    return write_record(submission, "calibrate", CalibrateSettings(**earlier["settings"]), counts, skipped)


def calibrated_days(test: pd.DataFrame, calibration: dict[str, Any]) -> np.ndarray:
    """Returns the calibrated days of each pair, float64 [P], by the lines or the rules of a calibration.json."""
    raw = test[RAW].to_numpy()
    if calibration["fits"]:
        return apply_lines(raw, test, calibration["fits"])
    return apply_rules(raw, test, calibration["rules"])


def read_json(path: Path) -> dict[str, Any]:
    """Returns the content of a file that calibrate wrote.

    Raises:
        FileNotFoundError: no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected the output of calibrate in the run that trained the models.")
    return json.loads(path.read_text(encoding="utf-8"))
