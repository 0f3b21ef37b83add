"""Measures BatchNorm's statistics anew, with an encoder's present weights, over random train images.

Moving averages lag behind the weights, know nothing of averaged weights (EMA), and were gathered over batches of few series.
Forward passes alone are cheap. As in "precise BatchNorm" (Wu and Johnson 2021, arXiv:2105.07576, section 3): batches as large as
in training, whose variances are joined with what their means differ by.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from components.network.devices import forward
from components.network.input.image_file import DecodedImages
from components.network.model import batchnorms

IMAGES = 512


def reestimate_batchnorm(encoder: keras.Model, images: DecodedImages, rows: np.ndarray, *, batch_size: int, seed: int) -> None:
    """Replaces the moving mean and variance of every BatchNorm layer of `encoder` by those over random batches together.

    Args:
        images: [N, H, W, 3] uint8.
        rows: which of them may be used: train images only, for validation must not leak into the statistics.
        batch_size: images that are normalized together; training's, whose convolutions XLA has chosen kernels for.
    """
    rng = np.random.default_rng(seed)
    layers = batchnorms(encoder)
    batches = -(-IMAGES // batch_size)
    means, squares = ([np.zeros(layer.moving_mean.shape) for layer in layers] for _ in range(2))
    with measuring(encoder):
        for _ in range(batches):
            forward(encoder, training=True)(images[rng.choice(rows, min(batch_size, len(rows)), replace=False)])
            for number, layer in enumerate(layers):
                mean = keras.ops.convert_to_numpy(layer.moving_mean).astype(np.float64)
                means[number] += mean / batches
                squares[number] += (keras.ops.convert_to_numpy(layer.moving_variance) + mean**2) / batches
    for layer, mean, square in zip(layers, means, squares, strict=True):
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(square - mean**2)


@contextlib.contextmanager
def measuring(encoder: keras.Model) -> Iterator[None]:
    """Within the block a forward pass in training mode leaves its own statistics in the BatchNorm layers, and drops nothing.

    Drop-connect leaves out whole branches and scales up what is left: the same mean, but a larger variance than the network has
    when it predicts.
    """
    settings = [(layer, "momentum", layer.momentum) for layer in batchnorms(encoder)]
    settings += [(layer, "rate", layer.rate) for layer in encoder.layers if isinstance(layer, keras.layers.Dropout)]
    for layer, name, _ in settings:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, name, value in settings:
            setattr(layer, name, value)
