"""Decoded images and pairs in, predicted days out: the backbone once per image and view, then only the head per pair.

N images, M of them chosen, D features, P pairs.
"""

import math

import keras
import numpy as np
from tqdm import tqdm

from components.train.image_file import DecodedImages
from components.train.load import PROGRESS, view_batches

PAIRS_PER_HEAD_BATCH = 1024


def encode(
    encoder: keras.Model,
    images: DecodedImages,
    *,
    rows: np.ndarray | None = None,
    view: int = 0,
    batch_size: int,
    show_progress: bool = False,
) -> np.ndarray:
    """Features of images under one view.

    Args:
        encoder: [N, H, W, 3] in [0, 255] to [N, D].
        images: [N, H, W, 3] uint8, in memory or in a file.
        rows: which of the images, [M] int64; None for all.
        view: which of the ten transforms the images get first.
        batch_size: images per backbone pass; every batch has this size, as accelerators want static shapes.
        show_progress: print a counter of batches.

    Returns:
        [M, D] float32.
    """
    rows = np.arange(len(images)) if rows is None else rows
    batches = view_batches(images, rows, view=view, batch_size=batch_size)
    total = math.ceil(len(rows) / batch_size)
    # as NumPy arrays: JAX takes no tensors of TensorFlow
    progress = tqdm(
        batches.as_numpy_iterator(), desc=f"view {view}", total=total, unit="batch", disable=not show_progress, **PROGRESS
    )
    features = np.concatenate([encoder.predict_on_batch(batch) for batch in progress])
    return features[: len(rows)].astype(np.float32)


def pair_days(head: keras.Model, features: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Days between two images for every pair: rows `before` and `after` [P] of `features` [N, D] to [P] float32."""
    padded = -(-len(before) // PAIRS_PER_HEAD_BATCH) * PAIRS_PER_HEAD_BATCH
    days = [
        head.predict_on_batch(np.stack([features[np.resize(before, padded)[at]], features[np.resize(after, padded)[at]]], axis=1))
        for at in (slice(start, start + PAIRS_PER_HEAD_BATCH) for start in range(0, padded, PAIRS_PER_HEAD_BATCH))
    ]
    return np.concatenate(days)[: len(before), 0].astype(np.float32)
