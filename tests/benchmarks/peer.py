"""The winner's recipe on its own libraries, timed: TFRecords of pairs in, a line of JSON with the seconds out.

For an interpreter of its own, with TensorFlow 2.15, tensorflow-addons 0.23 and efficientnet 1.1.1, which cannot live beside
today's. Hence nothing of this repository is imported: what is here follows the recipe, not the code that it is compared with.

python peer.py read FOLDER --dim PX --pairs N
python peer.py train FOLDER --dim PX --target-rmse DAYS --evaluate-every STEPS --limit SECONDS [--learning-rate R]
python peer.py predict FOLDER --dim PX --pairs N --views N

B pairs, H, W; images float32 in [0, 1]; days float32.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import efficientnet.tfkeras as efn
import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

BATCH_SIZE, SHUFFLE_BUFFER, LEARNING_RATE, SEED = 8, 1024, 1e-4, 547_895
AUGMENTATIONS = 5
LSTM_UNITS, DENSE_UNITS = 1024, 300
QUARTER_TURNS = {3: 90, 4: 180, 5: 270}
ROTATE_AND_CROP = {6: 45, 7: 135, 8: 225, 9: 315}


def main() -> None:
    """Reads the command line, does what it says and prints what it measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=[task.__name__ for task in (read, train, predict)])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--encoder", default="B0")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--target-rmse", type=float)
    parser.add_argument("--evaluate-every", type=int)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--lstm-units", type=int, default=LSTM_UNITS)
    options = parser.parse_args()
    tf.keras.utils.set_random_seed(SEED + options.fold)
    print(json.dumps(globals()[options.task](options)))


