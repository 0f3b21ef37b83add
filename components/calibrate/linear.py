"""The arithmetic of calibration: ordered factors, and a line fitted for each species.

Legend: P pairs; `days`, `true_days` float64 [P] in days; `species`, `series` text [P].
"""

from typing import Any

import numpy as np
import pandas as pd

FLOOR_DAYS = 1.0  # two test photos are never of one day, and never in reverse


def floor_days(days: np.ndarray) -> np.ndarray:
    """Returns `days` with every value <= 0 made FLOOR_DAYS, as the winner's submission does."""
    return np.where(days <= 0, FLOOR_DAYS, days)


def apply_rules(days: np.ndarray, pairs: pd.DataFrame, rules: list[dict[str, Any]]) -> np.ndarray:
    """Returns `days` times the factor of every rule that matches, in the rules' order, so that factors compound.

    Args:
        days: float64 [P].
        pairs: columns `species` and `series`, P rows.
        rules: each `{"species": NAME, "factor": NUMBER}` or `{"series": NAME, "factor": NUMBER}`.
    """
    days = days.copy()
    for rule in rules:
        days[matches(rule, pairs)] *= rule["factor"]
    return days


def matches(rule: dict[str, Any], pairs: pd.DataFrame) -> np.ndarray:
    """Returns which pairs a rule is for, bool [P]."""
    key = "species" if "species" in rule else "series"
    return (pairs[key] == rule[key]).to_numpy()


def fit_lines(days: np.ndarray, true_days: np.ndarray, pairs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Returns slope and intercept of true over predicted days by least squares, for each species, with what they rest on."""
    from sklearn.linear_model import LinearRegression  # here: it costs a second or two

    lines = {}
    for species, rows in pairs.groupby("species").indices.items():
        fit = LinearRegression().fit(days[rows, None], true_days[rows])
        lines[str(species)] = {
            "slope": float(fit.coef_[0]),
            "intercept": float(fit.intercept_),
            "pairs": len(rows),
            "series": int(pairs["series"].iloc[rows].nunique()),
        }
    return lines


def apply_lines(days: np.ndarray, pairs: pd.DataFrame, lines: dict[str, dict[str, Any]]) -> np.ndarray:
    """Returns slope * days + intercept of each pair's species; species without a line keep their days."""
    days = days.copy()
    for species, line in lines.items():
        rows = (pairs["species"] == species).to_numpy()
        days[rows] = line["slope"] * days[rows] + line["intercept"]
    return days


def apply_held_out_lines(days: np.ndarray, true_days: np.ndarray, pairs: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Returns each pair's days by the line of its species fitted without its series, and the species of one series.

    A line that has seen a series scores too well on it; this is the score of `fit_lines` on series it has not seen. Species
    of one series keep their days: nothing is left to fit on.
    """
    held_out, alone = days.copy(), []
    for species, rows in pairs.groupby("species").indices.items():
        series, _ = pd.factorize(pairs["series"].iloc[rows])
        if series.max() == 0:
            alone.append(str(species))
            continue
        held_out[rows] = leave_one_series_out(days[rows], true_days[rows], series)
    return held_out, alone


def leave_one_series_out(days: np.ndarray, true_days: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Returns each pair's days by the least-squares line of the other series' pairs; by their mean where all have equal days.

    scikit-learn would fit on nearly all pairs anew for each series; here the sums of a series are taken off those of all.

    Args:
        days: float64 [P].
        true_days: float64 [P].
        series: int64 [P], numbers from 0, at least two of them.
    """
    x, y = days - days.mean(), true_days - true_days.mean()  # sums of squares lose digits far from 0
    terms = (np.ones_like(x), x, y, x * x, x * y)
    of_series = np.array([np.bincount(series, term) for term in terms])
    of_all = of_series.sum(axis=1, keepdims=True)
    count, sum_x, sum_y, sum_xx, sum_xy = of_all - of_series
    spread = sum_xx - sum_x**2 / count
    flat = spread <= 1e-12 * of_all[3]
    slope = np.where(flat, 0.0, (sum_xy - sum_x * sum_y / count) / np.where(flat, 1.0, spread))
    intercept = (sum_y - slope * sum_x) / count
    return slope[series] * x + intercept[series] + true_days.mean()
