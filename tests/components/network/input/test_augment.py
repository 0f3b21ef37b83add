"""The ten transforms against NumPy and plain geometry (tests/parity compares them with the winner's libraries).

N images, H, W.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.network.input.augment import image_dtype, rotate, transform, transform_any

EXACT = {
    0: lambda images: images,
    1: lambda images: images[:, :, ::-1],
    2: lambda images: images[:, ::-1],
    3: lambda images: np.rot90(images, 1, axes=(1, 2)),  # counter-clockwise
    4: lambda images: np.rot90(images, 2, axes=(1, 2)),
    5: lambda images: np.rot90(images, 3, axes=(1, 2)),
}


def random_images(dim: int, number: int = 2) -> np.ndarray:
    return np.random.default_rng(dim).integers(1, 256, (number, dim, dim, 3), np.uint8)


@pytest.mark.parametrize("view", EXACT)
@pytest.mark.parametrize("dim", [8, 33])
def test_flips_and_quarter_turns_only_move_pixels(view: int, dim: int) -> None:
    images = random_images(dim)
    transformed = transform(tf.constant(images), view).numpy()
    assert transformed.dtype == "uint8"
    np.testing.assert_array_equal(transformed, EXACT[view](images))


@pytest.mark.parametrize(("view", "turns", "like"), [(7, 1, 6), (8, 2, 6), (9, 3, 6)])
def test_the_crops_are_quarter_turns_of_each_other(view: int, turns: int, like: int) -> None:
    """On an image whose grain is coarser than a pixel, nearest neighbours may differ at few places only."""
    image = tf.image.resize(random_images(6, 1), [120, 120]).numpy().astype(np.uint8)
    expected = np.rot90(transform(tf.constant(image), like).numpy(), turns, axes=(1, 2))
    found = transform(tf.constant(image), view).numpy()
    assert found.shape == (1, 120, 120, 3) and found.dtype == "float32"
    assert np.abs(found - expected).mean() < 3 < np.abs(found - transform(tf.constant(image), like).numpy()).mean()


@pytest.mark.parametrize("view", [6, 7, 8, 9])
def test_the_crop_leaves_no_black_corner(view: int) -> None:
    """Half the diagonal of 70 % is 0.495 of the width: within the circle that the rotation fills."""
    images = np.full((1, 512, 512, 3), 255, np.uint8)
    np.testing.assert_array_equal(transform(tf.constant(images), view), images.astype(np.float32))


@pytest.mark.parametrize(("view", "degrees"), [(6, 45), (7, 135), (8, 225), (9, 315)])
def test_the_crops_turn_counter_clockwise_and_enlarge(view: int, degrees: int) -> None:
    """A bright spot right of the centre must move up by the angle and outwards by 1 / 0.7."""
    size, radius = 301, 60
    image = np.zeros((1, size, size, 3), np.uint8)
    image[0, 150 - 3 : 150 + 4, 150 + radius - 3 : 150 + radius + 4] = 255
    bright = transform(tf.constant(image), view).numpy()[0, ..., 0]
    row, column = (np.average(axis, weights=bright) - 150 for axis in np.indices(bright.shape))
    angle = math.radians(degrees)
    assert column == pytest.approx(radius / 0.7 * math.cos(angle), abs=1.5)
    assert row == pytest.approx(-radius / 0.7 * math.sin(angle), abs=1.5)


@given(height=st.integers(2, 70), width=st.integers(2, 70), degrees=st.floats(-360, 360))
@settings(max_examples=60)
def test_rotation_takes_the_pixel_nearest_to_where_geometry_says(height: int, width: int, degrees: float) -> None:
    """Every pixel carries its own number, so that the result tells where each came from; 0 is filled in."""
    image = np.arange(1, height * width + 1, dtype=np.float32).reshape(1, height, width, 1)
    turned = rotate(tf.constant(image), math.radians(degrees)).numpy()[0, ..., 0].astype(int)
    row, column = np.indices((height, width)) - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    angle = math.radians(degrees)
    from_row = column * math.sin(angle) + row * math.cos(angle) + (height - 1) / 2
    from_column = column * math.cos(angle) - row * math.sin(angle) + (width - 1) / 2
    filled = turned > 0
    rounding = 1e-3  # float32
    found_row, found_column = np.divmod(turned - 1, width)
    assert (np.abs(found_row - from_row)[filled] <= 0.5 + rounding).all()
    assert (np.abs(found_column - from_column)[filled] <= 0.5 + rounding).all()
    outside = np.maximum(np.abs(from_row - (height - 1) / 2) - height / 2, np.abs(from_column - (width - 1) / 2) - width / 2)
    assert (outside[~filled] >= -rounding).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_rotation_keeps_the_type(dtype: str) -> None:
    assert rotate(tf.cast(random_images(9), dtype), 1.0).dtype == dtype


@pytest.mark.parametrize("view", range(10))
def test_all_images_of_a_clique_get_the_same_transform(view: int) -> None:
    image = random_images(40, 1)
    transformed = transform(tf.constant(np.repeat(image, 3, axis=0)), view).numpy()
    np.testing.assert_array_equal(transformed, np.repeat(transform(tf.constant(image), view).numpy(), 3, axis=0))


@pytest.mark.parametrize(("augmentations", "dtype"), [(0, tf.uint8), (5, tf.uint8), (6, tf.float32), (9, tf.float32)])
def test_a_view_known_only_inside_the_pipeline(augmentations: int, dtype: tf.DType) -> None:
    images = random_images(24)
    assert image_dtype(augmentations) == dtype
    views = tf.data.Dataset.range(augmentations + 1, output_type=tf.int32)
    dataset = views.map(lambda view: transform_any(tf.constant(images), view, augmentations))
    assert dataset.element_spec == tf.TensorSpec((2, 24, 24, 3), dtype)
    for view, found in enumerate(dataset.as_numpy_iterator()):
        np.testing.assert_array_equal(found, transform(tf.constant(images), view).numpy().astype(dtype.as_numpy_dtype))


@pytest.mark.parametrize("view", [-1, 10])
def test_an_unknown_view_is_refused(view: int) -> None:
    with pytest.raises(ValueError, match=f"view={view}: expected 0 to 9"):
        transform(tf.constant(random_images(8)), view)
