"""Decodes the images in TFRecords, once, and batches cliques of them, augmented, for Keras.

Each image is decoded once. N images, C cliques per batch, K images per clique, P pairs; H = W = dim; uint8 in [0, 255].
"""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from components.contract import schema
from components.contract.cores import available_cores
from components.contract.verified import require_complete, unchanged
from components.network.cliques import Cliques
from components.network.input.augment import transform, transform_any
from components.network.input.image_file import DecodedImages, ImageFile

BATCHES_AHEAD = 4
PROGRESS: dict[str, Any] = {"file": sys.stdout, "mininterval": 2, "ncols": 90}


def decode(jpeg: tf.Tensor, dim: int) -> tf.Tensor:
    """One JPEG byte string to [dim, dim, 3] uint8: the winner's chain, whose cast truncates."""
    image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.cast(tf.image.resize(image, [dim, dim]), tf.uint8)


def load_images(
    examples: Path, *, split: str, table: pd.DataFrame, pairs: pd.DataFrame, dim: int, memory_budget_gb: float
) -> DecodedImages:
    """Decodes the images of `table` from the TFRecords of one split, either layout: [N, dim, dim, 3] uint8.

    Args:
        examples: the artifact folder that write_tfrecords made.
        split: schema.TRAIN (every fold's files) or schema.TEST.
        table: column image_id; row i becomes element i of the result.
        pairs: columns pair_id, before_image_id, after_image_id of the split; names the images inside layout=pairs records.
        dim: H and W of the result, px.
        memory_budget_gb: beyond it (GB = 1e9 bytes) the images lie in a temporary file.

    Raises:
        ValueError: the files do not hold every image of `table`, or are not what was written.
        FileNotFoundError: one of them is missing.
        OSError: the images exceed the budget, and the temporary folder has no space for them.
    """
    require_complete(examples)
    pattern = "test.tfrecord-*" if split == schema.TEST else "fold.*.tfrecord-*"
    files = [str(unchanged(path)) for path in sorted(examples.glob(pattern))]
    shape, missing = (len(table), dim, dim, 3), set(range(len(table)))
    images = np.empty(shape, np.uint8) if math.prod(shape) <= memory_budget_gb * 1e9 else ImageFile(shape)
    # not from a generator: with one TensorFlow sets M_TRIM_THRESHOLD, and from then on training pays for memory again and again
    decoded = stored_images(files, table, pairs).map(
        lambda row, jpeg: (row, decode(jpeg, dim)), num_parallel_calls=available_cores(), deterministic=True
    )
    decoded = untuned(decoded.take(len(table)))
    progress = tqdm(decoded.as_numpy_iterator(), f"decode {split}", len(table), unit="photo", **PROGRESS)
    try:
        for row, image in progress:
            images[row] = image
            missing.discard(int(row))
    except tf.errors.OpError as error:
        raise ValueError(damaged(files) or f"{examples}: {error.message}; run write_tfrecords again.") from error
    if missing:
        raise ValueError(
            f"{examples}: the {split} TFRecords lack {len(missing)} of {len(table)} images, such as "
            f"{table['image_id'].iloc[sorted(missing)].min()}; run write_tfrecords again on these pairs."
        )
    return images


def damaged(files: list[str]) -> str:
    """Returns what to say of the first TFRecord file, and record of it, that cannot be read; nothing where all can be."""
    for file in files:
        place = "at its beginning"
        try:
            for number, (record_id, jpegs) in enumerate(tf.data.TFRecordDataset([file]).map(parse), 1):
                place = f"record {number} ({record_id.numpy().decode(errors='replace')})"
                for jpeg in jpegs:
                    tf.io.decode_jpeg(jpeg, channels=3)
                place = f"after {place}"
        except tf.errors.OpError as error:
            said = error.message.splitlines()[0]
            return f"{file}, {place}: {said}. The file is not what write_tfrecords wrote; run that stage again."
    return ""


