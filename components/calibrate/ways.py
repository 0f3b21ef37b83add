"""The ways to calibrate days: by rules, by lines fitted out of fold, or as an earlier run did."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.linear import apply_held_out_lines, apply_lines, apply_rules, fit_lines, floor_days, matches
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, RAW
from components.contract import schema, verified
from components.contract.naming import names_first
from components.contract.verdict import TEST, VERDICT, Finding
from components.contract.verified import is_there

TEST_SCORES = "test_"  # how the names of metrics of test pairs begin
Skipped = list[tuple[str, str]]  # what, and why


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


def calibrate_as_before(test: pd.DataFrame, calibrated: Path) -> tuple[dict[str, Any], dict[str, float], list[Finding], Skipped]:
    """Adds `calibrated_days` to the test pairs, by the calibration in the folder `calibrated`.

    Returns:
        What calibration.json says, the scores out of fold and what was found there, and what was left as it is.

    Raises:
        FileNotFoundError: a file is missing.
    """
    calibration, metrics = (read_json(calibrated / name) for name in (schema.CALIBRATION_JSON, schema.METRICS_JSON))
    found = [finding for finding in metrics.pop(VERDICT, []) if finding["about"] != TEST]
    scores = {name: value for name, value in metrics.items() if not name.startswith(TEST_SCORES)}
    raw, lines = test[RAW].to_numpy(), calibration["fits"]
    test[CALIBRATED] = floor_days(apply_lines(raw, test, lines) if lines else apply_rules(raw, test, calibration["rules"]))
    if not lines:
        rules = calibration["rules"]
        return calibration | {"factors": series_factors(test, rules)}, scores, found, idle_rules(test, rules)
    unknown = sorted(set(test["species"]) - set(lines))
    why = "a test species that the calibration has no line for: its predictions stay raw"
    return calibration, scores, found, [(name, why) for name in unknown]


@names_first
def read_json(path: Path) -> dict[str, Any]:
    """Returns the content of a file that calibrate wrote.

    Raises:
        FileNotFoundError: no such file.
    """
    if not is_there(path):
        raise FileNotFoundError(f"{path}: missing. Expected the output of calibrate in the run that trained the models.")
    return verified.read_json(path)
