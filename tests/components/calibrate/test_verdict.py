"""Which predictions are said to be of a model that learned nothing, and which are not."""

import numpy as np
import pandas as pd
import pytest

from components.calibrate.verdict import CAUSES, judge_test, judge_validation
from components.contract.verdict import in_short, sentences, verdict_headline

TRUE = np.tile(np.arange(1.0, 31.0), 10)  # spread 8.7 days
NOISE = np.random.default_rng(3).normal(0, 1, len(TRUE))
MEAN = 15.5


def validation(days: np.ndarray, calibrated: np.ndarray | None = None, baseline: float = MEAN) -> pd.DataFrame:
    table = pd.DataFrame({"time_delta_days": TRUE[: len(days)], "baseline_days": baseline, "prediction_days": days})
    return table if calibrated is None else table.assign(calibrated_days=calibrated)


@pytest.mark.parametrize(
    ("days", "floored", "expected"),
    [
        (TRUE + NOISE, 0, ""),
        (0.5 * TRUE + 5 + NOISE, 0, ""),  # half of the truth, and yet better than guessing
        (MEAN - 1 + 0.01 * NOISE, 0, "equal predictions, worse than the baseline"),
        (np.full(len(TRUE), MEAN), 0, "equal predictions, worse than the baseline"),  # as good as guessing is not better
        (np.maximum(TRUE, 5), 151, "mostly floored"),
        (np.maximum(TRUE, 5), 150, ""),  # half of them are not most
        (31 - TRUE + NOISE, 0, "negative slope, worse than the baseline"),
        (MEAN + 0.05 * (TRUE - MEAN) + 0.2 * NOISE, 0, "collapsed slope"),
        (TRUE + 9, 0, "worse than the baseline"),
        (np.full(4, MEAN), 4, ""),  # of four pairs nothing can be said
    ],
    ids=["right", "half", "equal", "constant", "floored", "half floored", "backwards", "flat", "off", "few"],
)
def test_what_is_found_out_of_fold(days: np.ndarray, floored: int, expected: str) -> None:
    found = judge_validation(validation(days), floored)
    assert in_short(found) == expected
    assert {finding["about"] for finding in found} <= {"validation"}


def test_figures_are_in_the_sentence_and_a_cause_behind_them() -> None:
    found = judge_validation(validation(31 - TRUE), 0)
    first, second = sentences(found)
    assert first.startswith("validation: where the true days differ by 10, the predictions differ by -10.00. Likely cause: days")
    rmse = np.sqrt(np.mean((31 - 2 * TRUE) ** 2)), np.sqrt(np.mean((TRUE - MEAN) ** 2))
    assert f"RMSE of {rmse[0]:.2f} days, where guessing the mean has {rmse[1]:.2f}." in second
    assert verdict_headline(found) == "The model learned nothing: negative slope, worse than the baseline"


def test_a_calibration_that_spoils_good_predictions_is_told_from_a_bad_model() -> None:
    found = judge_validation(validation(TRUE + NOISE, calibrated=3 * TRUE), 0)
    assert [(finding["about"], finding["what"]) for finding in found] == [("calibration", "calibrated worse than the baseline")]
    assert verdict_headline(found).startswith("The calibration does harm: ")
    assert judge_validation(validation(TRUE + 9, calibrated=TRUE), 0) == []  # which the calibration has mended


def test_test_predictions_are_judged_without_labels_as_far_as_that_goes() -> None:
    flat, backwards = (pd.DataFrame({"prediction_days": days}) for days in (MEAN + 0.01 * NOISE, 31 - TRUE))
    spread, truth = float(np.std(TRUE)), pd.Series(TRUE)
    assert in_short(judge_test(flat, 0, spread, None)) == "equal predictions"
    assert in_short(judge_test(flat, 160, spread, truth)) == "mostly floored, equal predictions"
    assert judge_test(backwards, 0, spread, None) == []
    assert in_short(judge_test(backwards, 0, spread, truth)) == "negative slope"
    assert judge_test(backwards, 0, spread, pd.Series(np.full(len(TRUE), 7.0))) == []  # no slope over equal days
    assert verdict_headline(judge_test(flat, 0, spread, None)).startswith("The model tells nothing of the test photos: ")


def test_every_cause_says_what_to_do() -> None:
    words = ("Lower", "Raise", "check --raw", "Set calibration=none", "raise epochs")
    assert all(any(word in cause for word in words) for cause in CAUSES.values())