def stored_images(files: list[str], table: pd.DataFrame, pairs: pd.DataFrame) -> tf.data.Dataset:
    """Every image of `table` once, from TFRecord files of either layout: (its row, scalar int64; its JPEG, scalar string)."""
    records, rows = record_rows(table["image_id"], pairs)
    # a mutable table, as TensorFlow warns of an immutable one when predict freezes its weights
    number_of = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default_value=len(records))
    number_of.insert(tf.constant(records), tf.range(len(records), dtype=tf.int64))
    rows_of = tf.constant([*rows, (-1, -1)], tf.int64)  # the last for records of neither

    def with_rows(record_id: tf.Tensor, jpegs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rows_of[number_of.lookup(record_id)][: tf.size(jpegs)], jpegs

    stored = tf.data.TFRecordDataset(files).map(parse).map(with_rows).unbatch()
    return stored.filter(lambda row, _: row >= 0)


def record_rows(image_ids: pd.Series, pairs: pd.DataFrame) -> tuple[list[str], list[tuple[int, int]]]:
    """What to take from which record: (names of records, rows of their images).

    A record is an image's or a pair's. Layout=pairs holds each image about 39 times: it is taken from the first pair that has
    it, and -1 stands for an image that is not taken.
    """
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    records, rows = list(row_of), [(row, -1) for row in row_of.values()]
    untaken = dict(row_of)
    for pair_id, before, after in zip(*(pairs[name] for name in ("pair_id", *schema.PHOTO_IDS)), strict=True):
        taken = untaken.pop(before, -1), untaken.pop(after, -1)
        if max(taken) >= 0:
            records.append(pair_id)
            rows.append(taken)
    return records, rows


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


def training_batches(
    images: DecodedImages, cliques: Cliques, *, cliques_per_batch: int, augmentations: int, first: int = 0, placeholders: int = 0
) -> tf.data.Dataset:
    """Batches for Keras: (images [C, K, H, W, 3] uint8 or float32, deltas [C, P, 1] float32, weights [C, P] float32).

    Args:
        cliques: of `images`, in the order of training.
        cliques_per_batch: C.
        augmentations: as for `transform_any`.
        first: the batch to begin with.
        placeholders: batches before it that nobody will look into: one batch over and over, which costs nothing.
    """
    if placeholders:
        options = {"cliques_per_batch": cliques_per_batch, "augmentations": augmentations}
        one = Cliques(**{name: rows[:cliques_per_batch] for name, rows in vars(cliques).items()})
        filler = training_batches(images, one, **options).cache().repeat(placeholders)
        return untuned(filler.concatenate(training_batches(images, cliques, **options, first=first)))
    columns = (cliques.images, cliques.views, cliques.deltas_days[..., np.newaxis], cliques.weights)
    dataset = tf.data.Dataset.from_tensor_slices(tuple(column[first * cliques_per_batch :] for column in columns))
    dataset = dataset.map(
        lambda rows, view, deltas, weights: (transform_any(gather(images, rows), view, augmentations), deltas, weights),
        num_parallel_calls=available_cores(),
        deterministic=True,
    )
    return untuned(dataset.batch(cliques_per_batch, drop_remainder=True).prefetch(BATCHES_AHEAD))


def view_batches(images: DecodedImages, rows: np.ndarray, *, view: int, batch_size: int) -> tf.data.Dataset:
    """Some images in order, under one view: [batch_size, H, W, 3]; the last batch is filled up with repeats."""
    batches = np.resize(rows, (math.ceil(len(rows) / batch_size), batch_size))
    dataset = tf.data.Dataset.from_tensor_slices(batches)
    return untuned(dataset.map(lambda rows: transform(gather(images, rows), view)).prefetch(BATCHES_AHEAD))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset without tf.data's autotuning: ending an iterator waits for its thread, which one time in ten sleeps on.

    It sleeps twice as long each time, so that a training of 40 seconds may end 40 seconds late, and a longer one 60.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def gather(images: DecodedImages, rows: tf.Tensor) -> tf.Tensor:
    """Images by their row numbers [...] int64: [..., H, W, 3] uint8."""
    gathered = tf.numpy_function(images.__getitem__, [rows], tf.uint8, stateful=False)
    gathered.set_shape([*rows.shape, *images.shape[1:]])
    return gathered
