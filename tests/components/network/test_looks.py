"""How a series looks, and how far that is from others."""

import numpy as np
import pandas as pd
import pytest

from components.network.looks import COLOURS, drift, photo_table, series_looks


def photos(colours: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array([np.full((4, 4, 3), colour) for colour in colours], np.uint8)


def test_a_look_is_the_roots_of_the_shares_of_the_colours_of_all_photos_of_a_series() -> None:
    looks = series_looks(photos([(0, 0, 0), (255, 255, 255), (40, 0, 31), (0, 0, 0)]), ["a", "a", "b", "b"])
    assert looks["a"].shape == (COLOURS,) and looks["a"].dtype == "float32"
    assert np.flatnonzero(looks["a"]).tolist() == [0, COLOURS - 1]  # black and white, of 8 levels each
    assert np.flatnonzero(looks["b"]).tolist() == [0, 64]  # 40 is the second level of red, 31 still the first of blue
    assert np.square(looks["a"]).sum() == pytest.approx(1)


def test_drift_is_1_where_a_series_is_as_far_from_the_nearest_as_they_are_from_each_other() -> None:
    def mixed(share: float) -> np.ndarray:  # Hellinger's distance of two such is 2 sin of half the angle between them
        look = np.zeros(COLOURS, np.float32)
        look[:2] = np.cos(share), np.sin(share)
        return look

    known = np.stack([mixed(0.0), mixed(0.1), mixed(0.2)])
    assert drift(mixed(0.3), known) == pytest.approx(1, rel=1e-3)
    assert drift(mixed(0.5), known) == pytest.approx(np.sin(0.15) / np.sin(0.05), rel=1e-3)
    assert drift(mixed(0.1), known) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("known", [np.eye(COLOURS, dtype=np.float32)[:1], np.eye(COLOURS, dtype=np.float32)[[0, 0, 0]]])
def test_of_one_train_series_or_of_equal_ones_nothing_is_said(known: np.ndarray) -> None:
    assert drift(np.eye(COLOURS, dtype=np.float32)[5], known) == 0


def test_a_held_out_series_is_compared_with_all_others() -> None:
    looks = series_looks(photos([(0, 0, 0), (0, 0, 40), (0, 40, 0), (250, 250, 250)]), ["a", "b", "c", "d"])
    mixed = {name: (look + 3 * looks["a"]) / np.linalg.norm(look + 3 * looks["a"]) for name, look in looks.items() if name != "d"}
    table = pd.DataFrame({"image_id": ["x", "y", "z"], "species": "LT", "series": ["d", "b", "d"]})
    found = photo_table(table, np.array([1.0, 2.0, 3.0]), {**mixed, "d": looks["d"]})
    assert list(found) == ["image_id", "species", "series", "drift", "date_days"]
    assert found["drift"][0] == found["drift"][2] > 2 > found["drift"][1] > 0
    assert "date_days" not in photo_table(table, None, {**mixed, "d": looks["d"]})
