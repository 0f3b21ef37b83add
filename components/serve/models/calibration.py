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
    known = sorted({*lines, *(rule.get("species", rule.get("series")) for rule in rules)})
    return days, f"none: {'the run has one for' if species or series else 'say which of'} {', '.join(known)}"


def interval(
    days: float, calibration: dict[str, Any], wider: float = 1.0, *, on_cadence: bool = False
) -> tuple[float, float] | None:
    """Returns between which days an answer lies, as components/calibrate/intervals.py has it; None of an older calibration.

    Args:
        days: that were answered, below 0 where a photo of a series is put before its first.
        calibration: what calibration.json says.
        wider: how many times as wide as was promised, of photos that look like none that was trained on.
        on_cadence: whether the cadence of the photos was known, as it was in calibration; where not, by what it was off without.
    """
    fitted = calibration.get("intervals")
    if not on_cadence:
        fitted = calibration.get("pair_intervals", fitted)
    if not fitted:
        return None
    reach = wider * fitted["width"] * math.hypot(fitted["fixed_days"], fitted["relative"] * days)
    low = days - reach
    return (max(low, 0.0) if days >= 0 else low), days + reach
