"""What a training makes smaller: errors in days, of the pairs that count."""

import keras
import numpy as np
import pytest

from components.train.optimizer import compile_model
from components.train.settings import TrainSettings

TRUE = np.zeros((1, 4, 1), np.float32)  # one clique, four pairs
ANSWERED = np.array([[[1.0], [-2.0], [6.0], [100.0]]], np.float32)
WEIGHTS = np.array([[1.0, 1.0, 1.0, 0.0]], np.float32)  # the last pair is padding


@pytest.mark.parametrize(
    ("huber_days", "expected"),
    [
        (0.0, (1 + 4 + 36) / 3),
        (2.0, (1 / 2 + 4 / 2 + 2 * (6 - 1)) / 3),  # beyond 2 days a line that goes on as steeply as the parabola ends
        (10.0, (1 + 4 + 36) / 2 / 3),
    ],
)
def test_the_loss_is_the_square_or_hubers_over_the_pairs_that_count(huber_days: float, expected: float) -> None:
    network = keras.Sequential([keras.Input((4, 1)), keras.layers.Dense(1)])
    compile_model(network, TrainSettings(huber_days=huber_days))
    assert float(network.loss(TRUE, ANSWERED, WEIGHTS)) == pytest.approx(expected)
