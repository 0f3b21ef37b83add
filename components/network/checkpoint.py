"""Gives an encoder the weights of a checkpoint, which a name, a path or a gs:// address tells.

ImageNet and noisy-student checkpoints are the `efficientnet` package's (its URLs, its hashes): the winner's. They were trained
on its layers, which bear the same names as Keras's own, so they are loaded by name.
"""

import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np

from components.contract.artifacts import file_digest
from components.contract.verified import unchanged
from components.network.model import load_model
from components.raw.source import GS

BACKBONE = ("stem_", "block", "top_")  # how the names of EfficientNet's layers begin, in Keras and in the package
NAMED_CHECKPOINTS = {"imagenet": "IMAGENET_WEIGHTS", "noisy-student": "NS_WEIGHTS"}


def load_checkpoint(encoder: keras.Model, checkpoint: str, variant: str, *, digest: str = "") -> None:
    """Sets the encoder's weights.

    Args:
        encoder: EfficientNet of `variant`, as build_encoder makes it.
        checkpoint: none (keep the random weights), imagenet, noisy-student, or a path or gs:// address: a Keras 2 .h5 file
            (the efficientnet package's), a .weights.h5 file of such an encoder, or a .keras file of an earlier run.
        variant: B0 to B7.
        digest: SHA-256 in hex that a file given by path or address must have; empty for any.

    Raises:
        FileNotFoundError: the file does not exist, or cannot be downloaded.
        OSError: a gs:// address that cannot be read.
        ValueError: the file's layers or shapes are not this encoder's, or it is not the file that was meant.
    """
    if checkpoint == "none":
        return
    if checkpoint.startswith(GS):
        from components.raw import gcs  # Google's library takes a while to import

        with tempfile.TemporaryDirectory(prefix="verdelta-checkpoint-") as folder:
            load_weights(encoder, gcs.download(checkpoint, Path(folder)), checkpoint, variant, digest)
        return
    path = fetch_named(checkpoint, variant) if checkpoint in NAMED_CHECKPOINTS else Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(
            f"checkpoint={checkpoint!r}: no such file; expected none, {', '.join(NAMED_CHECKPOINTS)}, "
            "or the path or gs:// address of a .h5 or .keras file."
        )
    load_weights(encoder, unchanged(path), str(path), variant, digest)


def load_weights(encoder: keras.Model, path: Path, name: str, variant: str, digest: str) -> None:
    """Sets the encoder's weights from the file at `path`, which people know by `name`; raises as `load_checkpoint`."""
    if digest and file_digest(path) != digest:
        raise ValueError(
            f"checkpoint {name} has SHA-256 {file_digest(path)}, expected {digest}: it is another file; "
            "give the file that was meant, or its checkpoint_digest."
        )
    try:
        load_file(encoder, path)
    except Exception as error:  # of h5py, of zipfile and of Keras's many readers
        raise ValueError(
            f"checkpoint {name} does not fit EfficientNet-{variant} at {encoder.input_shape[1]} px: {error} "
            "Set encoder to the variant that the checkpoint was made with, or checkpoint=none."
        ) from error
    require_plain_input(encoder, path, name)


def load_file(encoder: keras.Model, path: Path) -> None:
    """Loads one file by its kind; raises whatever its reader does where it does not fit."""
    if path.suffix == ".keras":
        encoder.set_weights(load_model(path).get_layer(encoder.name).get_weights())
    elif path.name.endswith(".weights.h5"):
        encoder.load_weights(path)
    else:
        require_layers(encoder, path)
        encoder.load_weights(path, by_name=True)


def require_plain_input(encoder: keras.Model, path: Path, name: str) -> None:
    """Refuses weights that come with a scaling of their own, as keras.applications' ImageNet files do. Raises ValueError.

    Those were trained on (x / 255 - mean) / std, for which Keras adds a layer that a model with weights=None has not.
    """
    layers = [layer.get_weights() for layer in encoder.layers if isinstance(layer, keras.layers.Normalization)]
    if path.suffix == ".h5" and not path.name.endswith(".weights.h5"):
        layers += normalizations_in(path)
    for mean, variance, *_ in layers:
        if np.any(mean != 0) or np.any(variance != 1):
            raise ValueError(
                f"checkpoint {name}: its Normalization layer holds a mean of {np.ravel(mean).tolist()} and a variance of "
                f"{np.ravel(variance).tolist()}, as the ImageNet files of keras.applications do, and this network divides by 255 "
                "alone. Expected weights of the efficientnet package (checkpoint=imagenet, noisy-student), or of an earlier run."
            )


def normalizations_in(path: Path) -> list[list[np.ndarray]]:
    """Returns the weights of a legacy file's Normalization layers, which loading by name misses where their names differ."""
    with h5py.File(path) as file:
        group = file.get("model_weights", file)
        layers = [group[name] for name in group if name.startswith("normalization")]
        return [[layer[name][()] for name in names] for layer in layers if len(names := layer.attrs.get("weight_names", ()))]


def require_layers(encoder: keras.Model, path: Path) -> None:
    """Refuses a file with other layers: loading by name would leave a layer random, or one of the file's out, without a word.

    A larger EfficientNet holds every layer of a smaller one, some in the same shapes. Keras's Normalization layer is not in
    the package's files; it does nothing here.
    """
    with h5py.File(path) as file:
        group = file.get("model_weights", file)
        stored = {name for name in group if name.startswith(BACKBONE) and len(group[name].attrs.get("weight_names", ()))}
    expected = {layer.name for layer in encoder.layers if layer.name.startswith(BACKBONE) and layer.weights}
    if stored != expected:
        raise ValueError(
            f"{len(expected - stored)} of {len(expected)} layers are not in the file, and {len(stored - expected)} of the "
            f"file's are not in the encoder, such as {', '.join(sorted(stored ^ expected)[:3])}."
        )


def fetch_named(checkpoint: str, variant: str) -> Path:
    """Fetches a named checkpoint (once: Keras keeps it) and verifies its hash. Raises FileNotFoundError: it cannot be fetched."""
    from efficientnet import weights

    prefix = NAMED_CHECKPOINTS[checkpoint]
    model_name = f"efficientnet-{variant.lower()}"
    suffix = {"imagenet": "_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5", "noisy-student": "_noisy-student_notop.h5"}
    file_name = model_name + suffix[checkpoint]
    url = getattr(weights, f"{prefix}_PATH") + file_name
    digest = getattr(weights, f"{prefix}_HASHES")[model_name][1]
    try:
        return Path(keras.utils.get_file(file_name, url, cache_subdir="models", file_hash=digest))
    except Exception as error:  # get_file raises bare Exception
        raise FileNotFoundError(
            f"checkpoint={checkpoint!r}: could not fetch {url} ({error}). Download it where there is network and give its path, "
            "or set checkpoint=none."
        ) from error
