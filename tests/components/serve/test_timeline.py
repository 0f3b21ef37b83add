"""A series of a plant: dates and their differences, a cadence as calibrate has it, looks as predict has them."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from served_model import RULES, TINY, photo, write_model

from components.calibrate.cadence import Cadence, put_on_cadence
from components.contract import schema
from components.network.looks import drift, series_looks
from components.serve.models.bundle import Bundle, read_bundle, write_bundle
from components.serve.models.predictor import Photo, Predictor
from components.serve.timeline import ENOUGH_PHOTOS, time_line

PHOTOS = 9
NAMES = [f"day {number}" for number in range(PHOTOS)]
PLAIN = {"mode": "none", "rules": [], "fits": {}}
DATED = dataclasses.replace(TINY, head="dates")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Two models whose heads date photos, and the looks of three series that each was trained on."""
    folder = tmp_path_factory.mktemp("models")
    paths, looks = [], []
    for seed in range(2):
        paths.append(folder / f"fold-{seed}.keras")
        write_model(paths[-1], DATED, seed=seed)
        looks.append(folder / f"looks-{seed}.npy")
        images = np.random.default_rng(seed).integers(0, 256, (6, 32, 32, 3), np.uint8)
        np.save(looks[-1], np.stack(list(series_looks(images, list("aabbcc")).values())))
    bundle = Bundle(
        name="dated", image_size=48, jpeg_quality=75, tta_views=2, calibration=PLAIN, longest_days=30.0, models=tuple(paths),
        looks=tuple(looks),
    )  # fmt: skip
    write_bundle(bundle, folder / "published")
    return Predictor(read_bundle(str(folder / "published"), folder))


@pytest.fixture(scope="module")
def seen(predictor: Predictor) -> list[tuple[str, Photo]]:
    photos = predictor.photos([(name, photo(number)) for number, name in enumerate(NAMES)])
    return list(zip(NAMES, photos, strict=True))


def calibrated_by(predictor: Predictor, monkeypatch: pytest.MonkeyPatch, **more: object) -> None:
    bundle = dataclasses.replace(predictor.bundle, calibration={**PLAIN, **more})
    monkeypatch.setattr(predictor, "bundle", bundle)


def raw(predictor: Predictor, one: Photo, other: Photo) -> float:
    """Days from one photo to another, by the heads' own words for pairs, below 0 too: averaged over views, then models."""
    halves = [
        head.pair_days(one.halves[model], other.halves[model]).mean(dtype=np.float64)
        for model, head in enumerate(predictor.heads)
    ]
    return float(np.mean(halves))


