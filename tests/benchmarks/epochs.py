"""Examples of a smoke run in, a table out: how well training ends, by clique size, epochs and averaging of weights.

An epoch on cliques of K photos has K(K-1)/2 pairs per clique, and so about K - 1 times fewer backbone passes than an epoch of
pairs, after which the winner stops. How many epochs end as well is what this shows: `python -m tests.benchmarks.epochs EXAMPLES`.
Each step sees 16 photos, as the winner's does.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path

from components.train.fit import train
from components.train.settings import TrainSettings

IMAGES_PER_BATCH = 16
ENDINGS = (  # clique size, epochs, ema_momentum
    (2, 1, 0.0),
    (8, 1, 0.0),
    (8, 2, 0.0),
    (8, 3, 0.0),
    (8, 4, 0.0),
    (8, 4, 0.99),
)


def main() -> None:
    """Trains every line's network with every seed; prints passes, each seed's validation RMSE / baseline, and the median."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.epochs", description=__doc__)
    parser.add_argument("examples", type=Path, help="the examples artifact of a smoke run")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    options = parser.parse_args()
    print("| K | cliques | epochs | EMA | backbone passes | RMSE / baseline | median |\n" + "|---" * 7 + "|")
    for clique_size, epochs, ema_momentum in ENDINGS:
        settings = TrainSettings(
            encoder="B0", dim=64, checkpoint="none", mixed_precision="float32", lstm_units=256, clique_size=clique_size,
            cliques_per_batch=IMAGES_PER_BATCH // clique_size, epochs=epochs, learning_rate=options.learning_rate,
            schedule="cosine", ema_momentum=ema_momentum, batchnorm_momentum=0.9, reestimate_batchnorm=True, shuffle_buffer=0,
        )  # fmt: skip
        ended = [train_once(options.examples, settings, seed) for seed in options.seed]
        passes, ratios = ended[0][0], [ratio for _, ratio in ended]
        cells = (clique_size, settings.cliques_per_batch, epochs, ema_momentum, f"{passes:,}")
        shown = " ".join(f"{ratio:.3f}" for ratio in ratios)
        print("| " + " | ".join(map(str, cells)) + f" | {shown} | {statistics.median(ratios):.3f} |", flush=True)


def train_once(examples: Path, settings: TrainSettings, seed: int) -> tuple[int, float]:
    """Returns the images that the backbone was trained on, and the validation RMSE as a share of the baseline's."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder, name) for name in ("model", "history", "out_of_fold")}
        counts = train(examples=examples, settings=dataclasses.replace(settings, seed=seed), **outputs)["counts"]
    return counts["steps"] * IMAGES_PER_BATCH, counts["validation_rmse_days"] / counts["baseline_rmse_days"]


if __name__ == "__main__":
    main()
