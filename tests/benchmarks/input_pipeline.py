"""Pairs per second from TFRecords to batches, beside the winner's recipe: `python -m tests.benchmarks.input_pipeline`."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.network.input.load import training_batches
from components.train.cliques import draw_cliques
from components.train.fit import derive_steps, load_fold
from components.train.settings import TrainSettings
from launch.runs.presets import fast
from tests.benchmarks.challenge import OURS, WINNERS, write_challenge
from tests.benchmarks.table import Row, main
from tests.benchmarks.winner import run_peer

IMAGE_SIZE, DIM = 1024, 512  # px, the recipe's
PEER_PAIRS, PEER_STORED = 512, 640
TARGET = 20


def measure() -> Iterator[Row]:
    """Reads the same photos both ways, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "challenge"
        write_challenge(root, image_size=IMAGE_SIZE, train_pairs=PEER_STORED, test_pairs=1)
        theirs = run_peer("read", root / WINNERS, dim=DIM, pairs=PEER_PAIRS)
        photos, epochs = read_epochs(root / OURS)
    peer = theirs["pairs"] / theirs["seconds"]
    decoding = f"with the decoding of all {photos} photos"
    for what, part, chosen in (
        ("input pipeline", f"all {len(epochs)} epochs, {decoding}", epochs),
        ("input pipeline, first epoch", f"the first epoch alone, {decoding}", epochs[:1]),
        ("input pipeline, later epochs", "all epochs but the first", epochs[1:]),
    ):
        pairs, seconds = map(sum, zip(*chosen, strict=True))
        yield Row(
            what=what,
            measured=f"{IMAGE_SIZE} px JPEGs in TFRecords to {DIM} px batches, no model, preset fast; {part}: {pairs:,} pairs",
            ours=f"{pairs / seconds:,.0f} pairs/s",
            other=f"{peer:.0f} pairs/s ({PEER_PAIRS} pairs, after its shuffle buffer was filled)",
            value=pairs / seconds / peer,
            unit="x",
            target=TARGET,
            at_least=True,
        )


def read_epochs(examples: Path) -> tuple[int, list[tuple[int, float]]]:
    """Reads what preset fast would train on: (photos decoded, pairs and seconds of each epoch, decoding in the first)."""
    preset = fast()
    names = ("clique_size", "cliques_per_batch", "shuffle_buffer", "epochs")
    settings = TrainSettings(dim=DIM, **{name: preset[name] for name in names})
    start = time.monotonic()
    data = load_fold(examples, settings)
    steps = derive_steps(len(data.train), settings)
    cliques = draw_cliques(
        data.table,
        data.train,
        num_cliques=settings.epochs * steps * settings.cliques_per_batch,
        clique_size=settings.clique_size,
        augmentations=settings.augmentations,
        shuffle_buffer=settings.shuffle_buffer,
        rng=np.random.default_rng(settings.seed),
    )
    batches = training_batches(
        data.images, cliques, cliques_per_batch=settings.cliques_per_batch, augmentations=settings.augmentations
    )
    iterator, epochs = iter(batches), []
    for _ in range(settings.epochs):
        pairs = sum(int(np.count_nonzero(weights)) for _, _, weights in (next(iterator) for _ in range(steps)))
        epochs.append((pairs, time.monotonic() - start))
        start = time.monotonic()
    return len(data.images), epochs


if __name__ == "__main__":
    main(measure)
