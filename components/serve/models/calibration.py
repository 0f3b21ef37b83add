"""Calibrates the days of one pair as calibrate does a table's: floored, by rules or by the line of its species, floored again."""

import math
from typing import Any

FLOOR_DAYS = 1.0  # as components/calibrate/linear.py has it


def floored(days: float) -> float:
    """Returns days, FLOOR_DAYS for all that are <= 0."""
    return days if days > 0 else FLOOR_DAYS


def calibrated(raw_days: float, calibration: dict[str, Any], species: str, series: str) -> tuple[float, str]:
    """Returns a pair's days, and in words which calibration they are by.

    Args:
        raw_days: the mean over views and models, floored or not.
        calibration: what calibration.json says.
        species, series: of the plant; empty where it is not known.
    """
    days = floored(raw_days)
    lines, rules = calibration["fits"], calibration["rules"]
    if species in lines:
        line = lines[species]
        found = line["slope"] * days + line["intercept"]
        return floored(found), f"{line['slope']:.4g} x days {line['intercept']:+.4g}, the line of {species}"
    applied = [rule for rule in rules if rule.get("species") == species or rule.get("series") == series]
    for rule in applied:
        days *= rule["factor"]
    if applied:
        return floored(days), " x ".join(f"{rule['factor']} for {rule.get('species', rule.get('series'))}" for rule in applied)
    if not lines and not rules:
        return days, "none: the run has no calibration"
    known = known_names(calibration)
    return days, f"none: {'the run has one for' if species or series else 'say which of'} {', '.join(known)}"


def interval(days: float, calibration: dict[str, Any]) -> tuple[float, float] | None:
    """Returns between which days a pair's answer lies, as components/calibrate/intervals.py has it; None of an older calibration.

    Where calibration knew the cadence of a series' photos, of which two photos say nothing, by what it was off without it.
    """
    fitted = calibration.get("pair_intervals", calibration.get("intervals"))
    if not fitted:
        return None
    reach = fitted["width"] * math.hypot(fitted["fixed_days"], fitted["relative"] * days)
    return max(days - reach, 0.0), days + reach


def known_names(calibration: dict[str, Any]) -> list[str]:
    """Returns the species and series that a calibration is for."""
    named = [rule.get("species", rule.get("series")) for rule in calibration["rules"]]
    return sorted({*calibration["fits"], *named})
