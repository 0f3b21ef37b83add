"""Trains a small model on an examples artifact and predicts with it, on the backend that KERAS_BACKEND names.

python tests/support/train_and_predict.py EXAMPLES OUTPUT [MODEL]: a process that is not the first of several writes no model, and
predicts with the first one's, in MODEL. With SMALL_ENCODER in the environment the encoder is smaller still than a shallow one.
"""

import dataclasses
import os
import sys
from pathlib import Path

import keras
from keras import layers
from shallow_encoder import shallow_encoders

from components.network import devices, model
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.train.fit import train
from components.train.settings import TrainSettings

TRAIN = TrainSettings(
    encoder="B0",
    dim=32,
    checkpoint="none",
    mixed_precision="float32",
    lstm_units=8,
    dense_units=8,
    clique_size=3,
    cliques_per_batch=2,
    epochs=1,
    steps_per_epoch=1,
    learning_rate=1e-3,
    schedule="cosine",
    ema_momentum=0.5,
    batchnorm_momentum=0.9,
    reestimate_batchnorm=True,
    shuffle_buffer=0,
)
SMALL_TRAIN = dataclasses.replace(TRAIN, cliques_per_batch=4, epochs=2, steps_per_epoch=6, learning_rate=0.03)
PREDICT = PredictSettings(tta_views=2, prediction_batch_size=4)


def small_encoder(variant: str, dim: int, *, batchnorm_momentum: float) -> keras.Model:  # noqa: ARG001
    """What of an EfficientNet several devices could get wrong, quick to compile: BatchNorm, and images dropped at random."""
    images = keras.Input((dim, dim, 3))
    features = layers.Conv2D(8, 3, strides=2, use_bias=False)(layers.Rescaling(1 / 255)(images))
    features = layers.BatchNormalization(momentum=batchnorm_momentum)(features)
    features = layers.Conv2D(8, 3, strides=2, use_bias=False)(layers.Activation("swish")(features))
    features = layers.Dropout(0.3, noise_shape=(None, 1, 1, 1))(features)
    features = layers.BatchNormalization(momentum=batchnorm_momentum)(features)
    return keras.Model(images, layers.GlobalAveragePooling2D()(features), name=model.ENCODER)


def main(examples: Path, output: Path, first_model: Path | None = None) -> None:
    """Writes model, history, out_of_fold and predictions below `output`."""
    settings = TRAIN
    if "SMALL_ENCODER" in os.environ:
        model.build_encoder, settings = small_encoder, SMALL_TRAIN
    folders = {name: output / name for name in ("model", "history", "out_of_fold")}
    with shallow_encoders():
        train(examples=examples, settings=settings, **folders)
    if devices.process()[1] > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("the first process has written its model")
    predict(examples=examples, model=first_model or folders["model"], predictions=output / "predictions", settings=PREDICT)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
