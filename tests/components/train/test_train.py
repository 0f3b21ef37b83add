"""train and predict on a small dataset: their files, their scores, and that a seed fixes every byte."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from examples_fixture import write_examples
from shallow_encoder import shallow_encoders

from components.contract import schema
from components.network.batchnorm import reestimate_batchnorm
from components.network.model import batchnorms, build_encoder, split_model
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.train.cliques import draw_cliques
from components.train.divergence import EndWhereDiverged, require_finite
from components.train.fit import derive_steps, train
from components.train.settings import TrainSettings
from tests.benchmarks.accelerator import epoch_images

TINY = TrainSettings(
    encoder="B0",
    dim=32,
    checkpoint="none",
    lstm_units=8,
    dense_units=4,
    clique_size=3,
    cliques_per_batch=2,
    epochs=2,
    steps_per_epoch=2,
    learning_rate=1e-3,
    schedule="cosine",
    ema_momentum=0.9,
    reestimate_batchnorm=True,
    augmentations=5,
    mixed_precision="float32",
    shuffle_buffer=0,
    seed=7,
)


def run_train(examples: Path, root: Path, settings: TrainSettings = TINY) -> dict:
    return train(
        examples=examples, model=root / "model", history=root / "history", out_of_fold=root / "out_of_fold", settings=settings
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of one finished run of train and predict, of a shallow encoder, and train's record."""
    root = tmp_path_factory.mktemp("trained")
    with shallow_encoders():
        record = run_train(write_examples(root), root)
    predict_into(root, "predictions", tta_views=7)
    return root, record


def predict_into(root: Path, folder: str, *, tta_views: int) -> pd.DataFrame:
    settings = PredictSettings(tta_views=tta_views, prediction_batch_size=2)
    predict(examples=root / "examples", model=root / "model", predictions=root / folder, settings=settings)
    return pd.read_csv(root / folder / schema.PREDICTIONS_CSV)


def test_out_of_fold_predictions_cover_exactly_the_pairs_of_the_held_out_fold(trained) -> None:
    root, record = trained
    pairs = pd.read_csv(root / "folded_pairs" / schema.TRAIN_PAIRS_CSV)
    results = pd.read_csv(root / "out_of_fold" / schema.OUT_OF_FOLD_CSV)
    ids = ["before_image_id", "after_image_id"]
    assert sorted(results.columns) == sorted([*schema.OUT_OF_FOLD_COLUMNS, *ids])
    assert results[ids].equals(pairs.loc[pairs["fold"] == 0, ids].reset_index(drop=True))
    photos = pd.read_csv(root / "out_of_fold" / schema.PHOTOS_CSV)
    assert tuple(photos.columns) == schema.PHOTOS_COLUMNS  # the winner's head dates no photos
    assert set(photos["image_id"]) == set(results[ids].to_numpy().ravel())
    assert results["pair_id"].tolist() == pairs.loc[pairs["fold"] == 0, "pair_id"].tolist()
    assert results["baseline_days"].unique() == pytest.approx(pairs.loc[pairs["fold"] != 0, "time_delta_days"].mean())
    assert record["counts"]["train_pairs"] == 20
    assert record["counts"]["train_images"] == 10


def test_history_has_a_row_per_epoch_and_ends_at_the_out_of_fold_error(trained) -> None:
    root, record = trained
    history = pd.read_csv(root / "history" / schema.HISTORY_CSV)
    results = pd.read_csv(root / "out_of_fold" / schema.OUT_OF_FOLD_CSV)
    error = np.sqrt(np.mean((results["prediction_days"] - results["time_delta_days"]) ** 2))
    assert history["epoch"].tolist() == [1, 2]
    assert history["pairs_seen"].tolist() == [12, 24]  # 2 steps of 2 cliques of 3 pairs
    assert history["val_rmse_days"].iloc[-1] == pytest.approx(error, rel=1e-5)
    assert record["counts"]["validation_rmse_days"] == pytest.approx(error, rel=1e-6)


