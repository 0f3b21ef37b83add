"""TFRecords in, decoded images in memory out; then cliques of them, augmented and batched, for Keras.

Each image is decoded once. N images, C cliques per batch, K images per clique, P pairs; H = W = dim; uint8 in [0, 255].
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from components import schema
from components.train.augment import transform, transform_any
from components.train.cliques import Cliques
from components.train.image_file import DecodedImages, ImageFile

PROGRESS: dict[str, Any] = {"file": sys.stdout, "mininterval": 2, "ncols": 90}


def decode(jpeg: tf.Tensor, dim: int) -> tf.Tensor:
    """One JPEG byte string to [dim, dim, 3] uint8: the winner's chain, whose cast truncates."""
    image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.cast(tf.image.resize(image, [dim, dim]), tf.uint8)


def load_images(
    examples: Path, *, split: str, table: pd.DataFrame, pairs: pd.DataFrame, dim: int, memory_budget_gb: float
) -> DecodedImages:
    """Decodes the images of `table` from the TFRecords of one split, either layout.

    Args:
        examples: the artifact folder that write_tfrecords made.
        split: schema.TRAIN (every fold's files) or schema.TEST.
        table: column image_id; row i becomes element i of the result.
        pairs: columns pair_id, before_image_id, after_image_id of the split; names the images inside layout=pairs records.
        dim: H and W of the result, px.
        memory_budget_gb: beyond it the images lie in a temporary file.

    Returns:
        [N, dim, dim, 3] uint8.

    Raises:
        ValueError: the files do not hold every image of `table`.
        OSError: the images exceed the budget, and the temporary folder has no space for them.
    """
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"])}
    files = sorted(str(path) for path in examples.glob("test.tfrecord-*" if split == schema.TEST else "fold.*.tfrecord-*"))
    images = allocate((len(row_of), dim, dim, 3), memory_budget_gb)
    missing = set(row_of)

    def wanted() -> Iterator[tuple[int, bytes]]:
        for image_id, jpeg in stored_images(files, pairs):
            if image_id in missing:
                missing.remove(image_id)
                yield row_of[image_id], jpeg
            if not missing:
                return  # layout=pairs holds each image about 39 times

    signature = (tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string))
    decoded = tf.data.Dataset.from_generator(wanted, output_signature=signature).map(
        lambda row, jpeg: (row, decode(jpeg, dim)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    progress = tqdm(decoded.as_numpy_iterator(), desc=f"decode {split}", total=len(row_of), unit="photo", **PROGRESS)
    for row, image in progress:
        images[row] = image
    if missing:
        raise ValueError(
            f"{examples}: the {split} TFRecords lack {len(missing)} of {len(row_of)} images, such as {min(missing)}; "
            "run write_tfrecords again on these pairs."
        )
    return images


def stored_images(files: list[str], pairs: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    """Every (image_id, JPEG) in TFRecord files of either layout; in layout=pairs the pair table names a record's two images."""
    columns = (pairs[name] for name in ("pair_id", "before_image_id", "after_image_id"))
    names_of = {pair_id: (before, after) for pair_id, before, after in zip(*columns, strict=True)}
    for record_id, jpegs in tf.data.TFRecordDataset(files).map(parse).prefetch(8).as_numpy_iterator():
        names = names_of[record_id.decode()] if len(jpegs) == 2 else (record_id.decode(),)
        yield from zip(names, jpegs, strict=True)


def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One serialized Example to its image_id (scalar string) and its JPEGs ([1] string; [2] in layout=pairs)."""
    features = tf.io.parse_single_example(
        record,
        {
            schema.FEATURE_IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
            schema.FEATURE_IMAGE: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True),
        },
    )
    return features[schema.FEATURE_IMAGE_ID], features[schema.FEATURE_IMAGE]


def allocate(shape: tuple[int, ...], memory_budget_gb: float) -> DecodedImages:
    """Room for uint8 images in memory, or in a temporary file where they would exceed the budget (GB = 1e9 bytes)."""
    return np.empty(shape, np.uint8) if math.prod(shape) <= memory_budget_gb * 1e9 else ImageFile(shape)


def training_batches(images: DecodedImages, cliques: Cliques, *, cliques_per_batch: int, augmentations: int) -> tf.data.Dataset:
    """Batches for Keras: (images [C, K, H, W, 3] uint8 or float32, deltas [C, P, 1] float32, weights [C, P] float32)."""

    def gather(rows: tf.Tensor) -> tf.Tensor:
        gathered = tf.numpy_function(images.__getitem__, [rows], tf.uint8, stateful=False)
        gathered.set_shape([cliques.images.shape[1], *images.shape[1:]])
        return gathered

    dataset = tf.data.Dataset.from_tensor_slices(
        (cliques.images, cliques.views, cliques.deltas_days[..., np.newaxis], cliques.weights)
    )
    dataset = dataset.map(
        lambda rows, view, deltas, weights: (transform_any(gather(rows), view, augmentations), deltas, weights),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return dataset.batch(cliques_per_batch, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def view_batches(images: DecodedImages, rows: np.ndarray, *, view: int, batch_size: int) -> tf.data.Dataset:
    """Some images in order, under one view: [batch_size, H, W, 3]; the last batch is filled up with repeats."""
    batches = np.resize(rows, (math.ceil(len(rows) / batch_size), batch_size))
    signature = tf.TensorSpec((batch_size, *images.shape[1:]), tf.uint8)
    dataset = tf.data.Dataset.from_generator(lambda: (images[batch] for batch in batches), output_signature=signature)
    return dataset.map(lambda batch: transform(batch, view)).prefetch(tf.data.AUTOTUNE)
