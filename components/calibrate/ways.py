"""Calibrates days: fits what held-out pairs tell, and applies it to test pairs, those of the same run or of a later one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.cadence import Cadence, apply_cadence, learn_cadence, photo_counts
from components.calibrate.few_labels import apply_few_labels, learn_law
from components.calibrate.intervals import intervals_of
from components.calibrate.linear import apply_held_out_lines, apply_lines, apply_rules, fit_lines, floor_days, matches
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, RAW
from components.contract import schema, verified
from components.contract.naming import names_first
from components.contract.tables.by_idx import read_few_labels
from components.contract.tables.stage_tables import read_images
from components.contract.verdict import TEST, VERDICT, Finding
from components.contract.verified import is_there

TEST_SCORES = "test_"  # how the names of metrics of test pairs begin
Skipped = list[tuple[str, str]]  # what, and why


def fit_calibration(
    validation: pd.DataFrame, photos: pd.DataFrame, catalog: Path, settings: CalibrateSettings
) -> tuple[dict[str, Any], Skipped]:
    """Adds `calibrated_days` to the out-of-fold pairs, each series by what was fitted without it.

    Args:
        validation: the out-of-fold pairs, their raw days floored.
        photos: of theirs, as `read_photos` returns it.
        catalog: images.csv, where the settings have a cadence.

    Returns:
        What calibration.json says of all that was fitted, and what was left as it is.
    """
    raw, true_days = validation[RAW].to_numpy(), validation["time_delta_days"].to_numpy(dtype="float64")
    lines, skipped = dict[str, Any](), Skipped()
    if settings.calibration == "fit":
        lines = fit_lines(raw, true_days, validation)
        days, alone = apply_held_out_lines(raw, true_days, validation)
        skipped = [
            (name, "a single out-of-fold series: its line cannot be validated, its validation stays raw") for name in alone
        ]
    else:
        days = apply_rules(raw, validation, settings.calibration_rules)
    validation[CALIBRATED] = floor_days(days)
    calibration: dict[str, Any] = {
        "mode": settings.calibration,
        "rules": settings.calibration_rules,
        "fits": lines,
        "factors": {},
    }
    if settings.cadence_days:
        images = read_images(catalog).query("split == 'train'")
        cadence = learn_cadence(settings.cadence_days, images)
        calibration["cadence"] = dataclasses.asdict(cadence)
        calibration["pair_intervals"] = intervals_of(validation, settings)  # of who asks about two photos, and has no others
        skipped += apply_cadence(validation, photos, photo_counts(images), cadence)
        validation[CALIBRATED] = floor_days(validation[CALIBRATED].to_numpy())
    calibration["intervals"] = intervals_of(validation, settings)
    calibration["series_law"] = dataclasses.asdict(learn_law(validation))
    return calibration, skipped


def apply_calibration(
    test: pd.DataFrame, photos: pd.DataFrame, catalog: Path, calibration: dict[str, Any]
) -> tuple[dict[str, Any], Skipped]:
    """Adds `calibrated_days` to test pairs, of the run that fitted the calibration or of a later one.

    Args:
        test: the pairs, their raw days floored.
        photos: of theirs, as `read_photos` returns it.
        catalog: images.csv, where there is a cadence; few_labels.csv, where a few true days are known.
        calibration: as `fit_calibration` returns it.

    Returns:
        The calibration with what it does to these series, and what was left as it is.

    Raises:
        ValueError: as `read_few_labels`, `apply_few_labels` and `apply_cadence`.
    """
    raw, lines, rules = test[RAW].to_numpy(), calibration["fits"], calibration["rules"]
    test[CALIBRATED] = floor_days(apply_lines(raw, test, lines) if lines else apply_rules(raw, test, rules))
    idle = [rule for rule in rules if not matches(rule, test).any()]
    skipped = [(json.dumps(rule), "a calibration rule that matches no test pair") for rule in idle]
    if lines:
        unknown = sorted(set(test["species"]) - set(lines))
        skipped += [(name, "a test species without out-of-fold pairs: its predictions stay raw") for name in unknown]
    if "cadence" in calibration:
        images = read_images(catalog).query("split == 'test'")
        skipped += apply_cadence(test, photos, photo_counts(images), Cadence(**calibration["cadence"]))
        test[CALIBRATED] = floor_days(test[CALIBRATED].to_numpy())
    labelled = apply_few_labels(test, read_few_labels(catalog, test["idx"]), calibration.get("series_law"))
    factors = {} if lines else series_factors(test, rules)
    return calibration | {"factors": factors, "few_labels": labelled}, skipped


def series_factors(test: pd.DataFrame, rules: list[dict[str, Any]]) -> dict[str, float]:
    """Returns the product of the rules of each test series."""
    series = test.drop_duplicates("series").sort_values(["species", "series"])
    factors = apply_rules(np.ones(len(series)), series, rules).tolist()
    return dict(zip(series["series"], factors, strict=True))


def read_calibration(calibrated: Path) -> tuple[dict[str, Any], dict[str, float], list[Finding]]:
    """Returns of the folder `calibrated` the calibration, the scores out of fold and what was found there.

    Raises:
        FileNotFoundError: a file is missing.
    """
    calibration, metrics = (read_json(calibrated / name) for name in (schema.CALIBRATION_JSON, schema.METRICS_JSON))
    found = [finding for finding in metrics.pop(VERDICT, []) if finding["about"] != TEST]
    return calibration, {name: value for name, value in metrics.items() if not name.startswith(TEST_SCORES)}, found


@names_first
def read_json(path: Path) -> dict[str, Any]:
    """Returns the content of a file that calibrate wrote.

    Raises:
        FileNotFoundError: no such file.
    """
    if not is_there(path):
        raise FileNotFoundError(f"{path}: missing. Expected the output of calibrate in the run that trained the models.")
    return verified.read_json(path)