def test_days_of_a_series_are_differences_of_its_dates_below_zero_too(
    predictor: Predictor, seen: list[tuple[str, Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [raw(predictor, seen[0][1], each) for _, each in seen]
    assert min(expected) < 0 < max(expected)
    line = time_line(predictor, seen)
    assert line.names == tuple(NAMES)
    np.testing.assert_allclose(line.raw_days, expected, atol=1e-4)
    np.testing.assert_allclose(line.days, expected, atol=1e-4)
    backwards = time_line(predictor, seen[::-1])  # the same plant: what lies between two photos does not depend on the first
    np.testing.assert_allclose(np.diff(backwards.days[::-1]), np.diff(line.days), atol=1e-4)
    calibrated_by(predictor, monkeypatch, rules=RULES)
    line = time_line(predictor, seen, "LT")
    np.testing.assert_allclose(line.days, 1.1 * np.array(expected), atol=1e-4)
    assert line.calibration == "1.1 for LT"
    for (name, at), (later, then) in itertools.pairwise(zip(NAMES, line.days, strict=True)):
        assert any(each.startswith(f"{later} is put at day") and name in each for each in line.warnings) == (then < at)


def test_two_photos_are_a_pair_as_score_has_it(predictor: Predictor, seen: list[tuple[str, Photo]]) -> None:
    for one, other in itertools.combinations(seen, 2):
        (answer,) = predictor.between([(one[1], other[1])])
        line = time_line(predictor, [one, other])
        assert (line.days, line.raw_days) == ((0.0, answer.days), (0.0, answer.raw_days))
        assert line.days[1] > 0


def test_a_series_is_put_on_a_cadence_as_calibrate_does_it(
    predictor: Predictor, seen: list[tuple[str, Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = np.linspace(3.0, 13.0, PHOTOS) + np.random.default_rng(0).normal(0, 0.2, PHOTOS)
    monkeypatch.setattr(Predictor, "dates", lambda _, photos: dates[: len(photos)])
    table = pd.DataFrame({"image_id": NAMES, "series": "s", schema.DATE_DAYS: dates})
    for learned, gap in (({}, 1.5), ({"days": 1.5, "mean_gap_days": 1.7}, 1.7), ({"days": 2.0, "mean_gap_days": 2.1}, 1.5)):
        calibrated_by(predictor, monkeypatch, cadence=learned)
        found, left = put_on_cadence(table, {"s": PHOTOS}, Cadence(1.5, gap))
        assert not left
        line = time_line(predictor, seen, cadence_days=1.5)
        np.testing.assert_allclose(line.days, found[NAMES] - found[NAMES[0]])
        assert line.calibration == "cadence_days=1.5"
        np.testing.assert_allclose(line.raw_days, dates - dates[0])
    line = time_line(predictor, seen, cadence_days=10.0)
    np.testing.assert_allclose(line.days, dates - dates[0])
    assert any(each.startswith("cadence_days=10 is not believed: days would be ") for each in line.warnings)
    few = time_line(predictor, seen[:2], cadence_days=1.5)
    assert "cadence_days=1.5 is not believed: 2 photos, fewer than 8" in few.warnings


def test_a_head_that_dates_no_photo_has_no_cadence(tmp_path: Path) -> None:
    write_model(tmp_path / "pairs.keras")
    bundle = Bundle(
        name="pairs", image_size=48, jpeg_quality=75, tta_views=1, calibration=PLAIN, longest_days=None,
        models=(tmp_path / "pairs.keras",),
    )  # fmt: skip
    predictor = Predictor(bundle)
    photos = predictor.photos([(name, photo(number)) for number, name in enumerate(NAMES[:3])])
    line = time_line(predictor, list(zip(NAMES, photos, strict=False)))
    assert list(line.days[1:]) == [each.days for each in predictor.between([(photos[0], each) for each in photos[1:]])]
    assert line.drift is None
    with pytest.raises(ValueError, match="cadence_days=1: the models have a head that dates no photo"):
        time_line(predictor, list(zip(NAMES, photos, strict=False)), cadence_days=1.0)


def test_looks_are_told_as_predict_tells_them(
    predictor: Predictor, seen: list[tuple[str, Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.stack([predictor.decode(photo(number)) for number in range(PHOTOS)])
    look = series_looks(images, ["plant"] * PHOTOS)["plant"]
    expected = np.mean([drift(look, known) for known in predictor.looks])
    line = time_line(predictor, seen)
    assert line.drift == pytest.approx(expected)
    fitted = {"coverage": 0.9, "width": 2.0, "fixed_days": 1.0, "relative": 0.0}
    calibrated_by(predictor, monkeypatch, intervals=fitted)
    for found, wider, said in ((schema.UNUSUAL_DRIFT, 1.0, False), (2 * schema.UNUSUAL_DRIFT, 2.0, True)):
        monkeypatch.setattr(Predictor, "drift", lambda _self, _photos, found=found: found)
        line = time_line(predictor, seen)
        low, high = line.interval or (0.0, 0.0)
        assert high - low == pytest.approx(4.0 * wider) or low == 0.0
        assert high - line.days[-1] == pytest.approx(2.0 * wider)
        (warning,) = [each for each in line.warnings if "drift" in each] or [""]
        assert (warning != "", "ordinary" in warning) == (said, False)
    (warning,) = [each for each in time_line(predictor, seen[: ENOUGH_PHOTOS - 1]).warnings if "drift" in each]
    assert "so do some of ordinary plants" in warning


def test_the_same_file_twice_in_a_series_is_told(predictor: Predictor, seen: list[tuple[str, Photo]]) -> None:
    assert "again: the same file as day 1" in time_line(predictor, [*seen[:3], ("again", seen[1][1])]).warnings
