"""A series' factor by a few labels, against scikit-learn's ridge regression, which is the same posterior mean."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from components.calibrate.few_labels import FACTORS, SeriesLaw, apply_few_labels, learn_law


@given(
    true_factor=st.floats(0.5, 2.0),
    days=st.lists(st.floats(1, 60), min_size=1, max_size=6),
    spread=st.floats(0.1, 0.5),
    error_days=st.floats(0.5, 3),
    seed=st.integers(0, 99),
)
def test_the_factor_is_that_of_ridge_regression_around_one(
    true_factor: float, days: list[float], spread: float, error_days: float, seed: int
) -> None:
    predicted = np.array(days)
    true = true_factor * predicted + np.random.default_rng(seed).normal(0, 0.3, len(days))
    ridge = Ridge(alpha=(error_days / spread) ** 2, fit_intercept=False).fit(predicted[:, None], true - predicted)
    expected = np.clip(1 + ridge.coef_[0], *FACTORS)
    assert SeriesLaw(spread, error_days).factor(predicted, true) == pytest.approx(expected)


def test_more_labels_and_longer_ones_are_believed_more() -> None:
    law = SeriesLaw(spread=0.15, error_days=1.5)
    short, long = law.factor(np.array([2.0]), np.array([1.2])), law.factor(np.array([30.0]), np.array([18.0]))
    several = law.factor(np.full(5, 30.0), np.full(5, 18.0))
    assert 0.97 < short < 1
    assert 0.6 < several < long < 0.7


def test_labels_of_a_plant_that_did_not_grow_change_its_days_only_so_far() -> None:
    assert SeriesLaw(0.2, 0.5).factor(np.full(9, 20.0), np.full(9, 0.1)) == FACTORS[0]


def held_out(factors: list[float], error_days: float) -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = [
        (f"s{number}", true, true / factor + random.normal(0, error_days), 99.0)
        for number, factor in enumerate(factors)
        for true in range(1, 30)
    ]
    return pd.DataFrame(rows, columns=["series", "time_delta_days", "prediction_days", "calibrated_days"])


def test_the_law_is_that_of_the_held_out_series_raw_days() -> None:
    law = learn_law(held_out([0.7, 0.9, 1.0, 1.1, 1.4], error_days=1.2))
    assert law.spread == pytest.approx(np.sqrt(np.mean(np.square([0.3, 0.1, 0.0, 0.1, 0.4]))), rel=0.1)
    assert law.error_days == pytest.approx(1.2, rel=0.15)


def test_held_out_series_that_all_agree_do_not_make_labels_worthless() -> None:
    law = learn_law(held_out([1.0, 1.0], error_days=0.0))
    assert (law.spread, law.error_days) == (0.1, 0.5)


def test_a_labelled_series_is_multiplied_and_the_others_keep_their_days() -> None:
    test = pd.DataFrame({"idx": [7, 8, 9, 3], "series": ["a", "a", "b", "a"], "calibrated_days": [10.0, 20.0, 5.0, 30.0]})
    found = apply_few_labels(test, pd.Series([12.0, 40.0], index=[8, 3]), {"spread": 0.3, "error_days": 1.0})
    expected = (1 / 0.09 + 20 * 12 + 30 * 40) / (1 / 0.09 + 20 * 20 + 30 * 30)
    assert found == {"a": {"factor": pytest.approx(expected), "labels": 2}}
    np.testing.assert_allclose(test["calibrated_days"], [10 * expected, 20 * expected, 5.0, 30 * expected])


def test_no_labels_change_nothing() -> None:
    test = pd.DataFrame({"idx": [7], "series": ["a"], "calibrated_days": [10.0]})
    assert apply_few_labels(test, None, None) == {}
    assert list(test["calibrated_days"]) == [10.0]
