"""Weights that the efficientnet package wrote, in our encoder: equal features, and files that do not fit."""

import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from networks import DIM, TWO_TENSORFLOWS, assert_close
from winner import Winner

from components.network.checkpoint import load_checkpoint
from components.network.model import build_encoder, split_model


def test_winners_weights_give_the_winners_features(
    winner: Winner, ours: keras.Model, pairs: tuple[np.ndarray, np.ndarray]
) -> None:
    expected = np.load(winner.answers / "features.npy")
    assert expected.shape == (10, 1280) and 0.1 < expected.std() < 10
    encoder, _ = split_model(ours)
    assert_close(encoder(pairs[0].reshape(-1, DIM, DIM, 3), training=False), expected, TWO_TENSORFLOWS)


def test_every_weight_of_the_winners_file_arrives(winner: Winner) -> None:
    encoder = build_encoder("B0", DIM)
    load_checkpoint(encoder, str(winner.answers / "B0.h5"), "B0")
    loaded = 0
    with h5py.File(winner.answers / "B0.h5") as file:
        for name in file:
            stored = [file[name][weight][()] for weight in file[name].attrs["weight_names"]]
            for value, expected in zip(encoder.get_layer(name).get_weights() if stored else [], stored, strict=True):
                np.testing.assert_array_equal(value, expected)
                loaded += value.size
    input_normalization = 3 + 3 + 1  # Keras's own layer, which the package does not have
    assert loaded == encoder.count_params() - input_normalization


@pytest.mark.parametrize(
    ("file", "variant", "reason"),
    [
        ("B1.h5", "B0", "block1b"),  # B1 has every layer of B0 in the same shape, and more: loading by name would be content
        ("B0.h5", "B1", "block1b"),
        ("B0.h5", "B2", "block"),
    ],
)
def test_weights_of_another_variant_are_refused(winner: Winner, file: str, variant: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{file} does not fit EfficientNet-{variant}") as refused:
        load_checkpoint(build_encoder(variant, DIM), str(winner.answers / file), variant)
    assert reason in str(refused.value) and "Set encoder to the variant" in str(refused.value)


def test_a_file_that_lacks_a_layer_is_refused_by_the_layers_name(winner: Winner, tmp_path: Path) -> None:
    path = tmp_path / "lacking.h5"
    shutil.copyfile(winner.answers / "B0.h5", path)
    with h5py.File(path, "r+") as file:
        del file["block3a_se_reduce"]
        file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name != b"block3a_se_reduce"]
    with pytest.raises(ValueError, match=r"lacking\.h5 .*block3a_se_reduce"):
        load_checkpoint(build_encoder("B0", DIM), str(path), "B0")
