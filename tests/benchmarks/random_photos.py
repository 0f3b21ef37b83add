"""Has train and predict compute on random photos at the challenge's counts, on machines where there is JAX but no TensorFlow.

Their own code runs but for what reads the artifacts: where TensorFlow is missing, NumPy in threads brings the batches in place of
tf.data. N images, C cliques, K images per clique.
"""

import contextlib
import importlib.util
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import pandas as pd

from components.network.input.exact_views import move_pixels

SERIES_SIZES = (40,) * 12 + (39,) * 7  # 753 photos in 19 series, as the challenge has
HELD_OUT = 4  # series: a fold of five
TEST_PHOTOS, TEST_PAIRS = 307, 3960
BATCHES_AHEAD, THREADS = 4, 8


def photos(number: int, dim: int) -> np.ndarray:
    """Random photos [N, dim, dim, 3] uint8."""
    return np.random.default_rng(0).integers(0, 256, (number, dim, dim, 3), np.uint8)


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(table of images; pairs to train on; pairs of the fold that is held out), as `components.train.fit.FoldData` has them."""
    names = [f"BC_{number:02d}" for number in range(len(SERIES_SIZES))]
    table = pd.DataFrame(
        [(f"{name}_{day}", "BC", name, day) for name, size in zip(names, SERIES_SIZES, strict=True) for day in range(size)],
        columns=["image_id", "species", "series", "day"],
    )
    pairs = []
    for name, rows in table.groupby("series").groups.items():
        pairs += [
            (f"comb_{before}_{after}", "BC", name, 0, after - before, before, after) for before, after in combinations(rows)
        ]
    columns = ["pair_id", "species", "series", "fold", "time_delta_days", "before", "after"]
    all_pairs = pd.DataFrame(pairs, columns=columns)
    for side in ("before", "after"):
        all_pairs[f"{side}_image_id"] = table["image_id"].to_numpy()[all_pairs[side]]
    held_out = all_pairs["series"].isin(names[:HELD_OUT])
    return table, all_pairs[~held_out].reset_index(drop=True), all_pairs[held_out].reset_index(drop=True)


def combinations(rows: Any) -> Iterator[tuple[int, int]]:
    """Pairs of row numbers, the earlier first."""
    return itertools.combinations(map(int, rows), 2)


def test_pairs() -> pd.DataFrame:
    """A table of test pairs, as predict reads it."""
    rng = np.random.default_rng(1)
    before = np.resize(np.arange(TEST_PHOTOS), TEST_PAIRS)
    after = (before + rng.integers(1, TEST_PHOTOS, TEST_PAIRS)) % TEST_PHOTOS
    named = {
        name: [f"photo_{row:03d}" for row in rows] for name, rows in (("before_image_id", before), ("after_image_id", after))
    }
    rows = np.arange(TEST_PAIRS)
    return pd.DataFrame({"pair_id": [f"comb_{row}" for row in rows], "idx": rows, "species": "BC", "series": "BC_99", **named})


@contextlib.contextmanager
def random_photos(dim: int) -> Iterator[None]:
    """Within the block train and predict get random photos where they would read an artifact."""
    if importlib.util.find_spec("tensorflow") is None:
        sys.modules["components.network.input.load"] = batches_by_numpy()
    from components.predict import predict
    from components.train import fit

    table, train, validation = tables()
    with contextlib.ExitStack() as replaced:
        for module, name, stand_in in (
            (fit, "load_fold", lambda *_: fit.FoldData(photos(len(table), dim), table, train, validation)),
            (fit, "make_deterministic", keras.utils.set_random_seed),
            (predict, "make_deterministic", keras.utils.set_random_seed),
            (predict, "read_table", lambda *_: test_pairs()),
            (predict, "load_images", lambda *_, **__: photos(TEST_PHOTOS, dim)),
        ):
            replaced.enter_context(mock.patch.object(module, name, stand_in))
        yield


def batches_by_numpy() -> types.ModuleType:
    """What stands in for components.network.input.load: the same names, as far as train and predict ask for them."""
    module = types.ModuleType("components.network.input.load")
    module.PROGRESS = {"file": sys.stdout, "mininterval": 10, "ncols": 90}
    module.load_images = None

    def training_batches(images: Any, cliques: Any, *, cliques_per_batch: int, **_: Any) -> Iterator[Any]:
        def batch(first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            rows = slice(first, first + cliques_per_batch)
            moved = [view_of(images[of], view) for of, view in zip(cliques.images[rows], cliques.views[rows], strict=True)]
            return np.stack(moved), cliques.deltas_days[rows, :, np.newaxis], cliques.weights[rows]

        return ahead(batch, range(0, len(cliques.images) - cliques_per_batch + 1, cliques_per_batch))

    def view_batches(images: Any, rows: np.ndarray, *, view: int, batch_size: int) -> Any:
        batches = np.resize(rows, (-(-len(rows) // batch_size), batch_size))
        return types.SimpleNamespace(as_numpy_iterator=lambda: ahead(lambda of: view_of(images[of], view), batches))

    module.training_batches, module.view_batches = training_batches, view_batches
    return module


def view_of(images: np.ndarray, view: int) -> np.ndarray:
    """Images [N, H, W, 3] uint8 under one of the views 0 to 5."""
    return move_pixels(images, int(view)) if view else images


def ahead(make: Callable[[Any], Any], items: Any) -> Iterator[Any]:
    """What `make` makes of each item, in order, some of it made in threads before it is asked for."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = []
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.pop(0).result()
        for made in waiting:
            yield made.result()


def below(folder: Path) -> dict[str, Path]:
    """The folders of train's artifacts."""
    return {name: folder / name for name in ("model", "history", "out_of_fold")}
