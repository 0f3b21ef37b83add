"""One step of training on cliques of two against the winner's pair batch: the loss and every gradient.

BatchNorm and dropout behave as in inference, then as in training (dropout rates set to zero).
"""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import DIM, SAME_TENSORFLOW, TWO_TENSORFLOWS_BACKWARDS, assert_close, settings
from winner import Winner

from components.network.model import split_model
from components.train.optimizer import compile_model

Step = tuple[float, dict[str, np.ndarray]]  # the loss, and gradients by the oracle's names


@pytest.fixture(scope="module", params=[False, True], ids=["inference", "training"])
def training(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(scope="module")
def our_step(training: bool, ours: keras.Model, pairs: tuple[np.ndarray, np.ndarray]) -> Step:
    """One step of the compiled network on cliques of two, every pair with weight one."""
    images, days = pairs
    targets, weights = days[:, None, None], np.ones((len(days), 1), np.float32)
    compile_model(ours, settings())
    before = ours.get_weights()
    with tf.GradientTape() as tape:
        loss = ours.compute_loss(images, targets, ours(images, training=training), weights, training=training)
    ours.set_weights(before)  # training moves BatchNorm's statistics
    encoder, head = split_model(ours)
    return float(loss), gradients_by_name(tape, loss, encoder, head.layers)


def gradients_by_name(tape: tf.GradientTape, loss: tf.Tensor, encoder: keras.Model, head: list[Any]) -> dict[str, np.ndarray]:
    """The oracle's names: layer and number in the encoder, number in the head."""
    named = {f"{layer.name}/{n}": weight for layer in encoder.layers for n, weight in enumerate(layer.trainable_weights)}
    named |= {f"head/{n}": weight for n, weight in enumerate(weight for layer in head for weight in layer.trainable_weights)}
    gradients = tape.gradient(loss, [weight.value for weight in named.values()])
    return {name: gradient.numpy() for name, gradient in zip(named, gradients, strict=True)}


def assert_same_step(found: Step, expected: Step, tolerance: float) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert set(found[1]) == set(expected[1]) and len(found[1]) == 211 + 7
    # in training some are zero but for rounding: a shift before the next BatchNorm, which takes it out again
    largest = max(np.abs(gradient).max() for gradient in expected[1].values())
    for name, gradient in found[1].items():
        assert_close(gradient, expected[1][name], tolerance, at_least=0.01 * largest, what=name)


def test_a_step_equals_the_winners_own(winner: Winner, our_step: Step, training: bool) -> None:
    expected = winner.answered(f"step_{'training' if training else 'inference'}.npz")
    del expected["days"]
    assert_same_step(our_step, (float(expected.pop("loss")), expected), TWO_TENSORFLOWS_BACKWARDS)


def test_a_step_equals_a_pair_batch_written_by_hand(
    our_step: Step, training: bool, by_hand: tuple[keras.Model, list[Any]], pairs: tuple[np.ndarray, np.ndarray]
) -> None:
    images, days = pairs
    encoder, (lstm, hidden, last) = by_hand
    kept = encoder.get_weights()
    with tf.GradientTape() as tape:
        maps = encoder(images.reshape(-1, DIM, DIM, 3), training=training)  # BatchNorm sees all 2B images at once
        features = tf.reshape(tf.reduce_mean(maps, axis=[1, 2]), (-1, 2, 1280))
        loss = tf.reduce_mean(tf.square(last(hidden(lstm(features)))[:, 0] - days))
    encoder.set_weights(kept)  # training moves BatchNorm's statistics, and other tests use these layers, too
    assert_same_step(our_step, (float(loss), gradients_by_name(tape, loss, encoder, [lstm, hidden, last])), SAME_TENSORFLOW)
