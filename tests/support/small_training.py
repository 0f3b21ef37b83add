"""Settings and an encoder with which a training takes seconds; they need nothing that is not in the image of train."""

import dataclasses

import keras
from keras import layers

from components.network import model
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


def small_encoder(variant: str, dim: int, *, batchnorm_momentum: float) -> keras.Model:  # noqa: ARG001
    """What of an EfficientNet several devices could get wrong, quick to compile: BatchNorm, and images dropped at random."""
    images = keras.Input((dim, dim, 3))
    features = layers.Conv2D(8, 3, strides=2, use_bias=False)(layers.Rescaling(1 / 255)(images))
    features = layers.BatchNormalization(momentum=batchnorm_momentum)(features)
    features = layers.Conv2D(8, 3, strides=2, use_bias=False)(layers.Activation("swish")(features))
    features = layers.Dropout(0.3, noise_shape=(None, 1, 1, 1))(features)
    features = layers.BatchNormalization(momentum=batchnorm_momentum)(features)
    return keras.Model(images, layers.GlobalAveragePooling2D()(features), name=model.ENCODER)
