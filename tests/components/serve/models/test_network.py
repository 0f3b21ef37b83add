"""The network without Keras gives what Keras gives, and the photos without TensorFlow what TensorFlow gives."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from served_model import TINY, photo, write_model

from components.images import ROOT
from components.network.input.augment import transform
from components.network.input.load import decode
from components.network.model import split_model
from components.network.settings import NetworkSettings
from components.resize_images.picture import BadPhotoError
from components.serve.models.network import read_network
from components.serve.models.pixels import network_pixels, resize, seen
from components.serve.models.runtime import openvino


def compute(graph: openvino.Model, images: np.ndarray) -> np.ndarray:
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(images.astype(np.float32))[0]


@pytest.mark.parametrize(("encoder", "shallow"), [("B0", False), ("B3", True)])
def test_features_and_days_are_those_of_keras(tmp_path: Path, encoder: str, shallow: bool) -> None:
    settings = NetworkSettings(**{**vars(TINY), "encoder": encoder, "dim": 49})
    model = write_model(tmp_path / "model.keras", settings, shallow=shallow)
    network = read_network(tmp_path / "model.keras")
    images = np.random.default_rng(1).integers(0, 256, (5, 49, 49, 3), np.uint8)
    expected = split_model(model)[0].predict_on_batch(images)
    halves = compute(network.graph, images)
    assert network.dim == 49
    before, after = np.array([0, 0, 3, 4]), np.array([1, 2, 4, 4])
    days = split_model(model)[1].predict_on_batch(np.stack([expected[before], expected[after]], axis=1))[:, 0]
    kernel, _, bias = split_model(model)[1].get_layer("lstm").get_weights()
    np.testing.assert_allclose(
        halves[:, : len(bias)], expected @ kernel + bias, rtol=1e-4, atol=1e-5 * np.abs(expected @ kernel).max()
    )
    np.testing.assert_allclose(network.head.pair_days(halves[before], halves[after]), days, rtol=1e-4, atol=1e-4)


def test_a_model_trained_in_16_bits_is_computed_in_32(tmp_path: Path) -> None:
    settings = NetworkSettings(**{**vars(TINY), "mixed_precision": "mixed_float16"})
    try:
        model = write_model(tmp_path / "half.keras", settings)
    finally:
        keras.config.set_dtype_policy("float32")
    full = write_model(tmp_path / "full.keras")
    full.set_weights(model.get_weights())
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    kernel, _, bias = split_model(full)[1].get_layer("lstm").get_weights()
    expected = split_model(full)[0].predict_on_batch(images) @ kernel + bias
    found = compute(read_network(tmp_path / "half.keras").graph, images)[:, : len(bias)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_what_is_no_model_of_ours_is_refused_by_its_path(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.keras"
    write_model(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "text":
        path.write_text("none")
    else:
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"model.keras: no model that can be asked"):
        read_network(path)


@pytest.mark.parametrize("size", [16, 45, 48, 131])
@pytest.mark.parametrize("dim", [32, 48, 61])
def test_every_pixel_of_every_view_is_tensorflows(size: int, dim: int) -> None:
    jpeg = photo(size * dim, size, size, "JPEG")
    expected = decode(tf.constant(jpeg), dim).numpy()
    found = resize(np.asarray(Image.open(io.BytesIO(jpeg))), dim).astype(np.uint8)
    np.testing.assert_array_equal(found, expected)
    for view in range(10):
        np.testing.assert_array_equal(seen(found[None], view), transform(tf.constant(expected[None]), view).numpy())


def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    held: list[int] = []

    @contextlib.contextmanager
    def holding(size: int):
        held.append(size)
        yield

    sizes = {"image_size": 16, "jpeg_quality": 75, "dim": 32, "holding": holding}
    with pytest.raises(BadPhotoError, match=r"60x50 are 3000 pixels, above the 2999 allowed here"):
        network_pixels(photo(1), most_pixels=2999, **sizes)
    assert held == []
    assert network_pixels(photo(1), most_pixels=3000, **sizes).shape == (32, 32, 3)
    assert len(held) == 1


def test_importing_the_runtime_tells_nobody_and_writes_nothing(tmp_path: Path) -> None:
    code = "import sys, components.serve.models.predictor; print('openvino_telemetry.main' in sys.modules)"
    for variable in ({"CI": ""}, {"CI": "false"}):  # it is silent in CI
        environment = {**os.environ, **variable, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []
