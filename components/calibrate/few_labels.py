"""Corrects the series of which a few pairs' true days are known: each by its own factor, shrunk towards 1.

A series' true days are taken to be its factor times its calibrated days, and an error. Factors spread around 1 as those of
held-out series do, and errors are as large as theirs: the factor is then the posterior mean of a normal prior (Bishop 2006,
Pattern Recognition and Machine Learning, 3.3, of one weight). P pairs.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.tables import CALIBRATED, RAW
from components.contract import schema

LEAST_SPREAD = 0.1  # of factors: few held-out series may agree by chance
LEAST_ERROR_DAYS = 0.5  # of a pair: what photos of whole days cannot tell
FACTORS = 1 / 4, 4.0  # a series is not corrected by more


@dataclasses.dataclass(frozen=True)
class SeriesLaw:
    """How series differ from what is predicted of them."""

    spread: float  # of the factors around 1
    error_days: float  # of a pair's days once its series' factor is known

    def factor(self, days: np.ndarray, true_days: np.ndarray) -> float:
        """Returns the factor of a series by its labelled pairs, [P] and [P]."""
        precision, error = 1 / self.spread**2, self.error_days**2
        factor = (precision + float(days @ true_days) / error) / (precision + float(days @ days) / error)
        return float(np.clip(factor, *FACTORS))


def learn_law(validation: pd.DataFrame) -> SeriesLaw:
    """Returns the law of the held-out series: factors by their raw days, as no cadence may have told them; errors by both.

    Args:
        validation: columns series, time_delta_days, RAW and CALIBRATED.
    """
    true_days = validation["time_delta_days"].to_numpy("float64")
    factors, errors = [], []
    for rows in validation.groupby("series").indices.values():
        days, true = validation[RAW].to_numpy()[rows], true_days[rows]
        factors.append(float(days @ true / max(days @ days, 1e-9)))
        errors.append(np.mean(np.square(true - factors[-1] * days)))
    spread = np.sqrt(np.mean(np.square(np.clip(factors, *FACTORS) - 1)))
    return SeriesLaw(max(float(spread), LEAST_SPREAD), max(float(np.sqrt(np.mean(errors))), LEAST_ERROR_DAYS))


def apply_few_labels(test: pd.DataFrame, labels: pd.Series | None, law: Mapping[str, float] | None) -> dict[str, Any]:
    """Multiplies `calibrated_days` of every pair of a series that has labels by its factor.

    Args:
        test: columns idx, series and CALIBRATED, in which the labelled pairs keep what is predicted of them.
        labels: true days by idx, of a few.
        law: of the run that trained the models, as calibration.json keeps it; None where an earlier version kept none.

    Returns:
        By series `factor` and how many `labels` it rests on.

    Raises:
        ValueError: labels without a law.
    """
    if labels is None:
        return {}
    if law is None:
        raise ValueError(
            f"{schema.FEW_LABELS_CSV}: the run's calibration, of an earlier version, does not say how much series differ. "
            "Run it again, which trains nothing: python pipeline.py rerun RUN calibrate --downstream; or remove the file."
        )
    known, found = test["idx"].map(labels), {}
    for series, rows in test.groupby("series"):
        own = known[rows.index].notna()
        if own.any():
            days = rows[CALIBRATED].to_numpy()
            factor = SeriesLaw(**law).factor(days[own], known[rows.index][own].to_numpy("float64"))
            test.loc[rows.index, CALIBRATED] = factor * days
            found[str(series)] = {"factor": factor, "labels": int(own.sum())}
    return found
