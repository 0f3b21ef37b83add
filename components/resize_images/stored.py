"""Makes of a decoded photo what the pipeline keeps of it: a JPEG of one size."""

import io

from PIL import Image


def stored_jpeg(image: Image.Image, image_size: int, jpeg_quality: int) -> bytes:
    """Returns the JPEG of a photo at `image_size` x `image_size` pixels; the aspect ratio is not kept."""
    jpeg = io.BytesIO()
    image.resize((image_size, image_size)).save(jpeg, "JPEG", quality=jpeg_quality)
    return jpeg.getvalue()
