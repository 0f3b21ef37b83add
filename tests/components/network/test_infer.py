"""The head, taken apart into what one image and what a pair costs, against the head itself."""

import keras
import numpy as np
import pytest

from components.network.infer import PAIRS_PER_HEAD_BATCH, head_dates, pair_days
from components.network.model import build_dates_head, build_head

IMAGES, FEATURES = 9, 20


@pytest.fixture(scope="module")
def head() -> keras.Model:
    """Random biases, too: Keras starts them at 0 and 1, which would hide one left out."""
    rng = np.random.default_rng(3)
    model = build_head(FEATURES, lstm_units=12, dense_units=7)
    model.set_weights([value + rng.normal(0, 0.3, value.shape) for value in model.get_weights()])
    return model


@pytest.mark.parametrize("pairs", [1, 5, PAIRS_PER_HEAD_BATCH, PAIRS_PER_HEAD_BATCH + 1])
def test_days_are_those_that_the_head_gives_for_each_pair(head: keras.Model, pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    features = rng.normal(0, 2, (IMAGES, FEATURES)).astype(np.float32)
    before, after = rng.integers(0, IMAGES, (2, pairs))
    expected = np.asarray(head(np.stack([features[before], features[after]], axis=1)))[:, 0]
    found = pair_days(head, features, before, after)
    assert found.shape == (pairs,) and found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    if pairs > 1:
        assert not np.allclose(found, pair_days(head, features, after, before), atol=1e-2)  # their order counts


def test_a_head_that_dates_images_gives_days_that_cannot_contradict_each_other(head: keras.Model) -> None:
    rng = np.random.default_rng(5)
    dating = build_dates_head(FEATURES, dense_units=7)
    dating.set_weights([value + rng.normal(0, 0.3, value.shape) for value in dating.get_weights()])
    features = rng.normal(0, 2, (IMAGES, FEATURES)).astype(np.float32)
    before, after = np.array([0, 3, 8, 0]), np.array([3, 8, 0, 0])
    expected = np.asarray(dating(np.stack([features[before], features[after]], axis=1)))[:, 0]
    found = pair_days(dating, features, before, after)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found[0] + found[1] == pytest.approx(-found[2], abs=1e-5) and found[3] == 0 and abs(found[0]) > 0.1
    dates = head_dates(dating, [features, features[::-1]])
    assert dates is not None
    np.testing.assert_allclose(dates, dates[::-1], atol=1e-6)  # each place holds the mean of an image's and its mirror's date
    assert head_dates(head, [features]) is None
