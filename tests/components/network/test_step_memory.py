"""What a training step is estimated to need."""

import collections
import math

import keras
import pytest

from components.network.memory import KEPT_OF_A_PIXEL, MILLION_PARAMETERS, VALUES_OF_A_PIXEL, most_images, step_bytes


def test_the_estimate_is_what_was_measured_with_b7() -> None:
    """24.4 GB of temporaries with 16 images at 512 px on an H200; the state of 64 million parameters comes on top."""
    assert step_bytes("B7", 512, 16, "mixed_float16", False) == pytest.approx(24.4e9 + 64.1e6 * 16, rel=0.02)


def test_what_a_variant_puts_out_is_what_keras_builds() -> None:
    encoder = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(256, 256, 3), pooling="avg")
    values = sum(math.prod(layer.output.shape[1:]) for layer in encoder.layers)
    assert VALUES_OF_A_PIXEL["B0"] == pytest.approx(values / 256**2, rel=0.01)
    blocks, kept = collections.Counter[str](), 0
    for layer in encoder.layers:
        values = math.prod(layer.output.shape[1:])
        blocks[layer.name.partition("_")[0]] += values
        kept += values * layer.name.endswith(("project_conv", "se_reduce"))
    assert KEPT_OF_A_PIXEL["B0"] == pytest.approx((kept + max(blocks.values())) / 256**2, rel=0.01)
    assert MILLION_PARAMETERS["B0"] == pytest.approx(encoder.count_params() / 1e6, rel=0.02)


@pytest.mark.parametrize(
    ("memory", "precision", "twice", "expected"),
    [
        (16e9, "mixed_float16", False, 9),
        (16e9, "float32", False, 4),
        (1e9, "float32", False, 0),
        (16e9, "mixed_float16", True, 86),
    ],
)
def test_as_many_images_fit_as_the_memory_holds_beside_the_weights(
    memory: float, precision: str, twice: bool, expected: int
) -> None:
    assert most_images("B7", 512, memory, precision, twice) == expected
    assert step_bytes("B7", 512, max(1, expected), precision, twice) <= memory or expected == 0
    assert step_bytes("B7", 512, expected + 1, precision, twice) > memory
