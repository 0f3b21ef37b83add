"""Seconds to predict the test pairs under six views, beside the winner's recipe: `python -m tests.benchmarks.inference`.

At fewer pixels than the challenge's 512: the recipe takes long on two cores.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from components import schema
from components.artifacts import write_record
from components.predict.predict import predict
from components.settings import PredictSettings, TrainSettings
from components.train.model import build_model
from tests.benchmarks.challenge import OURS, WINNERS, write_challenge
from tests.benchmarks.table import Row, main
from tests.benchmarks.winner import run_peer

IMAGE_SIZE, DIM = 512, 256  # px; twice as large as needed, as in the recipe
PAIRS, PEER_PAIRS, VIEWS = 3960, 192, 6


def measure() -> Iterator[Row]:
    """Predicts both ways, one after the other; each loads or builds its model, traces it and decodes its photos."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "challenge"
        write_challenge(root, image_size=IMAGE_SIZE, train_pairs=1, test_pairs=PEER_PAIRS)
        theirs = run_peer("predict", root / WINNERS, dim=DIM, pairs=PEER_PAIRS, views=VIEWS)
        model = root / "model"
        model.mkdir()
        settings = TrainSettings(encoder="B0", dim=DIM, checkpoint="none", mixed_precision="float32")
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
    yield Row(
        what="test-time augmentation",
        measured=f"{PAIRS:,} pairs of {record['counts']['test_images']} photos under {VIEWS} views, EfficientNet-B0 at {DIM} px, "
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