@dataclasses.dataclass
class Again:
    """The same run once more, by the same seed, in the folder `root`, and what was seen meanwhile."""

    root: Path
    steps: int
    traced: int = 0  # how often the train step was
    tuned: list[bool | None] = dataclasses.field(default_factory=list)  # of each dataset that was gone through


@pytest.fixture(scope="module")
def again(trained, tmp_path_factory: pytest.TempPathFactory) -> Again:
    root, seen = trained[0], Again(tmp_path_factory.mktemp("again"), 0)
    compute_loss, iterate = keras.Model.compute_loss, tf.data.Dataset.__iter__

    def counted(*args, **kwargs):
        seen.traced += 1  # Python runs only while TensorFlow traces
        return compute_loss(*args, **kwargs)

    def noted(dataset: tf.data.Dataset) -> object:
        seen.tuned.append(dataset.options().autotune.enabled)
        return iterate(dataset)

    with pytest.MonkeyPatch.context() as patch, shallow_encoders():
        patch.setattr(keras.Model, "compute_loss", counted)
        patch.setattr(tf.data.Dataset, "__iter__", noted)
        seen.steps = run_train(root / "examples", seen.root)["counts"]["steps"]
        settings = PredictSettings(tta_views=7, prediction_batch_size=2)
        predict(
            examples=root / "examples", model=seen.root / "model", predictions=seen.root / "predictions", settings=settings
        )  # fmt: skip
    return seen


def test_same_seed_gives_the_same_bytes(trained, again: Again) -> None:
    for file in (f"out_of_fold/{schema.OUT_OF_FOLD_CSV}", f"predictions/{schema.PREDICTIONS_CSV}"):
        assert (again.root / file).read_bytes() == (trained[0] / file).read_bytes()


def test_the_train_step_is_traced_once(again: Again) -> None:
    assert again.steps == 4 and again.traced == 1


def test_no_autotuning_can_hold_up_the_end_of_an_iterator(again: Again) -> None:
    # decoding and batches, of train and of predict
    assert len(again.tuned) >= 4 and set(again.tuned) == {False}, again.tuned


