"""The winner's own libraries, run on inputs that the tests wrote: `python oracle.py FOLDER` reads FOLDER, fills FOLDER/winner.

For an interpreter of its own, with TensorFlow 2.15, tensorflow-addons 0.23 and efficientnet 1.1.1, which cannot live beside
today's. Hence nothing of this repository is imported: what is here follows the recipe, not the code that is tested.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import efficientnet.tfkeras as efn
import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

QUARTER_TURNS = {3: 90, 4: 180, 5: 270}
ROTATE_AND_CROP = {6: 45, 7: 135, 8: 225, 9: 315}


def main(folder: Path) -> None:
    """Answers every question that `folder` holds."""
    winner = folder / "winner"
    winner.mkdir()
    rotate(folder, winner)
    transform(folder, winner)
    decode(folder, winner)
    parse_records(folder, winner)
    train_step(folder, winner)


def rotate(folder: Path, winner: Path) -> None:
    """rotate.npz: images [1, H, W, C] by name, and degrees; to one array by name and angle's number."""
    with np.load(folder / "rotate.npz") as inputs:
        turned = {
            f"{name}/{number}": tfa.image.rotate(inputs[name], math.radians(degrees)).numpy()
            for name in inputs.files
            if name != "degrees"
            for number, degrees in enumerate(inputs["degrees"].tolist())
        }
    np.savez(winner / "rotate.npz", **turned)


def transform(folder: Path, winner: Path) -> None:
    """transform.npz: images [N, dim, dim, 3] uint8 by name; to what the network is fed, by name and transform's number."""

    def augment(image: tf.Tensor, number: int) -> tf.Tensor:
        dim = image.shape[0]
        if number == 1:
            image = tf.image.flip_left_right(image)
        elif number == 2:
            image = tf.image.flip_up_down(image)
        elif number in QUARTER_TURNS:
            image = tfa.image.rotate(image, math.radians(QUARTER_TURNS[number]))
        elif number in ROTATE_AND_CROP:
            image = tfa.image.rotate(image, math.radians(ROTATE_AND_CROP[number]))
            image = tf.image.central_crop(image, 0.7)
        return tf.cast(tf.image.resize(image, [dim, dim]), tf.float32) / 255.0

    with np.load(folder / "transform.npz") as inputs:
        fed = {
            f"{name}/{number}": np.stack(
                list(
                    tf.data.Dataset.from_tensor_slices(inputs[name])
                    .map(lambda image, n=number: augment(image, n))
                    .as_numpy_iterator()
                )
            )
            for name in inputs.files
            for number in range(10)
        }
    np.savez(winner / "transform.npz", **fed)


def decode(folder: Path, winner: Path) -> None:
    """decode.json: [JPEG, dim] pairs; to [dim, dim, 3] uint8 by "JPEG/dim"."""
    decoded = {}
    for name, dim in json.loads((folder / "decode.json").read_text()):
        image = tf.io.decode_jpeg(tf.io.read_file(str(folder / name)), channels=3, dct_method="INTEGER_ACCURATE")
        decoded[f"{name}/{dim}"] = tf.cast(tf.image.resize(image, [dim, dim]), tf.uint8).numpy()
    np.savez(winner / "decode.npz", **decoded)


