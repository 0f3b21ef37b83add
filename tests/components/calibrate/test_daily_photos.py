"""A run whose photos are known to be daily: its days, its intervals, and the same for photos that are scored later."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings

DAILY = CalibrateSettings(cadence_days=1.0)
RATES = {"LT_01": 1.3, "LT_02": 0.8, "BC_01": 1.1}  # of growth that the model sees, per day
TEST_RATE, PHOTOS = 1.5, 10


def photo_rows(series: str, rate: float, split: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"{split}/{series}/{day:02d}" for day in range(1, PHOTOS + 1)],
            "species": series[:2],
            "series": series,
            "drift": 2.0 if split == "test" else 1.0,
            "date_days": rate * np.arange(PHOTOS),
        }
    )


def pairs_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Every pair of each series, with the days that the dates say."""
    rows = [
        (first.species, first.series, first.image_id, second.image_id, second.date_days - first.date_days)
        for _, group in photos.groupby("series")
        for first, second in itertools.combinations(group.itertuples(), 2)
    ]
    columns = ["species", "series", "before_image_id", "after_image_id", "prediction_days"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(pair_id=[f"comb_{row:06d}" for row in range(len(table))])


def days_between(pairs: pd.DataFrame) -> pd.Series:
    before, after = (pairs[name].str[-2:].astype(int) for name in ("before_image_id", "after_image_id"))
    return after - before


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folders that calibrate reads, without manifests, as tests of it have them."""
    train = pd.concat([photo_rows(series, rate, "train") for series, rate in RATES.items()])
    test = photo_rows("LT_1088", TEST_RATE, "test")
    held_out, asked = pairs_of(train), pairs_of(test)
    for folder in ("catalog", "predictions", "out_of_fold", "history"):
        (tmp_path / folder).mkdir()
    both = pd.concat([train.assign(split="train", day=train["image_id"].str[-2:]), test.assign(split="test", day="")])
    both.assign(path="x").to_csv(tmp_path / "catalog/images.csv", index=False)
    named = asked.assign(idx=range(len(asked)), before_file_path="a", after_file_path="b")
    named[["idx", "before_file_path", "after_file_path"]].to_csv(tmp_path / "catalog/test_data.csv", index=False)
    named.to_csv(tmp_path / "predictions/predictions.csv", index=False)
    test.to_csv(tmp_path / "predictions/photos.csv", index=False)
    held_out.assign(fold=0, time_delta_days=days_between(held_out), baseline_days=3.0).to_csv(
        tmp_path / "out_of_fold/out_of_fold.csv", index=False
    )
    train.to_csv(tmp_path / "out_of_fold/photos.csv", index=False)
    pd.DataFrame({"epoch": [1]}).to_csv(tmp_path / "history/history.csv", index=False)
    return tmp_path


def run(job: Path, settings: CalibrateSettings, name: str = "submission", **given: object) -> Path:
    models = {"out_of_fold": [job / "out_of_fold"], "histories": [job / "history"]}
    folders = {"catalog": job / "catalog", "predictions": [job / "predictions"], "submission": job / name}
    calibrate(**folders, settings=settings, **(given or models))  # type: ignore[arg-type]
    return job / name


def test_days_are_those_of_the_cadence_whatever_the_plants_rate(job: Path) -> None:
    submission = run(job, DAILY)
    asked = pairs_of(photo_rows("LT_1088", TEST_RATE, "test"))
    raw, calibrated = (pd.read_csv(submission / f"submission_{name}.csv")["time_delta"] for name in ("raw", "calibrated"))
    np.testing.assert_allclose(raw, TEST_RATE * days_between(asked))
    np.testing.assert_allclose(calibrated, days_between(asked), atol=1e-9)
    metrics = json.loads((submission / "metrics.json").read_text())
    assert metrics["validation_rmse_days"] > 0.5 and metrics["validation_rmse_days_calibrated"] == pytest.approx(0, abs=1e-9)
    assert json.loads((submission / "calibration.json").read_text())["cadence"] == {"days": 1.0, "mean_gap_days": 1.0}


def test_intervals_hold_the_days_and_are_wider_for_a_series_of_another_look(job: Path) -> None:
    submission = run(job, CalibrateSettings())
    table = pd.read_csv(submission / "intervals.csv")
    assert list(table) == ["idx", "species", "series", "time_delta", "low_days", "high_days", "drift"]
    assert (table["low_days"] < table["time_delta"]).all() and (table["time_delta"] < table["high_days"]).all()
    photos = pd.read_csv(job / "predictions/photos.csv")
    photos.assign(drift=1.0).to_csv(job / "predictions/photos.csv", index=False)
    narrow = pd.read_csv(run(job, CalibrateSettings(), "like_others") / "intervals.csv")
    assert (narrow["high_days"] < table["high_days"]).all()


def test_photos_that_are_scored_later_get_the_same(job: Path) -> None:
    submission = run(job, DAILY)
    scored = run(job, DAILY, "scored", calibrated=submission)
    for name in ("submission_calibrated.csv", "intervals.csv", "calibration.json", "metrics.json"):
        assert (scored / name).read_bytes() == (submission / name).read_bytes()


def test_models_without_dates_cannot_be_put_on_a_cadence(job: Path) -> None:
    for folder in ("predictions", "out_of_fold"):
        pd.read_csv(job / folder / "photos.csv").drop(columns="date_days").to_csv(job / folder / "photos.csv", index=False)
    with pytest.raises(ValueError, match="Train with head=dates, or set cadence_days=0"):
        run(job, DAILY)
    assert not (job / "submission/submission_raw.csv").exists()
