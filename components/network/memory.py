"""Estimates what a training step needs of an accelerator's memory, before anything is sent to one.

It has to hold what each layer puts out: of B7 at 512 px with 16 images in 16-bit arithmetic 24.2 GB; XLA took 24.4 on an H200.
"""

# What the layers of a variant put out for one pixel of an image, and its parameters: Keras's, at 256 px.
VALUES_OF_A_PIXEL = {"B0": 500, "B1": 687, "B2": 720, "B3": 952, "B4": 1237, "B5": 1693, "B6": 2162, "B7": 2884}
# The same where a step computes twice: what it keeps, one result of each block, and all that the largest block puts out. This has
# not been measured on an accelerator.
KEPT_OF_A_PIXEL = {"B0": 135, "B1": 143, "B2": 143, "B3": 212, "B4": 218, "B5": 234, "B6": 308, "B7": 332}
MILLION_PARAMETERS = {"B0": 4.0, "B1": 6.6, "B2": 7.8, "B3": 10.8, "B4": 17.7, "B5": 28.5, "B6": 41.0, "B7": 64.1}
STATE_BYTES = 16  # of a parameter, in float32: itself, its gradient, and Adam's two averages


def step_bytes(encoder: str, dim: int, images: float, mixed_precision: str, rematerialize: bool) -> float:
    """Returns the bytes that a training step on one device is estimated to need, of images of `dim` px in width and height."""
    value = 4 if mixed_precision == "float32" else 2
    values = (KEPT_OF_A_PIXEL if rematerialize else VALUES_OF_A_PIXEL)[encoder]
    return value * values * dim**2 * images + STATE_BYTES * MILLION_PARAMETERS[encoder] * 1e6


def most_images(encoder: str, dim: int, memory_bytes: float, mixed_precision: str, rematerialize: bool) -> int:
    """Returns how many images a step can have by the estimate; 0 where not even one fits."""
    state, one = (step_bytes(encoder, dim, images, mixed_precision, rematerialize) for images in (0, 1))
    return max(0, int((memory_bytes - state) // (one - state)))
