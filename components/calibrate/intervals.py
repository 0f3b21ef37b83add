"""Says between which days a pair's answer lies, by how far predictions were off on series that the models had not seen.

Conformal prediction with series as the unit (Lee, Barber and Willett 2023, Distribution-free inference with hierarchical data):
each held-out series weighs the same. Nothing is assumed of the errors' law but that the new series is drawn like the held-out
ones, which is not so of a series that looks like none of them.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED
from components.contract import schema

LEAST_DAYS = 0.0  # no pair is asked about backwards
MOST_LEFT_OUT = 50  # times that intervals are made to tell how often they hold


@dataclasses.dataclass(frozen=True)
class Intervals:
    """A pair's interval is its days, plus and minus `width` times the error that is typical of so many days."""

    coverage: float  # at least, on a new series, whatever the errors' law: n / (n + 1) of what was asked for, n held-out series
    width: float
    fixed_days: float  # the typical error is the root of the squares of this
    relative: float  # and of this times the days

    def around(self, days: np.ndarray, wider: float | np.ndarray = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Returns low and high, [P] and [P], each `wider` times as far away as was promised."""
        reach = wider * self.width * typical_error(days, self.fixed_days, self.relative)
        return np.maximum(days - reach, LEAST_DAYS), days + reach


def fit_intervals(days: np.ndarray, true_days: np.ndarray, series: np.ndarray, coverage: float) -> Intervals:
    """Returns the intervals that hold on new series.

    Args:
        days: calibrated out of fold, each series by what was fitted without it, [P].
        true_days: [P].
        series: of each pair, [P].
        coverage: what is asked for.
    """
    fixed, relative = error_law(days, true_days)
    scores = np.abs(true_days - days) / typical_error(days, fixed, relative)
    _, number, sizes = np.unique(series, return_inverse=True, return_counts=True)
    count = len(sizes)
    order = np.argsort(scores)
    share = np.cumsum(1 / sizes[number[order]]) / count
    place = min(int(np.searchsorted(share, coverage - 1e-12)), len(scores) - 1)
    return Intervals(coverage * count / (count + 1), float(scores[order][place]), fixed, relative)


def error_law(days: np.ndarray, true_days: np.ndarray) -> tuple[float, float]:
    """Returns how the error grows with the days: its part for 0 days, and its part per day, by least squares of squares."""
    squares, error = np.square(days), np.square(true_days - days)
    centred = squares - squares.mean()
    slope = max(0.0, float(centred @ error / max(float(centred @ centred), 1e-12)))
    rest = max(float(error.mean() - slope * squares.mean()), 0.05 * float(error.mean()), 1e-6)
    return float(np.sqrt(rest)), float(np.sqrt(slope))


def typical_error(days: np.ndarray, fixed: float, relative: float) -> np.ndarray:
    """Returns the error that is typical of so many days, [P]."""
    return np.sqrt(fixed**2 + np.square(relative * days))


def held_out_coverage(validation: pd.DataFrame, days: np.ndarray, true_days: np.ndarray, coverage: float) -> dict[str, float]:
    """Returns by species the share of pairs within intervals made without their series; nothing of fewer than 3 series.

    Of more than MOST_LEFT_OUT series several are left out at a time, so that the time grows with the pairs and not with both.
    """
    series = validation["series"].to_numpy()
    names, number = np.unique(series, return_inverse=True)
    if len(names) < 3:
        return {}
    inside = np.zeros(len(days), bool)
    for left_out in np.array_split(np.arange(len(names)), min(len(names), MOST_LEFT_OUT)):
        own = np.isin(number, left_out)
        low, high = fit_intervals(days[~own], true_days[~own], series[~own], coverage).around(days[own])
        inside[own] = (low <= true_days[own]) & (true_days[own] <= high)
    shares = pd.Series(inside).groupby(validation["species"].to_numpy()).mean()
    return {str(species): round(float(share), 3) for species, share in shares.items()}


def intervals_of(validation: pd.DataFrame, settings: CalibrateSettings) -> dict[str, Any]:
    """Returns what calibration.json says of intervals, by the calibrated days of held-out pairs."""
    held_out = validation[CALIBRATED].to_numpy(), validation["time_delta_days"].to_numpy("float64")
    return {
        **vars(fit_intervals(*held_out, validation["series"].to_numpy(), settings.interval_coverage)),
        "held_out_coverage": held_out_coverage(validation, *held_out, settings.interval_coverage),
    }


def intervals_table(test: pd.DataFrame, photos: pd.DataFrame, fitted: dict[str, Any]) -> pd.DataFrame:
    """Returns INTERVALS_COLUMNS of the test pairs; wider where a series looks like nothing that the models were trained on."""
    intervals = Intervals(**{name: fitted[name] for name in ("coverage", "width", "fixed_days", "relative")})
    drifts = test["series"].map(photos.groupby("series")["drift"].mean()).fillna(0.0)
    days, wider = test[CALIBRATED].to_numpy(), np.maximum(drifts.to_numpy() / schema.UNUSUAL_DRIFT, 1)
    low, high = intervals.around(days, wider)
    table = test[["idx", "species", "series"]].assign(time_delta=days, low_days=low, high_days=high, drift=drifts)
    return table[list(schema.INTERVALS_COLUMNS)]
