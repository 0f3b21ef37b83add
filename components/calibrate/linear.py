"""The arithmetic of calibration: ordered factors, and a line fitted for each species.

Legend: P pairs; `days`, `true_days` float64 [P] in days; `species`, `series` text [P].
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

CHANCE = 0.01  # that days which need no slope get one all the same, of any species
MOST_SLOPE = 4.0  # of a series whose predictions mean nothing the slope could be anything
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
    """Returns the line of true over predicted days for each species, with what it rests on: shrunk towards leaving days alone.

    Each series has its own slope, through the origin, since no days are no days. A species' slope is the mean of its series',
    in logarithms, and how far series of a species differ says how sure that mean is. It is shrunk as James and Stein have it
    (the positive part), but to nothing wherever Student's t test would not tell it from a slope of 1 at CHANCE, of which each
    species has an equal share (Bonferroni). One series says nothing. Slopes are never negative.
    """
    slopes = series_slopes(days, true_days, pairs)
    num_species = slopes["species"].nunique()
    freedom = len(slopes) - num_species
    centred = slopes["log_slope"] - slopes.groupby("species")["log_slope"].transform("mean")
    spread = float(np.square(centred).sum()) / freedom if freedom > 0 else np.inf
    counts = pairs.groupby("species").size()
    strict = float(stdtrit(freedom, 1 - CHANCE / num_species / 2)) ** 2 if freedom > 0 else np.inf
    lines = {}
    for species, rows in slopes.groupby("species"):
        mean, doubt = float(rows["log_slope"].mean()), strict * spread / len(rows)
        kept = max(0.0, 1 - doubt / mean**2) if mean and len(rows) > 1 else 0.0
        lines[str(species)] = {
            "slope": float(np.exp(kept * mean)),
            "intercept": 0.0,
            "pairs": int(counts[species]),
            "series": len(rows),
        }
    return lines


def series_slopes(days: np.ndarray, true_days: np.ndarray, pairs: pd.DataFrame) -> pd.DataFrame:
    """Returns species, series and log_slope of every series: of the least-squares line through the origin, within MOST_SLOPE."""
    sums = pd.DataFrame({"up": days * true_days, "across": days * days}).groupby(
        [pairs["species"].to_numpy(), pairs["series"].to_numpy()]
    ).sum()  # fmt: skip
    slope = (sums["up"] / sums["across"].where(sums["across"] > 0)).fillna(1.0).clip(1 / MOST_SLOPE, MOST_SLOPE)
    return slope.map(np.log).rename("log_slope").rename_axis(["species", "series"]).reset_index()


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
    held_out = days.copy()
    for rows in pairs.groupby(["species", "series"]).indices.values():
        species = pairs["species"].iloc[rows[0]]
        others = np.delete(np.arange(len(days)), rows)
        lines = fit_lines(days[others], true_days[others], pairs.iloc[others])
        held_out[rows] = lines.get(str(species), {"slope": 1.0})["slope"] * days[rows]
    alone = pairs.groupby("species")["series"].nunique()
    return held_out, [str(species) for species in alone.index[alone == 1]]
