"""Our network with the oracle's weights, and how near two arrays must be.

B pairs, K images per clique, P = K(K-1)/2 pairs of a clique, D features.
"""

import keras
import numpy as np
from winner import Winner

from components.network.checkpoint import load_checkpoint
from components.network.model import build_model, split_model
from components.train.settings import TrainSettings

DIM, LSTM_UNITS, DENSE_UNITS = 64, 32, 16
# of the largest value: float32's rounding in a deep network, within one TensorFlow and between two of them
SAME_TENSORFLOW, TWO_TENSORFLOWS, TWO_TENSORFLOWS_BACKWARDS = 1e-5, 1e-4, 3e-4


def settings(clique_size: int = 2) -> TrainSettings:
    return TrainSettings(
        encoder="B0", dim=DIM, mixed_precision="float32", lstm_units=LSTM_UNITS, dense_units=DENSE_UNITS, clique_size=clique_size
    )


def build_ours(winner: Winner, clique_size: int) -> keras.Model:
    """Our network with the weights of the oracle's; without dropout, as there."""
    network = build_model(settings(clique_size))
    encoder, head = split_model(network)
    load_checkpoint(encoder, str(winner.answers / "B0.h5"), "B0")
    head.set_weights(winners_head(winner))
    without_dropout(encoder)
    return network


def winners_head(winner: Winner) -> list[np.ndarray]:
    stored = winner.answered("head.npz")
    return [stored[str(number)] for number in range(len(stored))]


def without_dropout(encoder: keras.Model) -> None:
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float, at_least: float = 0.0, what: str = "") -> None:
    """Equal within `tolerance` times the largest expected value, or times `at_least` where that is larger."""
    size, difference = max(np.abs(expected).max(), at_least), np.abs(np.subtract(found, expected)).max()
    assert np.shape(found) == expected.shape and size > 0, what
    assert difference <= tolerance * size, f"{what}: differs by {difference / size:.1e} of the largest value"
