"""Predicts the days of pairs: the backbone once per image and view, then only the head per pair.

N images, M of them chosen, D features, P pairs, U units of the LSTM.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from components.network.devices import forward, forward_for_good, program
from components.network.input.image_file import DecodedImages
from components.network.input.load import PROGRESS, view_batches
from components.network.model import DATES_LAYERS, LSTM, LSTM_LAYERS

PAIRS_PER_HEAD_BATCH = 1024
FEWEST_IMAGES_LOG2 = 9  # a program of the head is for a power of two of images: 512 are enough for the challenge


def encode(
    encoder: keras.Model,
    images: DecodedImages,
    *,
    rows: np.ndarray | None = None,
    view: int = 0,
    batch_size: int,
    is_final: bool = False,
    show_progress: bool = False,
) -> np.ndarray:
    """Features of images under one view: [M, D] float32.

    Args:
        encoder: [N, H, W, 3] in [0, 255] to [N, D].
        images: [N, H, W, 3] uint8, in memory or in a file.
        rows: which of the images, [M] int64; None for all.
        view: which of the ten transforms the images get first.
        batch_size: images per backbone pass; every batch has this size, as accelerators want static shapes.
        is_final: whether the encoder's weights never change again, which is used to go faster.
        show_progress: print a counter of batches.
    """
    rows = np.arange(len(images)) if rows is None else rows
    batches = view_batches(images, rows, view=view, batch_size=batch_size)
    total = math.ceil(len(rows) / batch_size)
    # as NumPy arrays: JAX takes no tensors of TensorFlow
    progress = tqdm(
        batches.as_numpy_iterator(), desc=f"view {view}", total=total, unit="batch", disable=not show_progress, **PROGRESS
    )
    features = compute(forward_for_good(encoder) if is_final else forward(encoder), progress)
    return features[: len(rows)].astype(np.float32)


def pair_days(head: keras.Model, features: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Days between two images for every pair: rows `before` and `after` [P] of `features` [N, D] to [P] float32.

    A head that dates images sees each once. The winner's LSTM sees two, the earlier with a state of zeros: both of its matrix
    products are of single images, and only the gates and the dense layers are left for each pair. Both give what `head` itself
    gives, but for the order of float32 sums.
    """
    if dates_images(head):
        dates = image_dates(head, features)
        return dates[after] - dates[before]
    lstm, hidden, days = (head.get_layer(name) for name in LSTM_LAYERS)
    recurrent, dense = (lstm.cell.kernel, lstm.cell.bias, lstm.cell.recurrent_kernel), (*hidden.weights, *days.weights)
    halves = program(image_halves)(padded_images(features), *values(recurrent))
    padded = -(-len(before) // PAIRS_PER_HEAD_BATCH) * PAIRS_PER_HEAD_BATCH
    first, second = (np.resize(rows, padded).reshape(-1, PAIRS_PER_HEAD_BATCH) for rows in (before, after))
    results = []
    for earlier, later in zip(first, second, strict=True):
        results.append(ops.convert_to_numpy(program(days_of_pairs)(*halves, earlier, later, *values(dense))))
    return np.concatenate(results)[: len(before), 0].astype(np.float32)


def dates_images(head: keras.Model) -> bool:
    """Whether a head gives each image a date, rather than days to a pair alone."""
    return all(layer.name != LSTM for layer in head.layers)


def head_dates(head: keras.Model, views: Sequence[np.ndarray]) -> np.ndarray | None:
    """The mean over views of every image's date, by the views' features [M, D]: [M] float64; None of a head that has no dates."""
    if not dates_images(head):
        return None
    return np.stack([image_dates(head, features) for features in views]).mean(axis=0, dtype=np.float64)


def image_dates(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """The date of every image by a head that dates images: features [N, D] to [N] float32, in days from nowhere in particular."""
    weights = (weight for name in DATES_LAYERS for weight in head.get_layer(name).weights)
    dates = program(dates_of_images)(padded_images(features), *values(weights))
    return ops.convert_to_numpy(dates)[: len(features), 0].astype(np.float32)


def dates_of_images(features: Any, hidden: Any, hidden_bias: Any, days: Any) -> Any:
    """The two dense layers of a head that dates images: [N, D] to [N, 1]."""
    return ops.matmul(ops.relu(ops.matmul(features, hidden) + hidden_bias), days)


def padded_images(features: np.ndarray) -> np.ndarray:
    """The features and repeats of them, up to a power of two: accelerators want static shapes, and few of them."""
    return np.resize(features, (2 ** max(math.ceil(math.log2(len(features))), FEWEST_IMAGES_LOG2), features.shape[1]))


def image_halves(features: Any, kernel: Any, bias: Any, recurrent_kernel: Any) -> tuple[Any, Any, Any]:
    """What each image brings to its pairs: gates [N, 4U] as the later one; gates [N, 4U] and cell [N, U] as the earlier one."""
    projected = ops.matmul(features, kernel) + bias
    state, cell = lstm_step(projected, 0.0)
    return projected, ops.matmul(state, recurrent_kernel), cell


def days_of_pairs(
    projected: Any, recurrent: Any, cell: Any, earlier: Any, later: Any, hidden: Any, hidden_bias: Any, days: Any, days_bias: Any
) -> Any:
    """What is left for pairs of the images that `image_halves` has seen, and the dense layers: days [B, 1]."""
    gates = ops.take(projected, later, axis=0) + ops.take(recurrent, earlier, axis=0)
    state, _ = lstm_step(gates, ops.take(cell, earlier, axis=0))
    return ops.matmul(ops.relu(ops.matmul(state, hidden) + hidden_bias), days) + days_bias


def values(variables: Iterable[Any]) -> list[Any]:
    """The arrays, or tensors, of variables: what a program takes."""
    return [variable.value for variable in variables]


def lstm_step(gates: Any, cell: Any) -> tuple[Any, Any]:
    """One step of a Keras LSTM after its matrix products: gates [B, 4U] and the cell so far, to the state and the cell [B, U]."""
    entering, kept, candidate, leaving = ops.split(gates, 4, axis=-1)
    cell = ops.sigmoid(kept) * cell + ops.sigmoid(entering) * ops.tanh(candidate)
    return ops.sigmoid(leaving) * ops.tanh(cell), cell


def compute(function: Callable[[np.ndarray], Any], batches: Iterable[np.ndarray]) -> np.ndarray:
    """The results of all batches in one array, each fetched when the next has been started, so that the device never waits."""
    results: list[Any] = []
    for batch in batches:
        results.append(function(batch))
        results[-2:-1] = [ops.convert_to_numpy(result) for result in results[-2:-1]]
    return np.concatenate([ops.convert_to_numpy(result) for result in results])
