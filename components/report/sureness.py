"""Puts into figures how sure the answers are: intervals by series, how often they held, and series of another look."""

import dataclasses
from typing import Any

import pandas as pd

from components.contract import schema


@dataclasses.dataclass(frozen=True)
class SureRow:
    """The test pairs of a series: how many, half the mean interval, the drift, and the share inside where the truth is known."""

    species: str
    series: str
    pairs: int
    reach_days: float
    drift: float
    unusual: bool
    inside: float | None


def sure_rows(intervals: pd.DataFrame, true_days: pd.Series | None) -> list[SureRow]:
    """Returns a row per test series of INTERVALS_COLUMNS, those that look least like trained ones first."""
    table = intervals.assign(reach=(intervals["high_days"] - intervals["low_days"]) / 2)
    if true_days is not None:
        known = true_days.to_numpy("float64")
        table["inside"] = (table["low_days"] <= known) & (known <= table["high_days"])
    return [
        SureRow(
            species=str(rows["species"].iloc[0]),
            series=str(series),
            pairs=len(rows),
            reach_days=float(rows["reach"].mean()),
            drift=float(rows["drift"].iloc[0]),
            unusual=bool(rows["drift"].iloc[0] > schema.UNUSUAL_DRIFT),
            inside=None if true_days is None else float(rows["inside"].mean()),
        )
        for series, rows in sorted(table.groupby("series"), key=lambda group: (-group[1]["drift"].iloc[0], group[0]))
    ]


def sure_lines(calibration: dict[str, Any]) -> list[str]:
    """Returns in sentences what is promised of intervals, what was measured on held-out series, and what a few labels changed."""
    fitted = calibration.get("intervals")
    if not fitted:
        return []
    lines = [f"Intervals promise at least {fitted['coverage']:.0%} of the pairs of a new series that is like the held-out ones."]
    if fitted["held_out_coverage"]:
        shares = ", ".join(f"{share:.0%} of {species}" for species, share in fitted["held_out_coverage"].items())
        lines.append(f"Made without it, a held-out series' intervals held for {shares}.")
    for series, found in calibration.get("few_labels", {}).items():
        times = "label" if found["labels"] == 1 else "labels"
        lines.append(f"By {found['labels']} {times}, the days of {series} are multiplied by {found['factor']:.2f}.")
    return lines
