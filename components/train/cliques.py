"""Draws the whole order of training: which images, in which clique, under which transform.

A clique is K dated images of one series with all its K(K-1)/2 pairs, so that one backbone pass per image serves every pair.
K = 2 is the winner's pair batch. Everything random about the data is drawn here, in NumPy, before training starts; what
follows only gathers.

S cliques in all, K images per clique, P = K(K-1)/2 pairs.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from components.network.cliques import Cliques, pair_positions


def draw_cliques(
    images: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    num_cliques: int,
    clique_size: int,
    augmentations: int,
    shuffle_buffer: int,
    rng: np.random.Generator,
) -> Cliques:
    """Draws cliques so that every pair is equally likely.

    Each clique grows from a pair: passes over the shuffled pairs supply the seeds, and the other K - 2 images come from the
    seed's series, without replacement. A series is thus met in proportion to its number of pairs, and K = 2 visits every pair
    once per pass, as the winner's pipeline does (a shuffle buffer blurs where a pass ends, as in tf.data). A series of n < K
    images gives cliques of n(n-1)/2 pairs and padding.

    Args:
        images: columns series and day; the row number is the image's place in the image array.
        pairs: columns before, after (row numbers of `images`), in stored order.
        num_cliques, clique_size: S, K.
        augmentations: a clique gets transform 1..n with probability 1/2, each alike, else 0.
        shuffle_buffer: pairs held while shuffling, like tf.data's; 0 shuffles every pass as a whole.
    """
    days = images["day"].to_numpy(np.float64)
    members = {series: rows.to_numpy() for series, rows in images.index.to_series().groupby(images["series"])}
    series_of_image = images["series"].to_numpy()
    seeds = pairs[["before", "after"]].to_numpy()
    drawn = np.empty((num_cliques, clique_size), np.int64)
    distinct = np.empty(num_cliques, np.int64)
    for number, row in enumerate(itertools.islice(seed_order(len(seeds), shuffle_buffer, rng), num_cliques)):
        clique = complete_clique(seeds[row], members[series_of_image[seeds[row, 0]]], clique_size, rng)
        distinct[number] = len(clique)
        drawn[number] = np.resize(clique[np.argsort(days[clique], kind="stable")], clique_size)
    earlier, later = pair_positions(clique_size)
    return Cliques(
        images=drawn,
        deltas_days=(days[drawn[:, later]] - days[drawn[:, earlier]]).astype(np.float32),
        weights=(later[None] < distinct[:, None]).astype(np.float32),  # later > earlier, so both are distinct images
        views=draw_views(num_cliques, augmentations, rng),
    )


def share_of_process(cliques: Cliques, number: int, processes: int, *, cliques_per_batch: int) -> Cliques:
    """The cliques of every batch that process `number` of `processes` feeds: the number-th of as many equal slices."""
    batches = {
        name: rows.reshape(-1, processes, cliques_per_batch // processes, *rows.shape[1:]) for name, rows in vars(cliques).items()
    }
    return Cliques(**{name: rows[:, number].reshape(-1, *rows.shape[3:]) for name, rows in batches.items()})


def complete_clique(seed: np.ndarray, members: np.ndarray, clique_size: int, rng: np.random.Generator) -> np.ndarray:
    """The seed's two images and up to K - 2 others of its series: [<= K] int64, fewer only if the series has fewer."""
    others = members[~np.isin(members, seed)]
    return np.concatenate([seed, rng.choice(others, min(clique_size - 2, len(others)), replace=False)])


def seed_order(num_pairs: int, shuffle_buffer: int, rng: np.random.Generator) -> Iterator[int]:
    """Endless pair numbers: pass after pass, shuffled whole or through a buffer (repeat, then shuffle: tf.data's semantics)."""
    if not shuffle_buffer:
        while True:
            yield from rng.permutation(num_pairs).tolist()
    stored = itertools.cycle(range(num_pairs))
    buffer = list(itertools.islice(stored, shuffle_buffer))
    for following in stored:
        slot = int(rng.integers(shuffle_buffer))
        yield buffer[slot]
        buffer[slot] = following


def draw_views(num_cliques: int, augmentations: int, rng: np.random.Generator) -> np.ndarray:
    """[S] int32: 0 with probability 1/2, else uniform over 1..augmentations; all 0 where `augmentations` is 0."""
    if not augmentations:
        return np.zeros(num_cliques, np.int32)
    changed = rng.random(num_cliques) < 0.5
    return np.where(changed, rng.integers(1, augmentations + 1, num_cliques), 0).astype(np.int32)
