"""Scores the pairs of a run by split, species and true days, and sums the scores up in sentences.

Every RMSE is in days, over pairs, each pair counted once.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.scores import rmse_days
from components.contract.verdict import Finding, verdict_headline

DELTA_EDGES = (0, 3, 7, 14, 21, 28)  # days; a bin ends with its edge, the last one is open


@dataclasses.dataclass(frozen=True)
class Score:
    """RMSE of one group of pairs: of guessing the train mean, of the raw and of the calibrated predictions."""

    group: str
    pairs: int
    baseline: float
    raw: float
    calibrated: float
    bias: float
    """Mean of calibrated minus true days; above zero, the model says too long a time."""


@dataclasses.dataclass(frozen=True)
class ScoreTable:
    """The scores of one split: over all pairs, by species and by bins of the true delta."""

    title: str
    note: str
    overall: Score
    by_species: list[Score]
    by_delta: list[Score]


def score(group: str, pairs: pd.DataFrame) -> Score:
    """Scores `pairs`, of which there is at least one."""
    true = pairs["true_days"]
    return Score(
        group=group,
        pairs=len(pairs),
        baseline=rmse_days(pairs["baseline_days"], true),
        raw=rmse_days(pairs["raw_days"], true),
        calibrated=rmse_days(pairs["calibrated_days"], true),
        bias=float((pairs["calibrated_days"] - true).mean()),
    )


def score_table(title: str, note: str, pairs: pd.DataFrame) -> ScoreTable:
    """Scores `pairs` over all, by species and by true delta; groups without a pair are left out."""
    return ScoreTable(
        title=title,
        note=note,
        overall=score("All pairs", pairs),
        by_species=score_by(pairs, "species"),
        by_delta=[score(name, group) for name, group in by_delta(pairs)],
    )


def score_by(pairs: pd.DataFrame, column: str) -> list[Score]:
    """Scores `pairs` by the values of `column`, in their order."""
    return [score(str(value), group) for value, group in pairs.groupby(column, sort=True)]


def by_delta(pairs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Divides `pairs` by bins of the true delta; returns (name, pairs) of those that are not empty."""
    days = pairs["true_days"]
    whole = bool((days % 1 == 0).all())
    bins = [("below 0 days", days < 0), ("same day", days == 0)]
    for low, high in itertools.pairwise(DELTA_EDGES):
        bins.append((f"{low + 1} to {high} days" if whole else f"over {low} to {high} days", (days > low) & (days <= high)))
    bins.append((f"over {DELTA_EDGES[-1]} days", days > DELTA_EDGES[-1]))
    return [(name, pairs[inside]) for name, inside in bins if inside.any()]


def headline_scores(validation: Score, test: Score | None) -> dict[str, float]:
    """Returns the scores over all pairs by the names of schema.HEADLINE_METRICS; those of the test where there are any."""
    values = [validation.baseline, validation.raw, validation.calibrated, *([test.raw, test.calibrated] if test else [])]
    return dict(zip(schema.HEADLINE_METRICS, values, strict=False))


def detailed_scores(tables: Sequence[ScoreTable]) -> dict[str, float]:
    """Returns what the headline leaves out: of each table the bias, and the calibrated RMSE by species, in days."""
    found = {}
    for table in tables:
        split = table.title.lower()
        found[f"{split}_bias_days"] = table.overall.bias
        found |= {f"{split}_rmse_days_calibrated_{score.group}": score.calibrated for score in table.by_species}
    return found


def verdict(validation: Score, test: Score | None, findings: Sequence[Finding] = ()) -> str:
    """Says in a few plain sentences how good the calibrated model is; of one that learned nothing, that first."""
    ratio = validation.baseline / validation.calibrated if validation.calibrated else np.inf
    if ratio > 1:
        close = "exactly right" if np.isinf(ratio) else f"off by {validation.calibrated:.1f} days"
        text = (
            f"On plants it never trained on, the model is {close}, where guessing the mean is off by {validation.baseline:.1f}."
        )
    else:
        text = (
            f"The model is off by {validation.calibrated:.1f} days on plants it never trained on: "
            f"no better than guessing the mean, which is off by {validation.baseline:.1f}."
        )
    if test is not None:
        text += f" On the test pairs it is off by {test.calibrated:.1f}."
    return f"{verdict_headline(findings)}. {text}" if findings else text


def fold_note(folds: Sequence[int], num_folds: int, pairs: int, series: int) -> str:
    """Says what the validation figures are measured on."""
    which = f"fold {folds[0]}" if len(folds) == 1 else f"folds {', '.join(map(str, sorted(folds)))}"
    return f"Out of fold: {pairs:,} pairs of {series} series, {which} of {num_folds}."
