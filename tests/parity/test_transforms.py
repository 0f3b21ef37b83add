"""Rotation, the ten transforms and the decode chain against tensorflow-addons and TensorFlow of the winner's line."""

import math

import numpy as np
import pytest
import tensorflow as tf
from winner import DECODED, DEGREES, JPEGS, ROTATED_SIZES, TRANSFORMED_DIMS, Winner

from components.network.input.augment import rotate, transform, transform_any
from components.network.input.load import decode


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("size", ROTATED_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_rotation_equals_tensorflow_addons_pixel_for_pixel(winner: Winner, size: tuple[int, int], dtype: str) -> None:
    name = f"{dtype}_{size[0]}x{size[1]}"
    images = winner.asked("rotate.npz")[name]
    expected = np.load(winner.answers / "rotate.npz")
    for number, degrees in enumerate(DEGREES):
        turned = rotate(tf.constant(images), math.radians(degrees)).numpy()
        assert turned.dtype == expected[f"{name}/{number}"].dtype == dtype
        differing = np.count_nonzero(turned != expected[f"{name}/{number}"])
        assert differing == 0, f"{differing} of {turned.size} values differ at {degrees} degrees"


@pytest.mark.parametrize("view", range(10))
@pytest.mark.parametrize("dim", TRANSFORMED_DIMS)
def test_transform_equals_the_winners_chain_eagerly(winner: Winner, dim: int, view: int) -> None:
    images = winner.asked("transform.npz")[str(dim)]
    transformed = transform(tf.constant(images), view).numpy()
    assert transformed.dtype == ("uint8" if view <= 5 else "float32")
    np.testing.assert_array_equal(
        transformed.astype(np.float32) / np.float32(255), winner.answered("transform.npz")[f"{dim}/{view}"]
    )


@pytest.mark.parametrize(
    ("dim", "known_shape", "augmentations"),
    [
        (64, True, 5),  # the winner's: all in uint8
        (64, True, 9),  # all ten: float32
        (101, False, 5),  # an odd size that the graph does not know
        (101, False, 9),
        (256, True, 9),
    ],
)
def test_transform_equals_the_winners_chain_inside_tf_data(
    winner: Winner, dim: int, known_shape: bool, augmentations: int
) -> None:
    images = winner.asked("transform.npz")[str(dim)]
    views = tf.data.Dataset.range(augmentations + 1, output_type=tf.int32)

    def chain(view: tf.Tensor) -> tf.Tensor:
        batch = tf.constant(images)
        if not known_shape:
            batch = tf.numpy_function(lambda: images, [], tf.uint8)
            batch.set_shape([None, None, None, 3])
        return transform_any(batch, view, augmentations)

    expected = winner.answered("transform.npz")
    transformed = list(views.map(chain, num_parallel_calls=2, deterministic=True).as_numpy_iterator())
    assert len(transformed) == augmentations + 1
    for view, found in enumerate(transformed):
        assert found.dtype == ("uint8" if augmentations == 5 else "float32")
        np.testing.assert_array_equal(
            found.astype(np.float32) / np.float32(255), expected[f"{dim}/{view}"], err_msg=f"view {view}"
        )


@pytest.mark.parametrize(("name", "dim"), DECODED)
def test_decode_resize_and_cast_equal_the_winners_chain(winner: Winner, name: str, dim: int) -> None:
    assert (winner.folder / name).is_file() and name in JPEGS
    decoded = decode(tf.constant((winner.folder / name).read_bytes()), dim).numpy()
    assert decoded.dtype == "uint8"
    np.testing.assert_array_equal(decoded, winner.answered("decode.npz")[f"{name}/{dim}"])
