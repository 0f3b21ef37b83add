"""The winner's ten transforms of images, flips, rotations and a crop, for training and for test time.

Numbered 0 to 9 as views: 0 none; 1, 2 flips; 3, 4, 5 quarter turns; 6, 7, 8, 9 rotation by 45, 135, 225, 315 degrees, then
the central 70 %. They run on the CPU inside tf.data, for every backend, hence TensorFlow here and not keras.ops.

N images, H, W; uint8 in [0, 255] where pixels only move, float32 in [0, 255] once any are interpolated.
"""

import math

import tensorflow as tf

from components.network.input.exact_views import LAST_EXACT_VIEW, image_dtype, move_pixels
from components.network.settings import TRANSFORMS

CROP_FRACTION = 0.7
CROP_DEGREES = {6: 45, 7: 135, 8: 225, 9: 315}


def transform(images: tf.Tensor, view: int) -> tf.Tensor:
    """Applies one of the ten transforms, `view` 0 to 9, to images [N, H, W, 3] uint8, square for a quarter turn.

    Returns [N, H, W, 3] uint8 up to view 5; float32 from view 6 on, bilinear between pixels after the crop.
    """
    if view == 0:
        return images
    if 1 <= view <= LAST_EXACT_VIEW:
        moved = tf.numpy_function(lambda content: move_pixels(content, view), [images], tf.uint8, stateful=False)
        moved.set_shape(images.shape)
        return moved
    if view in CROP_DEGREES:
        rotated = rotate(images, math.radians(CROP_DEGREES[view]))
        return tf.image.resize(tf.image.central_crop(rotated, CROP_FRACTION), tf.shape(images)[1:3])
    raise ValueError(f"view={view!r}: expected 0 to {TRANSFORMS - 1}.")


def rotate(images: tf.Tensor, radians: float) -> tf.Tensor:
    """Rotates images [N, H, W, 3] counter-clockwise about the centre: nearest neighbour, zeros outside.

    What tensorflow-addons' `image.rotate` computes, without the archived package: the same kernel with the same matrix,
    in the same float32 arithmetic (tests/parity compares every pixel).
    """
    angle = tf.constant(radians, tf.float32)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    last_row, last_column = tf.cast(height - 1, tf.float32), tf.cast(width - 1, tf.float32)
    column_offset = (last_column - (cos * last_column - sin * last_row)) / 2.0
    row_offset = (last_row - (sin * last_column + cos * last_row)) / 2.0
    zero = tf.constant(0.0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([cos, -sin, column_offset, sin, cos, row_offset, zero, zero])[tf.newaxis],
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )


def transform_any(images: tf.Tensor, view: tf.Tensor, augmentations: int) -> tf.Tensor:
    """`transform` for a scalar int32 view known only while the input pipeline runs, 0 to `augmentations`.

    [N, H, W, 3] uint8 to the same; uint8 if every view that can occur keeps it, else float32.
    """
    dtype = image_dtype(augmentations)
    branches = [lambda n=n: tf.cast(transform(images, n), dtype) for n in range(augmentations + 1)]
    transformed = tf.switch_case(view, branches)
    transformed.set_shape(images.shape)
    return transformed
