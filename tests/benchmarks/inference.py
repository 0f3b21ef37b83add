"""Seconds to predict the test pairs under six views, beside the winner's recipe: `python -m tests.benchmarks.inference`.

At the challenge's 512 px, and where loading, tracing and decoding weigh more: at 192 px.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from components.contract import schema
from components.contract.artifacts import write_record
from components.network.model import build_model
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.train.settings import TrainSettings
from tests.benchmarks.challenge import OURS, WINNERS, write_challenge
from tests.benchmarks.table import Row, main
from tests.benchmarks.winner import run_peer

SIZES = ((512, 96), (192, 192))  # px, and how many of the pairs the recipe predicts, which takes it long on two cores
PAIRS, VIEWS = 3960, 6


def measure() -> Iterator[Row]:
    """Predicts both ways at each size."""
    for dim, peer_pairs in SIZES:
        yield measure_size(dim, peer_pairs)


def measure_size(dim: int, peer_pairs: int) -> Row:
    """Predicts both ways, one after the other; each loads or builds its model, traces it and decodes its photos."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "challenge"
        write_challenge(root, image_size=2 * dim, train_pairs=1, test_pairs=peer_pairs)  # twice as large, as in the recipe
        theirs = run_peer("predict", root / WINNERS, dim=dim, pairs=peer_pairs, views=VIEWS)
        model = root / "model"
        model.mkdir()
        settings = TrainSettings(encoder="B0", dim=dim, checkpoint="none", mixed_precision="float32")
        build_model(settings).save(model / schema.MODEL_FILE)
        write_record(model, "train", settings, {}, ())
        start = time.monotonic()
        record = predict(
            examples=root / OURS, model=model, predictions=root / "predictions", settings=PredictSettings(tta_views=VIEWS)
        )
        ours = time.monotonic() - start
    assert record["counts"]["test_pairs"] == PAIRS
    few, many = theirs["runs"]  # their difference is free of what comes once per view, however many the pairs
    per_pair = (many["seconds"] - few["seconds"]) / (many["pairs"] - few["pairs"])
    peer = theirs["ready_seconds"] + many["seconds"] + per_pair * (PAIRS - many["pairs"])
    return Row(
        what=f"test-time augmentation at {dim} px",
        measured=f"{PAIRS:,} pairs of {record['counts']['test_images']} photos under {VIEWS} views, EfficientNet-B0, "
        "the recipe's head; loading or building the model, tracing and decoding included",
        ours=f"{ours:.0f} s, {record['counts']['backbone_passes']:,} backbone passes",
        other=f"{peer:.0f} s, {2 * PAIRS * VIEWS:,} backbone passes (measured: {theirs['ready_seconds']:.0f} s until its model "
        f"is ready, {many['seconds']:.0f} s for {many['pairs']} of the pairs; the others at {1000 * per_pair:.0f} ms each)",
        value=peer / ours,
        unit="x",
        target=20,
        at_least=True,
    )


if __name__ == "__main__":
    main(measure)
