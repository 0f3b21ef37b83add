"""Intervals hold on series that were not seen."""

import numpy as np
import pandas as pd
import pytest

from components.calibrate.intervals import Intervals, error_law, fit_intervals, held_out_coverage


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, true days and series of `count` plants that grow at rates of their own, some with many pairs."""
    rng = np.random.default_rng(seed)
    series = np.repeat(np.arange(count), rng.integers(20, 200, count))
    days = rng.uniform(1, 30, len(series))
    return days, days * rng.normal(1, 0.12, count)[series] + rng.normal(0, 0.6, len(series)), series


def test_of_new_series_as_many_pairs_are_inside_as_is_promised() -> None:
    shares = []
    for seed in range(400):
        days, true_days, series = drawn(21, seed)
        new = series == 20
        intervals = fit_intervals(days[~new], true_days[~new], series[~new], 0.9)
        low, high = intervals.around(days[new])
        shares.append(np.mean((low <= true_days[new]) & (true_days[new] <= high)))
    by_chance = 3 * np.std(shares) / np.sqrt(len(shares))  # a series' pairs err together: most shares are near 0 or 1
    assert intervals.coverage == pytest.approx(0.9 * 20 / 21)
    assert intervals.coverage - by_chance <= np.mean(shares) <= 0.9 + by_chance < 0.95


def test_what_is_promised_whatever_the_errors_depends_on_the_number_of_series() -> None:
    days, true_days, series = drawn(4, 1)
    assert fit_intervals(days, true_days, series, 0.9).coverage == pytest.approx(0.9 * 4 / 5)


def test_each_series_weighs_the_same_however_many_pairs_it_has() -> None:
    series = np.repeat([0, 1], [1000, 10])
    off = np.where(series == 0, 0.1, 5.0)
    days = np.full(1010, 10.0)
    assert fit_intervals(days, days + off, series, 0.6).around(np.array([10.0]))[1][0] == pytest.approx(15.0)
    assert fit_intervals(days, days + off, series, 0.5).around(np.array([10.0]))[1][0] == pytest.approx(10.1)


def test_intervals_are_wider_for_more_days_and_never_below_zero() -> None:
    low, high = Intervals(0.9, 2.0, 3.0, 0.4).around(np.array([0.0, 10.0]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(low, [0.0, 0.0])
    np.testing.assert_allclose(high, [6.0, 10 + 2 * 2 * 5.0])


def test_the_error_law_finds_what_errors_were_drawn_by() -> None:
    rng = np.random.default_rng(0)
    days = rng.uniform(0, 30, 200_000)
    fixed, relative = error_law(days, days + rng.normal(0, np.sqrt(1.5**2 + (0.2 * days) ** 2)))
    assert fixed == pytest.approx(1.5, rel=0.1) and relative == pytest.approx(0.2, rel=0.05)


def test_perfect_predictions_have_intervals_too() -> None:
    days = np.arange(1.0, 11.0)
    low, high = fit_intervals(days, days, np.repeat([0, 1], 5), 0.9).around(days)
    assert (low <= days).all() and (days <= high).all()


def test_coverage_is_told_by_species_where_there_are_series_enough() -> None:
    days, true_days, series = drawn(12, 3)
    table = pd.DataFrame({"species": np.where(series % 2, "BC", "LT"), "series": series.astype(str)})
    found = held_out_coverage(table, days, true_days, 0.9)
    assert set(found) == {"BC", "LT"} and all(0.5 < share <= 1 for share in found.values())
    assert held_out_coverage(table[series < 2], days[series < 2], true_days[series < 2], 0.9) == {}
