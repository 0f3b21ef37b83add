"""An encoder and train images in, BatchNorm statistics of the encoder's present weights out.

Moving averages lag behind the weights, know nothing of averaged weights (EMA), and were gathered over batches of few series.
Measuring them anew over random train images is cheap: forward passes only. As in "precise BatchNorm" (Wu and Johnson 2021,
arXiv:2105.07576, section 3).
"""

import keras
import numpy as np

from components.train.image_file import DecodedImages
from components.train.model import batchnorms

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
    for batch in range(BATCHES):
        for layer in layers:
            layer.momentum = batch / (batch + 1)  # makes the moving average the plain average of the batches so far
        encoder(images[rng.choice(rows, min(BATCH_SIZE, len(rows)), replace=False)].astype(np.float32), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
