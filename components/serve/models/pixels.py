"""Makes of a photo's bytes what the encoder gets, to the pixel as the pipeline does it, without TensorFlow.

The chain is the stages' own: resize_images decodes, turns, resizes and stores a JPEG; load, in network/input, decodes that and
resizes it once more, and augment turns it for each view. These last two are TensorFlow's there, and are here in NumPy with
its formulas in float32: tests/components/serve compares every pixel.

H, W; uint8 or float32 in [0, 255].
"""

import functools
import io
import math

import numpy as np
from PIL import Image

from components.network.input.exact_views import LAST_EXACT_VIEW, move_pixels
from components.resize_images.picture import BadPhotoError, Holding, decode_picture, read_header
from components.resize_images.stored import stored_jpeg

CROP_FRACTION = 0.7  # as components/network/input/augment.py has them
CROP_DEGREES = {6: 45, 7: 135, 8: 225, 9: 315}


def network_pixels(
    content: bytes, *, image_size: int, jpeg_quality: int, dim: int, most_pixels: int, holding: Holding
) -> np.ndarray:
    """Returns a photo as the encoder gets it, [dim, dim, 3] uint8.

    Args:
        image_size, jpeg_quality: of the JPEG that the pipeline keeps.
        most_pixels: a photo of more is refused before it is decoded.
        holding: as `decode_picture` has it.

    Raises:
        BadPhotoError: no photo that can be decoded, in the pipeline's words.
    """
    header = read_header(content)
    if header.width * header.height > most_pixels:
        pixels = header.width * header.height
        raise BadPhotoError(f"{header.width}x{header.height} are {pixels} pixels, above the {most_pixels} allowed here")
    jpeg = stored_jpeg(decode_picture(content, holding).image, image_size, jpeg_quality)
    with Image.open(io.BytesIO(jpeg)) as stored:
        return resize(np.asarray(stored.convert("RGB")), dim).astype(np.uint8)


def resize(image: np.ndarray, dim: int) -> np.ndarray:
    """Returns [H, W, 3] as [dim, dim, 3] float32: bilinear between the centres of pixels, as `tf.image.resize` by default."""
    (top, bottom, row_part), (left, right, column_part) = (places(size, dim) for size in image.shape[:2])
    across = column_part[:, np.newaxis]
    # whole numbers are picked before they become float32: a third of the time
    corners = [image[rows].take(columns, axis=1).astype(np.float32) for rows in (top, bottom) for columns in (left, right)]
    above, below = (start + (end - start) * across for start, end in (corners[:2], corners[2:]))
    return above + (below - above) * row_part[:, np.newaxis, np.newaxis]


@functools.cache
def places(size: int, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where each of `dim` places lies among `size`: the one before, the one after, and how far between the two."""
    scale = np.float32(size) / np.float32(dim)
    at = (np.arange(dim, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(at)
    before = np.maximum(floor.astype(np.int64), 0)
    after = np.minimum(np.ceil(at).astype(np.int64), size - 1)
    return before, after, at - floor


def seen(images: np.ndarray, view: int) -> np.ndarray:
    """Returns images [N, H, W, 3] uint8 under one of the ten views, float32."""
    if 1 <= view <= LAST_EXACT_VIEW:
        images = move_pixels(images, view)
    if view <= LAST_EXACT_VIEW:
        return images.astype(np.float32)
    turned = rotate(images, math.radians(CROP_DEGREES[view]))
    size = images.shape[1]
    start = int((size - size * CROP_FRACTION) / 2)
    cropped = turned[:, start : size - start, start : size - start]
    return np.stack([resize(image, size) for image in cropped])


def rotate(images: np.ndarray, radians: float) -> np.ndarray:
    """Rotates counter-clockwise about the centre: the nearest pixel, zeros outside; square images [N, H, H, 3]."""
    angle, last = np.float32(radians), np.float32(images.shape[1] - 1)
    cos, sin = np.cos(angle), np.sin(angle)
    at = np.arange(images.shape[1], dtype=np.float32)
    rows, columns = at[:, np.newaxis], at
    column_offset = (last - (cos * last - sin * last)) / np.float32(2)
    row_offset = (last - (sin * last + cos * last)) / np.float32(2)
    from_columns = nearest(cos * columns - sin * rows + column_offset)
    from_rows = nearest(sin * columns + cos * rows + row_offset)
    inside = (from_rows >= 0) & (from_rows <= last) & (from_columns >= 0) & (from_columns <= last)
    found = images[:, np.where(inside, from_rows, 0), np.where(inside, from_columns, 0)]
    return found * inside[:, :, np.newaxis]


def nearest(places: np.ndarray) -> np.ndarray:
    """Returns whole numbers, halves away from zero, as C's `round`."""
    return np.trunc(places + np.copysign(np.float32(0.5), places)).astype(np.int64)
