"""The network against the winner's own, run by the oracle, and against the same layers stacked by hand in today's Keras."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from networks import DIM, SAME_TENSORFLOW, TWO_TENSORFLOWS, assert_close, build_ours
from winner import Winner

from components.network.infer import encode, pair_days
from components.network.model import build_model, split_model
from components.train.settings import TrainSettings


def test_network_equals_the_winners_own(winner: Winner, ours: keras.Model, pairs: tuple[np.ndarray, np.ndarray]) -> None:
    days = ours(pairs[0], training=False)
    assert days.shape == (5, 1, 1)
    assert_close(days[:, 0], winner.answered("step_inference.npz")["days"], TWO_TENSORFLOWS)


def test_network_equals_the_same_layers_stacked_by_hand(
    ours: keras.Model, by_hand: tuple[keras.Model, list[Any]], pairs: tuple[np.ndarray, np.ndarray]
) -> None:
    encoder, (lstm, hidden, last) = by_hand
    each_day = keras.layers.TimeDistributed(encoder)(pairs[0], training=False)
    features = keras.layers.TimeDistributed(keras.layers.GlobalAveragePooling2D())(each_day)
    assert_close(ours(pairs[0], training=False)[:, 0], last(hidden(lstm(features))).numpy(), SAME_TENSORFLOW)


def test_the_default_head_is_the_winners() -> None:
    network = build_model(TrainSettings(encoder="B0", dim=DIM, mixed_precision="float32"))
    shapes = [tuple(weight.shape) for weight in split_model(network)[1].weights]
    assert shapes == [(1280, 4096), (1024, 4096), (4096,), (1024, 300), (300,), (300, 1), (1,)]


def test_four_images_equal_every_pair_of_them_by_itself(winner: Winner, ours: keras.Model) -> None:
    cliques = np.random.default_rng(4).integers(0, 256, (3, 4, DIM, DIM, 3)).astype(np.float32)
    days = build_ours(winner, clique_size=4)(cliques, training=False)
    assert days.shape == (3, 6, 1)
    for number, (before, after) in enumerate(itertools.combinations(range(4), 2)):
        assert_close(days[:, number], ours(cliques[:, [before, after]], training=False)[:, 0].numpy(), SAME_TENSORFLOW)


# Features once


@pytest.mark.parametrize("batch_size", [4, 16])  # the last batch filled up; more than there are
def test_features_once_equal_the_whole_network_on_every_pair(ours: keras.Model, batch_size: int) -> None:
    images = np.random.default_rng(5).integers(0, 256, (7, DIM, DIM, 3), np.uint8)
    before, after = np.array([*itertools.combinations(range(7), 2), (5, 2), (3, 3)]).T
    expected = ours(np.stack([images[before], images[after]], axis=1).astype(np.float32), training=False)[:, 0, 0].numpy()
    encoder, head = split_model(ours)
    features = encode(encoder, images, batch_size=batch_size)
    assert features.shape == (7, 1280)
    assert_close(pair_days(head, features, before, after), expected, SAME_TENSORFLOW)


def test_more_pairs_than_the_head_takes_at_once(ours: keras.Model) -> None:
    _, head = split_model(ours)
    features = np.random.default_rng(0).normal(size=(60, 1280)).astype(np.float32)
    before, after = np.indices((60, 60)).reshape(2, -1)[:, :2100]
    expected = head(np.stack([features[before], features[after]], axis=1))[:, 0].numpy()
    assert_close(pair_days(head, features, before, after), expected, SAME_TENSORFLOW)
