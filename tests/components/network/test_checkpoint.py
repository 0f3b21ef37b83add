"""Weights into an encoder: files of every kind, named checkpoints, and what is refused.

tests/parity loads files that the winner's libraries wrote.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import efficientnet.model
import efficientnet.tfkeras
import gcs_server
import keras
import numpy as np
import pytest
import tensorflow as tf
from efficientnet import weights as winners_table

from components.network.checkpoint import load_checkpoint
from components.network.model import build_encoder, build_model, split_model
from components.raw.gcs import pin
from components.train.settings import TrainSettings

DIM = 32
VARIANTS = [f"B{number}" for number in range(8)]
NOTOP = "efficientnet-b0_noisy-student_notop.h5"


def eventful_encoder(variant: str = "B0", seed: int = 3) -> keras.Model:
    """An encoder none of whose weights is what a new one has, but for the input's Normalization layer: that is the identity."""
    encoder = build_encoder(variant, DIM)
    make_eventful(encoder, seed)
    return encoder


def make_eventful(encoder: keras.Model, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for layer in encoder.layers:
        if not isinstance(layer, keras.layers.Normalization):
            layer.set_weights([value + rng.uniform(0.01, 0.02, value.shape).astype(value.dtype) for value in layer.get_weights()])


@pytest.fixture(scope="module")
def source() -> keras.Model:
    """An eventful encoder, to be saved: tests leave it as it is."""
    return eventful_encoder()


@pytest.fixture(scope="module")
def new_encoder() -> tuple[keras.Model, list[np.ndarray]]:
    """An encoder, and the weights that it was made with."""
    encoder = build_encoder("B0", DIM)
    return encoder, encoder.get_weights()


@pytest.fixture
def encoder(new_encoder: tuple[keras.Model, list[np.ndarray]]) -> keras.Model:
    """An encoder as if just made, which takes a second or two, so that there is but one for all tests."""
    new_encoder[0].set_weights(new_encoder[1])
    return new_encoder[0]


def assert_same_weights(found: keras.Model, expected: keras.Model) -> None:
    """All but the input's Normalization layer, which files of named layers need not hold."""
    for layer, other in zip(found.layers, expected.layers, strict=True):
        if not isinstance(layer, keras.layers.Normalization):
            for value, wanted in zip(layer.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_array_equal(value, wanted, err_msg=layer.name)


# Paths


def test_weights_file_round_trip(source: keras.Model, encoder: keras.Model, tmp_path: Path) -> None:
    source.save_weights(tmp_path / "encoder.weights.h5")
    load_checkpoint(encoder, str(tmp_path / "encoder.weights.h5"), "B0")
    assert_same_weights(encoder, source)


@pytest.mark.parametrize("name", ["imagenet.weights.h5", "imagenet.h5"])
@pytest.mark.parametrize(
    ("mean", "variance"),
    [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0, 0, 0), (0.229, 0.224, 0.225)), ((0.5, 0.5, 0.5), (1, 1, 1))],
    ids=["keras.applications", "no mean", "no variance"],
)
def test_weights_that_want_another_scaling_of_the_input_are_refused(
    source: keras.Model, encoder: keras.Model, tmp_path: Path, mean: tuple[float, ...], variance: tuple[float, ...], name: str
) -> None:
    """keras.applications' own ImageNet files: the mean and variance of ImageNet's colours are in their Normalization layer."""
    (layer,) = (each for each in source.layers if isinstance(each, keras.layers.Normalization))
    identity = layer.get_weights()
    layer.set_weights([np.asarray(mean, "float32"), np.asarray(variance, "float32"), *identity[2:]])
    try:
        (source.save_weights if "weights" in name else source.save)(tmp_path / name)
    finally:
        layer.set_weights(identity)
    with pytest.raises(ValueError, match=rf"^checkpoint {tmp_path}/{name}: its Normalization layer .*divides by 255 alone"):
        load_checkpoint(encoder, str(tmp_path / name), "B0")


