"""Measures BatchNorm's statistics anew, with an encoder's present weights.

Moving averages lag behind the weights, know nothing of averaged weights (EMA), and were gathered over batches of few series.
Measuring them anew over random train images is cheap: forward passes only. As in "precise BatchNorm" (Wu and Johnson 2021,
arXiv:2105.07576, section 3).
"""

import keras
import numpy as np

from components.network.devices import forward
from components.network.image_file import DecodedImages
from components.network.model import batchnorms

BATCHES, BATCH_SIZE = 8, 64


def reestimate_batchnorm(encoder: keras.Model, images: DecodedImages, rows: np.ndarray, *, seed: int) -> None:
    """Replaces the moving mean and variance of every BatchNorm layer by their average over random batches.

    Args:
        encoder: changed in place; its trainable weights stay.
        images: [N, H, W, 3] uint8.
        rows: which of them may be used: train images only, for validation must not leak into the statistics.
        seed: of the choice of images.
    """
    rng = np.random.default_rng(seed)
    layers = batchnorms(encoder)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # makes the moving statistics those of the last batch
    statistics = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    sums = [0.0] * len(statistics)
    for _ in range(BATCHES):
        forward(encoder, training=True)(images[rng.choice(rows, min(BATCH_SIZE, len(rows)), replace=False)])
        sums = [total + keras.ops.convert_to_numpy(variable) for total, variable in zip(sums, statistics, strict=True)]
    for variable, total in zip(statistics, sums, strict=True):
        variable.assign(total / BATCHES)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
