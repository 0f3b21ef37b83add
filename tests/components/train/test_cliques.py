"""Cliques: the stored order, every pair alike, days in order, padding, views."""

import collections
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_dataset import FOLDS, write_sources

from components.train.cliques import Cliques, draw_cliques, draw_views, pair_positions, seed_order, share_of_process
from components.train.fit import load_fold
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

Pair = tuple[int, int]


def small_catalog(series_days: dict[str, list[int]], seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images in shuffled rows, and all pairs of each series in shuffled order."""
    rows = [(series, day) for series, days in series_days.items() for day in days]
    images = pd.DataFrame(rows, columns=["series", "day"]).sample(frac=1.0, random_state=seed).reset_index(drop=True)
    pairs = [
        (before, after)
        for _, members in images.sort_values("day").groupby("series")
        for before, after in itertools.combinations(members.index, 2)
    ]
    return images, pd.DataFrame(pairs, columns=["before", "after"]).sample(frac=1.0, random_state=seed).reset_index(drop=True)


def draw(
    images: pd.DataFrame, pairs: pd.DataFrame, num_cliques: int, clique_size: int, buffer: int = 0, seed: int = 0
) -> Cliques:
    return draw_cliques(
        images, pairs, num_cliques=num_cliques, clique_size=clique_size, augmentations=5, shuffle_buffer=buffer,
        rng=np.random.default_rng(seed),
    )  # fmt: skip


def as_tuples(rows: np.ndarray) -> list[Pair]:
    return [(int(before), int(after)) for before, after in rows]


SERIES = {"BC_01": [1, 2, 4, 9, 10, 30], "LT_01": [3, 5, 6, 8], "LT_02": [2, 7, 11, 12, 20, 21, 22, 40, 41]}
NUM_PAIRS = 15 + 6 + 36


# Order


def test_pairs_of_two_are_visited_in_the_stored_files_order(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    sources = write_sources(tmp_path)
    write_tfrecords(**sources, examples=examples, settings=WriteTfrecordsSettings())
    data = load_fold(examples, TrainSettings(fold=1, dim=32))
    stored = pd.read_csv(sources["folded_pairs"] / "train_pairs.csv")
    assert not stored["pair_id"].is_monotonic_increasing
    expected = [
        (pair["before_image_id"], pair["after_image_id"])
        for fold in (0, 2)  # file after file, each in the shuffled order
        for pair in stored.to_dict("records")
        if FOLDS[pair["series"]] == fold
    ]
    cliques = draw(data.table, data.train, num_cliques=2 * len(expected), clique_size=2, buffer=1)
    names = data.table["image_id"].to_numpy()[cliques.images]
    assert [tuple(pair) for pair in names] == expected * 2


@pytest.mark.parametrize("clique_size", [2, 4])
def test_without_a_buffer_every_pair_seeds_one_clique_per_pass(clique_size: int) -> None:
    images, pairs = small_catalog(SERIES)
    order = list(itertools.islice(seed_order(len(pairs), 0, np.random.default_rng(0)), 3 * NUM_PAIRS))
    passes = [order[start : start + NUM_PAIRS] for start in range(0, 3 * NUM_PAIRS, NUM_PAIRS)]
    assert all(sorted(one) == list(range(NUM_PAIRS)) for one in passes)
    assert passes[0] != passes[1] != passes[2]
    cliques = draw(images, pairs, NUM_PAIRS, clique_size)
    series = collections.Counter(images["series"].to_numpy()[cliques.images[:, 0]])
    assert series == {"BC_01": 15, "LT_01": 6, "LT_02": 36}
    if clique_size == 2:
        assert sorted(as_tuples(cliques.images)) == sorted(as_tuples(pairs.to_numpy()))


@pytest.mark.parametrize("buffer", [1, 2, 10, 57, 58, 1024])  # none; smallest; usual; one pass; just more; many passes
def test_a_buffer_delays_pairs_but_never_loses_or_repeats_one(buffer: int) -> None:
    """What left the buffer is part of what entered it: the first n + buffer pairs of the endless stored order."""
    drawn = 5 * NUM_PAIRS
    order = list(itertools.islice(seed_order(NUM_PAIRS, buffer, np.random.default_rng(1)), drawn))
    for n in range(1, drawn + 1):
        entered = collections.Counter(number % NUM_PAIRS for number in range(n + buffer - 1))
        assert not collections.Counter(order[:n]) - entered


def test_a_buffers_first_pair_is_any_of_its_pairs_alike() -> None:
    first = collections.Counter(next(seed_order(NUM_PAIRS, 8, np.random.default_rng(seed))) for seed in range(4000))
    assert set(first) == set(range(8))
    assert all(abs(count - 500) < 5 * np.sqrt(500) for count in first.values())


def test_the_seed_decides_everything() -> None:
    images, pairs = small_catalog(SERIES)
    one, same, other = (draw(images, pairs, 40, 4, buffer=10, seed=seed) for seed in (1, 1, 2))
    for name in ("images", "deltas_days", "weights", "views"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.images, other.images)


# Content


@pytest.mark.parametrize("clique_size", [3, 4])
def test_every_pair_is_equally_likely(clique_size: int) -> None:
    """Expected count: cliques x their pairs / all pairs, 5 standard deviations allowed."""
    images, pairs = small_catalog(SERIES)
    cliques = draw(images, pairs, 200 * NUM_PAIRS, clique_size)
    seen = collections.Counter(pair for clique in cliques.images.tolist() for pair in itertools.combinations(clique, 2))
    assert set(seen) == set(as_tuples(pairs.to_numpy()))
    expected = 200 * clique_size * (clique_size - 1) / 2
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in seen.values()), seen


@pytest.mark.parametrize("clique_size", [2, 3, 4])
def test_a_clique_is_distinct_images_of_one_series_in_the_order_of_days(clique_size: int) -> None:
    images, pairs = small_catalog(SERIES)
    cliques = draw(images, pairs, 300, clique_size)
    assert cliques.images.shape == (300, clique_size)
    for clique in cliques.images:
        assert images.loc[clique, "series"].nunique() == 1
        assert len(set(clique)) == clique_size
        assert images.loc[clique, "day"].is_monotonic_increasing
    np.testing.assert_array_equal(cliques.weights, np.ones((300, clique_size * (clique_size - 1) // 2), np.float32))


@pytest.mark.parametrize("clique_size", [2, 3, 5])
def test_labels_are_the_days_between_the_two_images_of_each_pair(clique_size: int) -> None:
    images, pairs = small_catalog({"BC_01": [1, 2, 4, 9, 10, 30]})
    cliques = draw(images, pairs, 50, clique_size)
    assert cliques.deltas_days.dtype == cliques.weights.dtype == "float32"
    for clique, deltas in zip(cliques.images, cliques.deltas_days, strict=True):
        days = [int(images.loc[row, "day"]) for row in clique]
        assert deltas.tolist() == [later - earlier for earlier, later in itertools.combinations(days, 2)]


def test_pair_positions_follow_the_2_combinations() -> None:
    earlier, later = pair_positions(4)
    assert list(zip(earlier.tolist(), later.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert [positions.tolist() for positions in pair_positions(2)] == [[0], [1]]


def test_a_series_of_fewer_images_than_a_clique_counts_each_of_its_pairs_once() -> None:
    images, pairs = small_catalog({"BC_01": [1, 4, 9], "LT_01": [2, 7]})
    cliques = draw(images, pairs, 40, 5)
    assert cliques.images.shape == (40, 5)
    lengths = set()
    for clique, deltas, weights in zip(cliques.images, cliques.deltas_days, cliques.weights, strict=True):
        series = images[images["series"] == images.loc[clique[0], "series"]].sort_values("day")
        lengths.add(len(series))
        counted = [
            (pair, delta)
            for pair, delta, weight in zip(
                itertools.combinations(clique.tolist(), 2), deltas.tolist(), weights.tolist(), strict=True
            )
            if weight == 1
        ]
        days = series["day"].to_dict()
        assert counted == [((a, b), days[b] - days[a]) for a, b in itertools.combinations(series.index.tolist(), 2)]
        assert set(weights.tolist()) == {0.0, 1.0}
    assert lengths == {2, 3}


# Views


@pytest.mark.parametrize("augmentations", [1, 5, 9])
def test_half_of_the_cliques_get_one_of_the_transforms_alike(augmentations: int) -> None:
    views = draw_views(40_000, augmentations, np.random.default_rng(0))
    counts = collections.Counter(views.tolist())
    assert views.dtype == "int32" and set(counts) == set(range(augmentations + 1))
    assert abs(counts[0] - 20_000) < 5 * 100  # sqrt(40,000 / 4)
    expected = 20_000 / augmentations
    assert all(abs(counts[view] - expected) < 5 * np.sqrt(expected) for view in range(1, augmentations + 1))


def test_no_augmentations_leave_every_clique_as_it_is() -> None:
    np.testing.assert_array_equal(draw_views(100, 0, np.random.default_rng(0)), np.zeros(100, np.int32))


def test_the_processes_shares_of_a_batch_are_the_batch() -> None:
    """6 batches of 6 cliques among 3 processes: each feeds 2 in a row, and together they feed all in order."""
    whole = draw(*small_catalog({"a": [1, 2, 5, 9], "b": [1, 3, 4]}), num_cliques=36, clique_size=3)
    shares = [share_of_process(whole, number, 3, cliques_per_batch=6) for number in range(3)]
    for name, rows in vars(whole).items():
        parts = [getattr(share, name) for share in shares]
        for batch in range(6):
            together = np.concatenate([part[2 * batch : 2 * batch + 2] for part in parts])
            np.testing.assert_array_equal(together, rows[6 * batch : 6 * batch + 6])
