"""Decides whether a model learned nothing, by what it predicts.

Legend: P pairs; all columns float64 [P] in days. Predictions are raw, as floored for the submission, unless said otherwise.
"""

import numpy as np
import pandas as pd

from components.calibrate.tables import CALIBRATED, RAW
from components.contract.scores import rmse_days
from components.contract.verdict import CALIBRATION, TEST, VALIDATION, Finding

ENOUGH_PAIRS = 5  # of fewer, equal predictions or a slope may be chance
EQUAL_SPREAD = 0.01  # of the true days' spread: a network that looks at photos at all spreads more by its noise alone
MOSTLY_FLOORED = 0.5  # more of them floored: a submission that mostly holds the floor in place of predictions
COLLAPSED_SLOPE = 0.1  # guessing the mean has 0, being right has 1; a least-squares fit's slope is the share that it explains

CAUSES = {
    "equal predictions": "the training did not get anywhere, or all photos look alike to the network. Lower learning_rate and "
    "raise epochs; see in the report whether the photos show the plants, and whether the train RMSE falls.",
    "mostly floored": "the training was too short for predictions to reach the size of the true days, or it diverged. Raise "
    "epochs or change learning_rate; see in the report whether the train RMSE falls.",
    "negative slope": "days that belong to other photos, or are counted backwards. See which days are understood: "
    "python pipeline.py check --raw DIR. If they are right, train on more series, or for more epochs.",
    "collapsed slope": "too little training, too few series, or days that belong to other photos. If the report's train RMSE is "
    "as high as the validation's, raise epochs or learning_rate, or start from checkpoint=imagenet; if it is far lower, add "
    "series; check --raw DIR shows which days are understood.",
    "worse than the baseline": "too little training, or validation plants that look or grow unlike the trained ones. Raise "
    "epochs; train other folds; see in the report which series are off.",
    "calibrated worse than the baseline": "calibration_rules made for other plants, or lines fitted on too few series. Set "
    "calibration=none, or correct the rules: python pipeline.py rerun RUN calibrate --downstream --set calibration=none.",
}  # what was found, and what to do about it


def judge_validation(validation: pd.DataFrame, floored: int) -> list[Finding]:
    """Returns what is wrong with the out-of-fold predictions of a model that learned nothing; nothing of one that did.

    Args:
        validation: columns `time_delta_days`, `baseline_days`, RAW and, where there is one, CALIBRATED.
        floored: how many of the predictions were.
    """
    true_days = validation["time_delta_days"].astype("float64")
    found = judge(VALIDATION, validation[RAW], floored, true_days.std(), true_days)
    if len(validation) < ENOUGH_PAIRS:
        return found
    baseline, raw = (rmse_days(validation[name], true_days) for name in ("baseline_days", RAW))
    calibrated = rmse_days(validation[CALIBRATED], true_days) if CALIBRATED in validation else raw
    guess = f"where guessing the mean has {baseline:.2f}."
    if raw >= baseline and calibrated >= baseline:
        found.append(finding(VALIDATION, "worse than the baseline", f"the predictions have an RMSE of {raw:.2f} days, {guess}"))
    elif calibrated >= baseline:
        why = f"the predictions have an RMSE of {raw:.2f} days before calibration and {calibrated:.2f} after it, {guess}"
        found.append(finding(CALIBRATION, "calibrated worse than the baseline", why))
    return found


def judge_test(test: pd.DataFrame, floored: int, spread_days: float, true_days: pd.Series | None) -> list[Finding]:
    """As `judge_validation`, of the test predictions, as far as can be told without a baseline.

    Args:
        test: column RAW.
        floored: how many of the predictions were.
        spread_days: standard deviation of the validation pairs' true days, the yardstick where nobody knows the test pairs'.
        true_days: of the test pairs, in their order, where they are known.
    """
    return judge(TEST, test[RAW], floored, spread_days, true_days)


def judge(about: str, days: pd.Series, floored: int, spread_days: float, true_days: pd.Series | None) -> list[Finding]:
    """Returns what can be told without a baseline: predictions that are equal, mostly floored, or do not rise with the days."""
    found: list[Finding] = []
    if len(days) < ENOUGH_PAIRS:
        return found
    if floored > MOSTLY_FLOORED * len(days):
        why = f"{floored:,} of {len(days):,} predictions were not above 0 days, and became 1."
        found.append(finding(about, "mostly floored", why))
    if days.std(ddof=0) <= EQUAL_SPREAD * spread_days:
        why = f"all {len(days):,} predictions lie between {days.min():.2f} and {days.max():.2f} days."
        found.append(finding(about, "equal predictions", why))
    elif true_days is not None and true_days.nunique() > 1:
        slope = slope_of(days.to_numpy("float64"), true_days.to_numpy("float64"))
        if slope < COLLAPSED_SLOPE:
            why = f"where the true days differ by 10, the predictions differ by {10 * slope:.2f}."
            found.append(finding(about, "negative slope" if slope < 0 else "collapsed slope", why))
    return found


def finding(about: str, what: str, why: str) -> Finding:
    """Returns a finding with its likely cause."""
    return {"about": about, "what": what, "why": why, "cause": CAUSES[what]}


def slope_of(days: np.ndarray, true_days: np.ndarray) -> float:
    """Returns the slope of predicted over true days by least squares; the true days are not all equal."""
    x = true_days - true_days.mean()
    return float(np.dot(x, days) / np.dot(x, x))