def parse_records(folder: Path, winner: Path) -> None:
    """records/: TFRecords of pairs; to records.json, by file name: what the winner's reader gets out of each record."""
    description = {
        "image_id": tf.io.FixedLenFeature([], tf.string),
        "image": tf.io.FixedLenFeature([2], tf.string),
        "label_id": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    found = {}
    for path in sorted((folder / "records").glob("*.tfrecord-*")):
        parsed = tf.data.TFRecordDataset(str(path)).map(lambda record: tf.io.parse_single_example(record, description))
        found[path.name] = [
            {
                "image_id": one["image_id"].decode(),
                "image_sha256": [hashlib.sha256(jpeg).hexdigest() for jpeg in one["image"]],
                "label_id": one["label_id"].decode(),
                "label": int(one["label"]),
            }
            for one in parsed.as_numpy_iterator()
        ]
    (winner / "records.json").write_text(json.dumps(found))


def train_step(folder: Path, winner: Path) -> None:
    """pairs.npz: images [B, 2, 64, 64, 3] uint8 and days [B]; to weights, features, predictions, losses and gradients.

    B0.h5 and B1.h5: `save_weights` files. features.npy: [2B, D], pooled. head.npz: weights by number. step_*.npz, in training
    and in inference mode: days [B, 1], loss, gradients by layer name and number.
    """
    with np.load(folder / "pairs.npz") as inputs:
        images, days = tf.constant(inputs["images"], tf.float32) / 255.0, tf.constant(inputs["days"], tf.float32)[:, None]
    tf.keras.utils.set_random_seed(0)
    efn.EfficientNetB1(weights=None, include_top=False, input_shape=(64, 64, 3)).save_weights(str(winner / "B1.h5"))
    encoder = efn.EfficientNetB0(weights=None, include_top=False, input_shape=(64, 64, 3), drop_connect_rate=0.0)
    make_eventful(encoder, tf.reshape(images, (-1, 64, 64, 3)))
    encoder.save_weights(str(winner / "B0.h5"))

    layers = tf.keras.layers
    network = tf.keras.Sequential(
        [
            layers.Input((2, 64, 64, 3)),
            layers.TimeDistributed(encoder),
            layers.TimeDistributed(layers.GlobalAveragePooling2D()),
            layers.LSTM(32),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    head = network.layers[2:]
    np.savez(winner / "head.npz", **{str(n): value for n, value in enumerate(v for layer in head for v in layer.get_weights())})
    np.save(winner / "features.npy", tf.reduce_mean(encoder(tf.reshape(images, (-1, 64, 64, 3)), training=False), [1, 2]).numpy())
    weights = [(f"{layer.name}/{n}", w) for layer in encoder.layers for n, w in enumerate(layer.trainable_weights)]
    weights += [(f"head/{n}", w) for n, w in enumerate(w for layer in head for w in layer.trainable_weights)]
    for training, name in ((False, "step_inference.npz"), (True, "step_training.npz")):
        # batch size None, as in the winner's input pipeline: TimeDistributed then folds time into the batch
        @tf.function(input_signature=[tf.TensorSpec([None, *images.shape[1:]]), tf.TensorSpec([None, 1])])
        def step(images, days, training=training):
            with tf.GradientTape() as tape:
                predicted = network(images, training=training)
                loss = tf.reduce_mean(tf.square(predicted - days))
            return predicted, loss, tape.gradient(loss, [weight for _, weight in weights])

        predicted, loss, gradients = step(images, days)
        by_name = {key: gradient.numpy() for (key, _), gradient in zip(weights, gradients, strict=True)}
        np.savez(winner / name, days=predicted.numpy(), loss=loss.numpy(), **by_name)


def make_eventful(encoder: tf.keras.Model, images: tf.Tensor) -> None:
    """Gives every weight a value that a mistake in loading would show, and keeps the features near 1."""
    rng = np.random.default_rng(0)
    norms = [layer for layer in encoder.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    for layer in encoder.layers:
        if layer in norms:
            gamma, beta, *statistics = layer.get_weights()
            layer.set_weights([rng.uniform(0.7, 1.3, gamma.shape), rng.normal(0, 0.2, beta.shape), *statistics])
            layer.momentum = 0.0
        elif layer.weights:
            layer.set_weights([value + rng.normal(0, 0.01, value.shape) for value in layer.get_weights()])
    encoder(images, training=True)  # without momentum: the moving statistics become this batch's
    for layer in norms:
        gamma, beta, mean, variance = layer.get_weights()
        mean = mean + rng.normal(0, 0.1, mean.shape) * np.sqrt(variance)
        layer.set_weights([gamma, beta, mean, variance * rng.uniform(0.8, 1.25, variance.shape)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
