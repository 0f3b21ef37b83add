"""Photos taken several times a day, from their names to the submission: days with fractions arrive as they were read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from shallow_encoder import shallow_encoders

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract.shards import joined
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.fit import train
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

NAMES = {  # of each series, and the days that a person reads in them
    "LT_01": {"2021-06-30_09-00-00": 0, "2021-06-30_21-00-00": 0.5, "2021-07-02_15-00-00": 2.25},
    "LT_02": {"DAT0.5": 0.5, "DAT1.5": 1.5, "DAT12.25": 12.25},
    "LT_03": {"DAS-1": -1, "DAS0": 0, "DAS4": 4},
}
TINY = TrainSettings(
    encoder="B0", dim=32, checkpoint="none", lstm_units=4, dense_units=4, clique_size=3, cliques_per_batch=2, epochs=1,
    steps_per_epoch=1, learning_rate=1e-3, augmentations=0, mixed_precision="float32", shuffle_buffer=0, seed=7,
)  # fmt: skip


def write_raw(raw: Path) -> None:
    photos = [f"train_dataset/LT/{series}/{stem}.png" for series, stems in NAMES.items() for stem in stems]
    rng = np.random.default_rng(5)
    for name in (*photos, "test_dataset/LT/1003/a.png", "test_dataset/LT/1003/b.png"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(raw / name)
    (raw / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,a,b\n")
    (raw / "test_dataset/test_labels.csv").write_text("idx,time_delta\n0,2.75\n")


def test_days_with_fractions_arrive_as_they_were_read(tmp_path: Path) -> None:
    stages = ("raw", "images", "catalog", "pairs", "folded_pairs", "examples", "model", "history", "out_of_fold")
    at = {name: tmp_path / name for name in (*stages, "predictions", "submission")}
    write_raw(at["raw"])
    resize_images(raw=at["raw"], images=at["images"], catalog=at["catalog"], settings=ResizeImagesSettings(image_size=32))
    generate_pairs(catalog=at["catalog"], pairs=at["pairs"], settings=GeneratePairsSettings())
    split_folds(pairs=at["pairs"], folded_pairs=at["folded_pairs"], settings=SplitFoldsSettings(num_folds=3))
    write_tfrecords(
        images=joined([at["images"]]), catalog=at["catalog"], pairs=at["pairs"], folded_pairs=at["folded_pairs"],
        examples=at["examples"], settings=WriteTfrecordsSettings(),
    )  # fmt: skip
    with shallow_encoders():
        train(examples=at["examples"], model=at["model"], history=at["history"], out_of_fold=at["out_of_fold"], settings=TINY)
    predict(examples=at["examples"], model=at["model"], predictions=at["predictions"], settings=PredictSettings(tta_views=1))
    calibrate(
        catalog=at["catalog"], predictions=[at["predictions"]], out_of_fold=[at["out_of_fold"]], submission=at["submission"],
        settings=CalibrateSettings(calibration="none"),
    )  # fmt: skip

    expected = {
        (f"train/{series}/{before}", f"train/{series}/{after}"): stems[after] - stems[before]
        for series, stems in NAMES.items()
        for before in stems
        for after in stems
        if stems[before] < stems[after]
    }
    folded = pd.read_csv(at["folded_pairs"] / "train_pairs.csv")
    deltas = zip(folded["before_image_id"], folded["after_image_id"], folded["time_delta_days"], strict=True)
    assert {(before, after): delta for before, after, delta in deltas} == expected
    held_out = pd.read_csv(at["out_of_fold"] / "out_of_fold.csv").set_index("pair_id")["time_delta_days"]
    of_fold = folded[folded["fold"] == 0].set_index("pair_id")["time_delta_days"]
    assert held_out.to_dict() == of_fold.to_dict()
    baseline = pd.read_csv(at["out_of_fold"] / "out_of_fold.csv")["baseline_days"][0]
    assert baseline == pytest.approx(folded.loc[folded["fold"] != 0, "time_delta_days"].mean())
    history = pd.read_csv(at["history"] / "history.csv")
    assert np.isfinite(history["rmse_days"]).all()
    error = pd.read_csv(at["submission"] / "submission_raw.csv")["time_delta"][0] - 2.75
    metrics = json.loads((at["submission"] / "metrics.json").read_text())
    assert metrics["test_rmse_days_raw"] == pytest.approx(abs(error))
