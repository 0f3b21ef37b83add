"""Predictions of all models enter; the raw and the calibrated submission leave, with the calibration and the scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.linear import apply_held_out_lines, apply_lines, apply_rules, fit_lines, floor_days, matches
from components.calibrate.scores import score_test, score_validation
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, RAW, read_out_of_fold, read_predictions
from components.contract import schema
from components.contract.artifacts import whole_file, write_json, write_record
from components.contract.by_idx import read_order, require_same_idx

Skipped = list[tuple[str, str]]  # what, and why


def calibrate(
    *, catalog: Path, predictions: Sequence[Path], out_of_fold: Sequence[Path], submission: Path, settings: CalibrateSettings
) -> dict[str, Any]:
    """Writes both submissions, calibration.json, metrics.json, out_of_fold_calibrated.csv and, last, stage.json.

    The submission and the out-of-fold pairs are treated alike: the raw days are floored, calibrated, floored again.

    Args:
        catalog: test_data.csv; sample_submission.csv and test_labels.csv where the dataset has them.
        predictions: one folder per model; their mean is the raw prediction.
        out_of_fold: one folder per model, each of another fold.
        submission: the output folder.
        settings: the way to calibrate.

    Returns:
        The stage's record.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: tables that do not fit together, or a prediction that is not finite.
    """
    test, validation = read_predictions(predictions), read_out_of_fold(out_of_fold)
    test = in_order(test, *read_order(catalog))
    floored = {"test_days_floored": int((test[RAW] <= 0).sum()), "out_of_fold_days_floored": int((validation[RAW] <= 0).sum())}
    for table in (test, validation):
        table[RAW] = floor_days(table[RAW].to_numpy())
    calibration, skipped = calibrate_tables(test, validation, settings)
    scores = score_validation(validation) | score_test(test, catalog)
    submission.mkdir(parents=True, exist_ok=True)
    for name, column in ((schema.SUBMISSION_RAW_CSV, RAW), (schema.SUBMISSION_CALIBRATED_CSV, CALIBRATED)):
        write_table(submission / name, test[["idx", column]].set_axis(list(schema.SUBMISSION_COLUMNS), axis=1))
    write_table(submission / schema.OUT_OF_FOLD_CALIBRATED_CSV, validation)
    write_json(submission / schema.CALIBRATION_JSON, calibration)
    write_json(submission / schema.METRICS_JSON, scores)
    counts = {"models": len(predictions), "test_pairs": len(test), "out_of_fold_pairs": len(validation)} | floored
    return write_record(submission, "calibrate", settings, counts, skipped)


def in_order(test: pd.DataFrame, order: pd.Series, source: Path) -> pd.DataFrame:
    """Returns the predictions in the order of `order`, the idx of a submission.

    Raises:
        ValueError: an idx of `source` has no prediction, or a prediction has no idx there.
    """
    require_same_idx(order, test["idx"], source, missing="has no prediction")
    return test.set_index("idx").loc[order.to_numpy()].reset_index()


def calibrate_tables(test: pd.DataFrame, validation: pd.DataFrame, settings: CalibrateSettings) -> tuple[dict[str, Any], Skipped]:
    """Adds `calibrated_days` to both tables; returns what calibration.json says, and what was left as it is."""
    if settings.calibration == "fit":
        calibration, skipped = calibrate_by_fit(test, validation)
    else:
        calibration, skipped = calibrate_by_rules(test, validation, settings.calibration_rules)
    for table in (test, validation):
        table[CALIBRATED] = floor_days(table[CALIBRATED].to_numpy())
    return {"mode": settings.calibration} | calibration, skipped


def calibrate_by_rules(
    test: pd.DataFrame, validation: pd.DataFrame, rules: list[dict[str, Any]]
) -> tuple[dict[str, Any], Skipped]:
    """As `calibrate_tables`, by ordered factors; without rules every factor is 1."""
    for table in (test, validation):
        table[CALIBRATED] = apply_rules(table[RAW].to_numpy(), table, rules)
    return {"rules": rules, "fits": {}, "factors": series_factors(test, rules)}, idle_rules(test, rules)


def series_factors(test: pd.DataFrame, rules: list[dict[str, Any]]) -> dict[str, float]:
    """Returns the product of the rules of each test series."""
    series = test.drop_duplicates("series").sort_values(["species", "series"])
    factors = apply_rules(np.ones(len(series)), series, rules).tolist()
    return dict(zip(series["series"], factors, strict=True))


def idle_rules(test: pd.DataFrame, rules: list[dict[str, Any]]) -> Skipped:
    """Returns the rules that do nothing."""
    idle = [rule for rule in rules if not matches(rule, test).any()]
    return [(json.dumps(rule), "a calibration rule that matches no test pair") for rule in idle]


def calibrate_by_fit(test: pd.DataFrame, validation: pd.DataFrame) -> tuple[dict[str, Any], Skipped]:
    """As `calibrate_tables`, by a line for each species, fitted on all out-of-fold pairs for the test pairs."""
    raw, true_days = validation[RAW].to_numpy(), validation["time_delta_days"].to_numpy(dtype="float64")
    lines = fit_lines(raw, true_days, validation)
    test[CALIBRATED] = apply_lines(test[RAW].to_numpy(), test, lines)
    validation[CALIBRATED], alone = apply_held_out_lines(raw, true_days, validation)
    unknown = sorted(set(test["species"]) - set(lines))
    return (
        {"rules": [], "fits": lines, "factors": {}},
        [(name, "a test species without out-of-fold pairs: its predictions stay raw") for name in unknown]
        + [(name, "a single out-of-fold series: its line cannot be validated, its validation stays raw") for name in alone],
    )


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a CSV, whole, with floats in the fewest digits that read back exactly."""
    with whole_file(path) as partial:
        table.to_csv(partial, index=False)
