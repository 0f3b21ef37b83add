"""Photos that are known to be taken every day, put on their days."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.calibrate.cadence import FEWEST_PHOTOS, Cadence, apply_cadence, learn_cadence, on_cadence

DAILY = Cadence(1.0, 1.0)


@given(st.integers(FEWEST_PHOTOS, 60), st.floats(0.6, 1.7), st.floats(-50, 50), st.randoms(use_true_random=False))
def test_a_plant_that_grows_faster_or_slower_gets_its_days_whatever_the_order(
    count: int, rate: float, start: float, draw: object
) -> None:
    days = np.arange(count, dtype="float64")
    draw.shuffle(days)  # type: ignore[attr-defined]
    found, why = on_cadence(start + rate * days, DAILY, count)
    assert why == ""
    np.testing.assert_allclose(found - found.mean(), days - days.mean(), atol=1e-9 * count)


def test_the_order_mends_a_growth_that_slows_down() -> None:
    days = np.arange(30.0)
    seen = 20 * np.sin(days / 29 * np.pi / 2.2)
    found, _ = on_cadence(seen, DAILY, 30)
    off, was = (np.abs(np.subtract.outer(each, each) - np.subtract.outer(days, days)).max() for each in (found, seen))
    assert off < was / 2


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (np.arange(FEWEST_PHOTOS - 1), "7 photos, fewer than 8"),
        (np.arange(20) * 7.0, "0.14 times"),
        (np.arange(20) * 0.1, "10 times"),
        (np.full(20, 3.0), "inf times"),
        (np.concatenate([np.zeros(10), np.full(10, 20.0)]), "not look evenly taken"),
    ],
)
def test_photos_of_another_cadence_are_left_and_it_is_said_why(dates: np.ndarray, said: str) -> None:
    found, why = on_cadence(dates, DAILY, len(dates))
    assert found is dates and said in why


def test_the_mean_gap_is_that_of_the_train_series() -> None:
    days = [*range(1, 11), *range(1, 18, 2), 18, *range(1, 5)]  # 10 in 10 days, 10 in 18; four are too few to count
    images = pd.DataFrame({"species": "LT", "series": ["a"] * 10 + ["b"] * 10 + ["c"] * 4, "day": pd.array(days, "Int64")})
    assert learn_cadence(1.0, images) == Cadence(1.0, (1.0 + 17 / 9) / 2)
    assert learn_cadence(1.0, images.iloc[20:]) == Cadence(1.0, 1.0)


def test_pairs_of_series_that_cannot_be_put_on_it_keep_their_days() -> None:
    photos = pd.DataFrame(
        {
            "image_id": [f"a{n}" for n in range(10)] + ["b0", "b1"],
            "series": ["a"] * 10 + ["b"] * 2,
            "date_days": [*np.arange(10) * 1.5, 0, 9],
        }
    )
    pairs = pd.DataFrame(
        {"before_image_id": ["a0", "a5", "b0"], "after_image_id": ["a4", "a2", "b1"], "calibrated_days": [6.0, 1.0, 9.0]}
    )
    left = apply_cadence(pairs, photos, {"a": 10, "b": 2}, DAILY)
    np.testing.assert_allclose(pairs["calibrated_days"], [4, -3, 9])
    assert left == [("b", "cadence_days=1 is not believed: 2 photos, fewer than 8")]


def test_models_that_date_no_photos_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cadence_days=1 needs the date of each photo.*head=dates"):
        apply_cadence(pd.DataFrame(), pd.DataFrame({"image_id": ["a"], "series": ["s"]}), {"s": 1}, DAILY)


def test_a_series_of_which_pairs_show_but_a_part_keeps_its_days() -> None:
    photos = pd.DataFrame({"image_id": [f"a{n}" for n in range(10)], "series": "a", "date_days": np.arange(10) * 1.5})
    pairs = pd.DataFrame({"before_image_id": ["a0"], "after_image_id": ["a4"], "calibrated_days": [6.0]})
    left = apply_cadence(pairs, photos, {"a": 21}, DAILY)
    assert pairs["calibrated_days"][0] == 6.0
    assert left == [("a", "cadence_days=1 is not believed: only 10 of its 21 photos are in a pair")]


def test_train_photos_of_another_cadence_are_refused() -> None:
    images = pd.DataFrame({"species": "LT", "series": "a", "day": pd.array(range(1, 31, 3), "Int64")})
    with pytest.raises(ValueError, match="train photos are 3 days apart on average"):
        learn_cadence(1.0, images)


@pytest.mark.parametrize("columns", [["image_id", "series"], ["image_id", "series", "date_days"]])
def test_runs_without_photos_cannot_be_put_on_a_cadence(columns: list[str]) -> None:
    with pytest.raises(ValueError, match="head=dates"):
        apply_cadence(pd.DataFrame(), pd.DataFrame(columns=columns), {}, DAILY)


def test_photos_that_no_pair_has_are_counted_too() -> None:
    days = np.sort(np.random.default_rng(4).choice(40, 30, replace=False)).astype("float64")
    found, why = on_cadence(1.3 * days, DAILY, 40)
    assert why == ""
    assert (found.max() - found.min()) / (days.max() - days.min()) == pytest.approx(1, abs=0.05)
