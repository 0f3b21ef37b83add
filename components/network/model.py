"""The network: an EfficientNet that sees each image once, and an LSTM head that sees every pair.

`encoder` and `head` are named sub-models, so that features can be computed once and paired afterwards (infer.py). No tf.* in
here: the model is the same on every Keras backend.

C cliques, K images per clique, P = K(K-1)/2 pairs, D features; images in [0, 255].
"""

from pathlib import Path
from typing import Any

import keras
from keras import ops

from components.contract.naming import names_first
from components.network.cliques import pair_positions
from components.network.devices import policy
from components.network.settings import NetworkSettings

ENCODER, HEAD = "encoder", "head"
HEAD_LAYERS = LSTM, HIDDEN, DAYS = "lstm", "hidden", "days"
DROP_CONNECT, BASE_BLOCKS = 0.2, 16  # the package divides by B0's number of blocks, whatever the variant


def build_model(settings: NetworkSettings) -> keras.Model:
    """Builds the network of the winning recipe for cliques: images [C, K, H, W, 3] to days [C, P, 1] float32.

    All K images of all cliques share one batch axis in the encoder, so that BatchNorm sees them together (with K = 2, as in
    the winner's run; a TimeDistributed layer would split earlier and later images into two batches).
    """
    clique_size, dim = settings.clique_size, settings.dim
    ignore_keras_json()
    keras.config.set_dtype_policy(policy(settings.mixed_precision))
    encoder = build_encoder(settings.encoder, dim, batchnorm_momentum=settings.batchnorm_momentum)
    num_features = encoder.output_shape[-1]
    head = build_head(num_features, lstm_units=settings.lstm_units, dense_units=settings.dense_units)
    earlier, later = (positions.tolist() for positions in pair_positions(clique_size))

    images = keras.Input((clique_size, dim, dim, 3), name="images")
    features = encoder(ops.reshape(images, (-1, dim, dim, 3)))
    features = ops.reshape(features, (-1, clique_size, num_features))
    pairs = ops.stack([ops.take(features, earlier, axis=1), ops.take(features, later, axis=1)], axis=2)
    days = head(ops.reshape(pairs, (-1, 2, num_features)))
    return keras.Model(images, ops.reshape(days, (-1, len(earlier), 1)), name="verdelta")


def ignore_keras_json() -> None:
    """Sets what ~/.keras/keras.json may have changed: an old Keras leaves channels_first there, float16 or another epsilon."""
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def build_encoder(variant: str, dim: int, *, batchnorm_momentum: float = 0.99) -> keras.Model:
    """EfficientNet without its top, random weights, global average pooling: [N, dim, dim, 3] in [0, 255] to [N, D].

    With `weights=None` the model divides by 255 and does nothing else to its input, as the winner's does. Drop-connect rates
    are those of the `efficientnet` package, which the winner used: they rise by 0.2 / 16 per block in every variant, to 0.675
    in B7, where Keras scales them to end at 0.2.
    """
    encoder = getattr(keras.applications, f"EfficientNet{variant}")(
        include_top=False, weights=None, input_shape=(dim, dim, 3), pooling="avg", name=ENCODER
    )
    for layer in batchnorms(encoder):
        layer.momentum = batchnorm_momentum
    for name, rate in drop_connect_rates(encoder).items():
        encoder.get_layer(name).rate = rate
    return encoder


def drop_connect_rates(encoder: keras.Model) -> dict[str, float]:
    """The `efficientnet` package's rate for each drop-connect layer of an encoder that has one."""
    blocks = [layer.name.removesuffix("project_conv") for layer in encoder.layers if layer.name.endswith("project_conv")]
    names = {layer.name for layer in encoder.layers}
    rates = {f"{block}drop": DROP_CONNECT * number / BASE_BLOCKS for number, block in enumerate(blocks)}
    return {name: rate for name, rate in rates.items() if name in names}


def build_head(num_features: int, *, lstm_units: int, dense_units: int) -> keras.Model:
    """LSTM, Dense relu, Dense: [N, 2, D] features, earlier then later, to [N, 1] days; float32 whatever the encoder's policy."""
    layers: list[Any] = [
        keras.Input((2, num_features), name="features"),
        keras.layers.LSTM(lstm_units, dtype="float32", name=LSTM),
        keras.layers.Dense(dense_units, activation="relu", dtype="float32", name=HIDDEN),
        keras.layers.Dense(1, dtype="float32", name=DAYS),
    ]
    return keras.Sequential(layers, name=HEAD)


def batchnorms(encoder: keras.Model) -> list[Any]:
    """The BatchNormalization layers of an encoder."""
    return [layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)]


@names_first
def load_model(path: Path) -> keras.Model:
    """The model in a .keras file of train. Raises FileError: the file is damaged, or of another kind."""
    return keras.saving.load_model(path, compile=False)


def split_model(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The encoder and the head of a model that `build_model` made, or that was loaded from its file."""
    return model.get_layer(ENCODER), model.get_layer(HEAD)