def test_the_model_file_needs_no_code_of_this_project(trained, tmp_path: Path) -> None:
    root, _ = trained
    code = (
        "import keras, numpy as np\n"
        f"model = keras.saving.load_model({str(root / 'model' / schema.MODEL_FILE)!r})\n"
        "print(model.predict(np.zeros((1, 3, 32, 32, 3)), verbose=0).shape)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert done.stdout.strip() == "(1, 3, 1)"


def test_prediction_is_the_mean_of_its_views_in_the_order_of_the_test_pairs(trained) -> None:
    root, _ = trained
    results = pd.read_csv(root / "predictions" / schema.PREDICTIONS_CSV)
    views = [f"view_{n}" for n in range(7)]
    assert sorted(results.columns) == sorted([*schema.PREDICTIONS_COLUMNS, "before_image_id", "after_image_id", *views])
    assert results["idx"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(results["prediction_days"], results[views].mean(axis=1), rtol=1e-6)
    assert results[views].nunique(axis=1).min() == 7  # the photos are asymmetric, so every view differs
    record = json.loads((root / "predictions" / schema.STAGE_RECORD).read_text())
    assert record["counts"] == {"test_pairs": 3, "test_images": 3, "backbone_passes": 21}


def test_a_view_does_not_depend_on_how_many_others_are_predicted(trained) -> None:
    root, _ = trained
    alone = predict_into(root, "one_view", tta_views=1)
    among = pd.read_csv(root / "predictions" / schema.PREDICTIONS_CSV)
    assert alone["view_0"].tolist() == among["view_0"].tolist()
    np.testing.assert_allclose(alone["prediction_days"], alone["view_0"], rtol=1e-6)


def test_pairs_layout_predicts_what_images_layout_predicts(trained, tmp_path: Path) -> None:
    root, _ = trained
    examples = write_examples(tmp_path / "pairs_layout", layout="pairs")
    predict(
        examples=examples,
        model=root / "model",
        predictions=tmp_path / "predictions",
        settings=PredictSettings(tta_views=7, prediction_batch_size=2),
    )
    expected = (root / "predictions" / schema.PREDICTIONS_CSV).read_bytes()
    assert (tmp_path / "predictions" / schema.PREDICTIONS_CSV).read_bytes() == expected


def test_saved_weights_are_the_averaged_ones(trained) -> None:
    """The file's weights give the out-of-fold predictions, which ValidatePairs made with the averaged weights in place."""
    from components.network.infer import encode, pair_days
    from components.train.fit import load_fold

    root, _ = trained
    encoder, head = split_model(keras.saving.load_model(root / "model" / schema.MODEL_FILE))
    data = load_fold(root / "examples", TINY)
    features = encode(encoder, data.images, batch_size=6)
    days = pair_days(head, features, data.validation["before"].to_numpy(), data.validation["after"].to_numpy())
    results = pd.read_csv(root / "out_of_fold" / schema.OUT_OF_FOLD_CSV)
    np.testing.assert_allclose(days, results["prediction_days"], rtol=1e-4, atol=1e-5)


def test_reestimated_batchnorm_statistics_are_those_of_the_images() -> None:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    train_rows = np.arange(0, 200, 2)
    encoder = build_encoder("B0", 32)
    encoder.get_layer("stem_bn").moving_mean.assign(np.full(32, 9.0))
    reestimate_batchnorm(encoder, images, train_rows, batch_size=64, seed=5)
    draws = np.random.default_rng(5)
    stem = keras.Model(encoder.inputs, encoder.get_layer("stem_conv").output)
    drawn = np.concatenate([draws.choice(train_rows, 64, replace=False) for _ in range(512 // 64)])
    values = np.asarray(stem(images[drawn].astype(np.float32)), np.float64)
    layer = encoder.get_layer("stem_bn")
    np.testing.assert_allclose(layer.moving_mean, values.mean(axis=(0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, values.var(axis=(0, 1, 2)), rtol=1e-3)
    assert {batchnorm.momentum for batchnorm in batchnorms(encoder)} == {0.99}


def test_batchnorm_is_reestimated_with_every_branch_in_place() -> None:
    """Drop-connect would leave out the branch of every second image here, and double what is left of the others'."""
    images = np.random.default_rng(4).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    with shallow_encoders():
        encoder, twin = build_encoder("B0", 32), build_encoder("B0", 32)
    twin.set_weights(encoder.get_weights())
    drops = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Dropout)]
    assert drops
    for layer in drops:
        layer.rate = 0.5
        twin.get_layer(layer.name).rate = 0.0
    reestimate_batchnorm(encoder, images, np.arange(64), batch_size=64, seed=5)
    assert {layer.rate for layer in drops} == {0.5}
    top = twin.get_layer("top_bn")
    values = np.asarray(keras.Model(twin.inputs, top.input)(images.astype(np.float32), training=True), np.float64)
    found = encoder.get_layer("top_bn")
    np.testing.assert_allclose(found.moving_mean, values.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.moving_variance, values.var(axis=(0, 1, 2)), rtol=1e-3)


def test_an_epoch_is_as_many_pairs_whatever_the_clique_size() -> None:
    """11,691 pairs: the winner's 1,461 steps of 8 pairs, and as many pairs in cliques of 8 (28 pairs each)."""
    assert derive_steps(11_691, TrainSettings()) == 11_691 // 8 == 1461
    assert derive_steps(11_691, TrainSettings(clique_size=8, cliques_per_batch=2)) == 11_691 // 56
    assert epoch_images(2, 16) == 1461 * 16  # what the benchmark for accelerators takes for an epoch
    assert epoch_images(8, 32) == derive_steps(11_691, TrainSettings(clique_size=8, cliques_per_batch=4)) * 32


def test_the_winners_arithmetic_and_the_cropping_transforms_train(trained, tmp_path: Path) -> None:
    """B0 whole, mixed_float16, pairs, no averaging, a shuffle buffer: the winner's settings at a small size, all transforms."""
    root, _ = trained
    small = {"encoder": "B0", "dim": 32, "checkpoint": "none", "lstm_units": 8, "steps_per_epoch": 2, "augmentations": 9}
    record = run_train(root / "examples", tmp_path, TrainSettings(**small))
    encoder, head = split_model(keras.saving.load_model(tmp_path / "model" / schema.MODEL_FILE))
    assert encoder.get_layer("top_conv").compute_dtype == "float16"
    assert {layer.compute_dtype for layer in head.layers} == {"float32"}
    assert record["counts"]["steps"] == 2
    assert np.isfinite(pd.read_csv(tmp_path / "out_of_fold" / schema.OUT_OF_FOLD_CSV)["prediction_days"]).all()


def test_a_fold_that_does_not_exist_is_refused(trained, tmp_path: Path) -> None:
    root, _ = trained
    with shallow_encoders(), pytest.raises(ValueError, match=r"fold=5: the examples have folds \[0, 1\]"):
        run_train(root / "examples", tmp_path, TrainSettings(**{**vars(TINY), "fold": 5}))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("losses", "prediction"), [([9.0, np.nan], 1.0), ([np.inf, 2.0], 1.0), ([9.0, 2.0], np.nan)])
def test_a_diverged_training_is_an_error_that_says_what_to_change(losses: list[float], prediction: float) -> None:
    with pytest.raises(ValueError, match=r"in epoch 2 of 2 \(learning_rate=0.001, .*lower learning_rate"):
        require_finite(losses, np.array([3.0, prediction]), TINY)
    require_finite([9.0, 2.0], np.array([3.0, 1.0]), TINY)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_training_ends_at_the_step_that_diverged_with_its_last_checkpoint(value: float) -> None:
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(loss="mse")
    labels = np.ones((15, 1, 1), np.float32)
    labels[7] = value
    batches = tf.data.Dataset.from_tensor_slices((np.ones((15, 1, 1), np.float32), labels))
    validated = []
    stop = EndWhereDiverged(5, TrainSettings(**{**vars(TINY), "epochs": 3}), lambda: "runs/.training/abc")
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _logs: validated.append(epoch))
    words = rf"became {value} in step 8 of 15, in epoch 2 of 3 \(learning_rate=0.001, .* checkpoint: runs/.training/abc\. .*lower"
    with pytest.raises(ValueError, match=words):
        network.fit(batches, epochs=3, steps_per_epoch=5, verbose=0, callbacks=[stop, after])
    assert validated == [0]


def test_a_diverged_training_writes_nothing_and_names_the_step(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def far_apart(*arguments: Any, **options: Any) -> Any:
        cliques = draw_cliques(*arguments, **options)  # with days whose squares float32 does not hold
        return dataclasses.replace(cliques, deltas_days=np.full_like(cliques.deltas_days, 1e30))

    monkeypatch.setattr("components.train.fit.draw_cliques", far_apart)
    examples = trained[0] / "examples"
    with shallow_encoders(), pytest.raises(ValueError, match=r"became (inf|nan) in step 1 of 4, .*none was saved before"):
        run_train(examples, tmp_path)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("variant", ["B0", "B1"])
def test_drop_connect_rates_are_the_efficientnet_packages(variant: str) -> None:
    from efficientnet import tfkeras

    package = getattr(tfkeras, f"EfficientNet{variant}")(weights=None, include_top=False, input_shape=(32, 32, 3))
    expected = {layer.name: layer.rate for layer in package.layers if hasattr(layer, "rate")}
    ours = {layer.name: layer.rate for layer in build_encoder(variant, 32).layers if hasattr(layer, "rate")}
    assert ours == pytest.approx(expected)
