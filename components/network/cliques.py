"""The shape of what the network is trained on: cliques of dated images of one series, and the pairs in them.

S cliques in all, K images per clique, P = K(K-1)/2 pairs.
"""

import dataclasses
import itertools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Cliques:
    """Training data in the order it is used."""

    images: np.ndarray  # [S, K] int64, rows of the image array, earlier days first
    deltas_days: np.ndarray  # [S, P] float32, the label of each pair of `pair_positions(K)`
    weights: np.ndarray  # [S, P] float32; 0 for pairs that only pad a series of fewer than K images, else 1
    views: np.ndarray  # [S] int32, the transform of the whole clique


def pair_positions(clique_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the earlier and the later image of every pair in a clique: [P], [P] int64, in 2-combination order."""
    earlier, later = np.array(list(itertools.combinations(range(clique_size), 2)), np.int64).T
    return earlier, later