def read(options: argparse.Namespace) -> dict[str, Any]:
    """Training input alone: seconds for `options.pairs` pairs, after the first batch, which waits for a full shuffle buffer."""
    start = time.monotonic()
    batches = training_batches(fold_files(options), options.dim).as_numpy_iterator()
    next(batches)
    filled = time.monotonic() - start
    for _ in range(options.pairs // BATCH_SIZE):
        next(batches)
    return {"filled_seconds": filled, "pairs": options.pairs, "seconds": time.monotonic() - start - filled}


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Trains until the held-out fold's RMSE is `options.target_rmse`: seconds from here on, those of the evaluations left out."""
    race = Race(options)
    model = build_model(options)
    model.compile(tf.keras.optimizers.Adam(options.learning_rate), "mse", metrics=[tf.keras.metrics.RootMeanSquaredError()])
    model.fit(training_batches(fold_files(options), options.dim), steps_per_epoch=10**6, verbose=0, callbacks=[race])
    return {"evaluations": race.evaluations, "reached": race.evaluations[-1]["rmse"] <= options.target_rmse}


class Race(tf.keras.callbacks.Callback):
    """Evaluates every so many steps, and ends the training at the target or at the limit."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options, self.start = options, time.monotonic()
        self.evaluations: list[dict[str, float]] = []
        held_out = pairs(sorted(map(str, options.folder.glob(f"fold.{options.fold}.tfrecord-*"))))
        self.held_out = held_out.map(lambda jpegs, days: (prepare(jpegs, tf.constant(0), options.dim), days)).batch(64).cache()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        seconds = time.monotonic() - self.start
        if (batch + 1) % self.options.evaluate_every and seconds < self.options.limit:
            return
        errors = [self.model.predict_on_batch(images)[:, 0] - days.numpy() for images, days in self.held_out]
        rmse = float(np.sqrt(np.mean(np.square(np.concatenate(errors)))))
        self.evaluations.append({"steps": batch + 1, "seconds": seconds, "rmse": rmse})
        self.model.stop_training = rmse <= self.options.target_rmse or seconds >= self.options.limit
        self.start += time.monotonic() - self.start - seconds


def predict(options: argparse.Namespace) -> dict[str, Any]:
    """Predicts test pairs under each view: seconds until the model is ready, then for a quarter of the pairs, then for all."""
    start = time.monotonic()
    model = build_model(options)
    model.predict(np.zeros((BATCH_SIZE, 2, options.dim, options.dim, 3), np.float32), verbose=0)
    ready = time.monotonic() - start
    files = sorted(map(str, options.folder.glob("test.tfrecord-*")))
    runs = []
    for pairs in (options.pairs // 4, options.pairs):
        start = time.monotonic()
        for view in range(options.views):
            days = model.predict(view_batches(files, view, options.dim).take(pairs // BATCH_SIZE), verbose=0)
            assert len(days) == pairs, f"{len(days)} pairs, expected {pairs}, a multiple of {4 * BATCH_SIZE}"
        runs.append({"pairs": pairs, "seconds": time.monotonic() - start})
    return {"ready_seconds": ready, "runs": runs}


def build_model(options: argparse.Namespace) -> tf.keras.Model:
    """Images [B, 2, dim, dim, 3] to days [B, 1]."""
    layers = tf.keras.layers
    encoder = getattr(efn, f"EfficientNet{options.encoder}")(
        weights=None, include_top=False, input_shape=(options.dim, options.dim, 3)
    )
    return tf.keras.Sequential(
        [
            layers.Input((2, options.dim, options.dim, 3)),
            layers.TimeDistributed(encoder),
            layers.TimeDistributed(layers.GlobalAveragePooling2D()),
            layers.LSTM(options.lstm_units),
            layers.Dense(DENSE_UNITS, activation="relu"),
            layers.Dense(1),
        ]
    )


def fold_files(options: argparse.Namespace) -> list[str]:
    """The TFRecords of every fold but the held-out one, in order."""
    held_out = set(options.folder.glob(f"fold.{options.fold}.tfrecord-*"))
    return sorted(str(path) for path in set(options.folder.glob("fold.*.tfrecord-*")) - held_out)


def training_batches(files: list[str], dim: int) -> tf.data.Dataset:
    """Endless batches: images [B, 2, dim, dim, 3], days [B]."""

    def augmented(jpegs: tf.Tensor, days: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.random.uniform([], 1, AUGMENTATIONS + 1, tf.int32)
        return prepare(jpegs, tf.where(tf.random.uniform([]) < 0.5, chosen, 0), dim), days

    mapped = pairs(files).map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.repeat().shuffle(SHUFFLE_BUFFER).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def view_batches(files: list[str], view: int, dim: int) -> tf.data.Dataset:
    """The pairs of files in order, under one view: [B, 2, dim, dim, 3]."""
    mapped = pairs(files).map(lambda jpegs, _: prepare(jpegs, tf.constant(view), dim), num_parallel_calls=tf.data.AUTOTUNE)
    options = tf.data.Options()
    options.autotune.enabled = (
        False  # its thread now and then holds up the end of a view for seconds, which is not the recipe's fault
    )
    return mapped.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE).with_options(options)


def pairs(files: list[str]) -> tf.data.Dataset:
    """The two JPEGs [2] and the days of every record, in order."""
    description = {"image": tf.io.FixedLenFeature([2], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    parsed = tf.data.TFRecordDataset(files).map(lambda record: tf.io.parse_single_example(record, description))
    return parsed.map(lambda record: (record["image"], tf.cast(record["label"], tf.float32)))


def prepare(jpegs: tf.Tensor, number: tf.Tensor, dim: int) -> tf.Tensor:
    """The two JPEGs of a pair, decoded and under one transform: [2, dim, dim, 3]."""
    images = []
    for position in range(2):
        image = tf.io.decode_jpeg(jpegs[position], channels=3, dct_method="INTEGER_ACCURATE")
        image = tf.cast(tf.image.resize(image, [dim, dim]), tf.uint8)
        image = tf.image.resize(augment(image, number), [dim, dim])
        images.append(tf.ensure_shape(tf.cast(image, tf.float32) / 255.0, [dim, dim, 3]))
    return tf.stack(images)


def augment(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """One of the ten transforms: [H, W, 3] uint8 to the same, or to the central 70 % of it."""

    def crop(degrees: int) -> tf.Tensor:
        return tf.image.central_crop(tfa.image.rotate(image, math.radians(degrees)), 0.7)

    transforms = [lambda: image, lambda: tf.image.flip_left_right(image), lambda: tf.image.flip_up_down(image)]
    transforms += [lambda d=degrees: tfa.image.rotate(image, math.radians(d)) for degrees in QUARTER_TURNS.values()]
    transforms += [lambda d=degrees: crop(d) for degrees in ROTATE_AND_CROP.values()]
    return tf.switch_case(number, transforms)


if __name__ == "__main__":
    main()