def test_whole_legacy_model_file_round_trip(source: keras.Model, encoder: keras.Model, tmp_path: Path) -> None:
    """Keras 2 and `model.save("x.h5")` put the layers one group deeper than `save_weights` did."""
    source.save(tmp_path / "encoder.h5")
    load_checkpoint(encoder, str(tmp_path / "encoder.h5"), "B0")
    assert_same_weights(encoder, source)


def test_an_earlier_runs_model_gives_its_encoder_whatever_its_clique_size(tmp_path: Path) -> None:
    small: dict[str, Any] = {"encoder": "B0", "dim": DIM, "mixed_precision": "float32", "lstm_units": 4, "dense_units": 4}
    earlier = build_model(TrainSettings(clique_size=3, **small))
    make_eventful(split_model(earlier)[0], 3)
    earlier.save(tmp_path / "model.keras")
    encoder, head = split_model(build_model(TrainSettings(clique_size=2, **small)))
    before = head.get_weights()
    load_checkpoint(encoder, str(tmp_path / "model.keras"), "B0")
    assert_same_weights(encoder, split_model(earlier)[0])
    for value, expected in zip(head.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_none_keeps_the_random_weights(encoder: keras.Model) -> None:
    before = encoder.get_weights()
    load_checkpoint(encoder, "none", "B0")
    for value, expected in zip(encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("name", ["absent.h5", "absent.weights.h5", "absent.keras", "resnet"])
def test_a_missing_file_is_named(encoder: keras.Model, tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"checkpoint='{tmp_path / name}': no such file; expected none, imagenet"):
        load_checkpoint(encoder, str(tmp_path / name), "B0")


def save_weights(path: Path) -> None:
    eventful_encoder("B1").save_weights(path)


def save_legacy(path: Path) -> None:
    eventful_encoder("B1").save(path)


def save_model(path: Path) -> None:
    build_model(TrainSettings(encoder="B1", dim=DIM, mixed_precision="float32", lstm_units=4, dense_units=4, clique_size=2)).save(
        path
    )


def save_other_model(path: Path) -> None:
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)


def save_nonsense(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras, before it raises
@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("b1.weights.h5", save_weights),
        ("b1.h5", save_legacy),  # has all layers of B0 in the same shapes
        ("b1.keras", save_model),
        ("other.keras", save_other_model),  # no encoder in it
        ("other.h5", save_other_model),
        ("page.h5", save_nonsense),
        ("page.weights.h5", save_nonsense),
        ("page.keras", save_nonsense),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    encoder: keras.Model, tmp_path: Path, name: str, save: Callable[[Path], None]
) -> None:
    save(tmp_path / name)
    with pytest.raises(
        ValueError, match=rf"(?s)checkpoint {tmp_path / name} does not fit EfficientNet-B0 at 32 px: .*Set encoder"
    ):
        load_checkpoint(encoder, str(tmp_path / name), "B0")


# Names


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("checkpoint", ["imagenet", "noisy-student"])
def test_named_checkpoints_are_fetched_as_the_efficientnet_package_fetches_them(
    monkeypatch: pytest.MonkeyPatch, checkpoint: str, variant: str
) -> None:
    class FetchedError(Exception):
        """Ends the fetching."""

    requests: list[tuple[Any, ...]] = []

    def fetch(fname: str, origin: str, cache_subdir: str, file_hash: str) -> str:
        requests.append((fname, origin, cache_subdir, file_hash))
        raise FetchedError

    monkeypatch.setattr(tf.keras.utils, "get_file", fetch)
    monkeypatch.setattr(keras.utils, "get_file", fetch)
    build = getattr(efficientnet.tfkeras, f"EfficientNet{variant}")
    tiny = efficientnet.model.DEFAULT_BLOCKS_ARGS[:1]  # the request does not depend on the layers
    with pytest.raises(FetchedError):
        build(weights=checkpoint, include_top=False, input_shape=(32, 32, 3), blocks_args=tiny)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(keras.Sequential([keras.Input((32, 32, 3))]), checkpoint, variant)
    winners, ours = requests
    assert ours == winners


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in the place of the checkpoints' server, and an empty cache."""
    folder = tmp_path / "served"
    folder.mkdir()
    get_file = keras.utils.get_file
    monkeypatch.setattr(winners_table, "NS_WEIGHTS_PATH", folder.as_uri() + "/")
    monkeypatch.setattr(keras.utils, "get_file", lambda *args, **kwargs: get_file(*args, **kwargs, cache_dir=tmp_path / "cache"))
    return folder


def test_a_named_checkpoint_is_fetched_once_and_loaded(
    source: keras.Model, encoder: keras.Model, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.save(served / NOTOP)
    digest = hashlib.md5((served / NOTOP).read_bytes()).hexdigest()
    monkeypatch.setitem(winners_table.NS_WEIGHTS_HASHES, "efficientnet-b0", ("", digest))
    load_checkpoint(encoder, "noisy-student", "B0")
    assert_same_weights(encoder, source)
    (served / NOTOP).unlink()
    load_checkpoint(encoder, "noisy-student", "B0")


def test_a_checkpoint_with_another_hash_is_not_used(source: keras.Model, encoder: keras.Model, served: Path) -> None:
    source.save(served / NOTOP)
    with pytest.raises(FileNotFoundError, match=r"checkpoint='noisy-student': could not fetch file:.*set checkpoint=none"):
        load_checkpoint(encoder, "noisy-student", "B0")


@pytest.mark.usefixtures("served")
def test_without_network_the_error_says_what_to_do(encoder: keras.Model) -> None:
    with pytest.raises(FileNotFoundError, match=r"could not fetch file:.*Download it where there is network and give its path"):
        load_checkpoint(encoder, "noisy-student", "B0")


def test_another_file_than_the_digest_names_is_refused(encoder: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"some bytes")
    with pytest.raises(ValueError, match=r"weights\.h5 has SHA-256 [0-9a-f]{64}, expected abc: it is another file"):
        load_checkpoint(encoder, str(path), "B0", digest="abc")


# Buckets


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a storage server; temporary files go to tmp_path/temporary."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with gcs_server.gcs_server() as url, gcs_server.served_at(url):
        yield url


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network with an eventful encoder, to be saved: tests leave it as it is."""
    small: dict[str, Any] = {"encoder": "B0", "dim": DIM, "mixed_precision": "float32", "lstm_units": 4, "dense_units": 4}
    model = build_model(TrainSettings(clique_size=2, **small))
    make_eventful(split_model(model)[0], 3)
    return model


@pytest.mark.parametrize("name", ["encoder.weights.h5", "encoder.h5", "model.keras"])
def test_a_file_in_a_bucket_is_used_and_not_kept(
    model: keras.Model, encoder: keras.Model, bucket: str, tmp_path: Path, name: str
) -> None:
    source, _ = split_model(model)
    if name.endswith(".weights.h5"):
        source.save_weights(tmp_path / name)
    else:
        (model if name.endswith(".keras") else source).save(tmp_path / name)
    gcs_server.upload(bucket, f"weights/{name}", (tmp_path / name).read_bytes())
    address = pin(f"gs://{gcs_server.BUCKET}/weights/{name}")
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    load_checkpoint(encoder, address, "B0", digest=digest)
    assert_same_weights(encoder, source)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_file_in_a_bucket_that_is_not_meant_is_refused(encoder: keras.Model, bucket: str, tmp_path: Path) -> None:
    address = f"gs://{gcs_server.BUCKET}/weights.h5"
    with pytest.raises(FileNotFoundError, match=rf"{address}: no such object"):
        load_checkpoint(encoder, address, "B0")
    gcs_server.upload(bucket, "weights.h5", b"one")
    pinned = pin(address)
    with pytest.raises(ValueError, match=rf"checkpoint {address} has SHA-256 [0-9a-f]{{64}}, expected abc: it is another file"):
        load_checkpoint(encoder, address, "B0", digest="abc")
    with pytest.raises(ValueError, match=rf"checkpoint {address} does not fit EfficientNet-B0 at 32 px"):
        load_checkpoint(encoder, address, "B0")
    gcs_server.upload(bucket, "weights.h5", b"two")
    with pytest.raises(FileNotFoundError, match=rf"{pinned}: no such generation of the object"):
        load_checkpoint(encoder, pinned, "B0")
    assert list((tmp_path / "temporary").iterdir()) == []
