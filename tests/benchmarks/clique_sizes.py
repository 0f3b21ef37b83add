"""Examples of a smoke run in, a table out: backbone passes until training is accurate, by clique size and use of BatchNorm.

Every line has the same number of images per batch, so that a step costs the same whatever the clique size. Passes are what is
compared, not seconds: they do not depend on the machine's load.

Three uses of BatchNorm are read off one training run, as none of them changes the training: its moving averages; statistics
measured anew; and statistics measured anew for the weights' moving average (EMA).
"""

import argparse
import itertools
import math
import statistics
from pathlib import Path

import keras
import numpy as np

from components.network.batchnorm import reestimate_batchnorm
from components.network.infer import encode, pair_days
from components.network.input.load import training_batches
from components.network.model import batchnorms, build_model, split_model
from components.train.cliques import draw_cliques
from components.train.fit import FoldData, load_fold, make_deterministic
from components.train.optimizer import compile_model
from components.train.settings import TrainSettings

ACCURATE = 0.4  # validation RMSE as a share of the baseline's
WARMUP_STEPS = 12
VARIANTS = ("moving", "anew", "EMA, anew")


def main() -> None:
    """Trains every combination of the arguments; prints a line for each, and the medians over the seeds."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.clique_sizes", description=__doc__)
    parser.add_argument("examples", type=Path, help="the examples artifact of a smoke run")
    parser.add_argument("--clique-size", type=int, nargs="+", default=[2, 4, 8, 16, 0], help="0: the longest series")
    parser.add_argument("--learning-rate", type=float, nargs="+", default=[4e-3])
    parser.add_argument("--batchnorm-momentum", type=float, nargs="+", default=[0.9])
    parser.add_argument("--frozen", action="store_true", help="BatchNorm keeps its initial statistics: mean 0, variance 1")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--dim", type=int, default=64, help="px")
    parser.add_argument("--images-per-batch", type=int, default=32)
    parser.add_argument("--passes", type=int, default=3840, help="images trained on in all")
    parser.add_argument("--every", type=int, default=640, help="passes between validations")
    options = parser.parse_args()
    heads = [f"{kind}: {name}" for kind in ("passes", "best") for name in VARIANTS]
    print("| K | cliques | learning rate | momentum | seed | " + " | ".join(heads) + " |\n" + "|---" * (5 + len(heads)) + "|")
    for size, rate, momentum in itertools.product(options.clique_size, options.learning_rate, options.batchnorm_momentum):
        rows = [train(options, size, rate, momentum, seed) for seed in options.seed]
        medians = (statistics.median(column) for column in zip(*rows, strict=True))
        print_line(size or "all", "", rate, momentum, "median", *medians)


def train(options: argparse.Namespace, size: int, rate: float, momentum: float, seed: int) -> list[float]:
    """Trains once; returns, by variant, the passes until ACCURATE (inf: never) and the best validation RMSE / baseline."""
    make_deterministic(seed)
    table = load_fold(options.examples, TrainSettings(dim=32)).table if not size else None
    size = size or int(table.groupby("series").size().max())
    cliques = max(1, options.images_per_batch // size)
    settings = TrainSettings(
        encoder="B0", dim=options.dim, checkpoint="none", mixed_precision="float32", lstm_units=256, clique_size=size,
        cliques_per_batch=cliques, learning_rate=rate, ema_momentum=0.98, batchnorm_momentum=momentum, seed=seed,
    )  # fmt: skip
    data = load_fold(options.examples, settings)
    network = build_model(settings)
    for layer in batchnorms(split_model(network)[0]):
        layer.trainable = not options.frozen
    steps = options.passes // (size * cliques)
    order = draw_cliques(
        data.table,
        data.train,
        num_cliques=steps * cliques,
        clique_size=size,
        augmentations=settings.augmentations,
        shuffle_buffer=0,
        rng=np.random.default_rng(seed),
    )
    compile_model(network, settings)
    validate = Validate(data, every=max(1, options.every // (size * cliques)), rate=rate)
    batches = training_batches(data.images, order, cliques_per_batch=cliques, augmentations=settings.augmentations)
    network.fit(batches, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[validate])
    passes = [next((step * size * cliques for step, ratio in curve if ratio <= ACCURATE), math.inf) for curve in validate.curves]
    row = passes + [min(ratio for _, ratio in curve) for curve in validate.curves]
    print_line(size, cliques, rate, momentum, seed, *row)
    return row


class Validate(keras.callbacks.Callback):
    """Validates every few steps in each of VARIANTS, and leaves weights and statistics as it found them."""

    def __init__(self, data: FoldData, *, every: int, rate: float) -> None:
        super().__init__()
        self.data, self.every, self.rate = data, every, rate
        self.curves: list[list[tuple[int, float]]] = [[] for _ in VARIANTS]  # (steps so far, RMSE / baseline)
        self.train_rows = np.unique(data.train[["before", "after"]])
        self.rows, positions = np.unique(data.validation[["before", "after"]], return_inverse=True)
        self.before, self.after = positions.reshape(-1, 2).T

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        if batch < WARMUP_STEPS:
            self.model.optimizer.learning_rate = self.rate * (batch + 1) / WARMUP_STEPS

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        if (batch + 1) % self.every:
            return
        encoder, _ = split_model(self.model)
        before = self.model.get_weights()
        self.validate(0, batch + 1)
        reestimate_batchnorm(encoder, self.data.images, self.train_rows, batch_size=32, seed=0)
        self.validate(1, batch + 1)
        averages = self.model.optimizer._model_variables_moving_average
        for weight, average in zip(self.model.trainable_variables, averages, strict=True):
            weight.assign(average)
        reestimate_batchnorm(encoder, self.data.images, self.train_rows, batch_size=32, seed=0)
        self.validate(2, batch + 1)
        self.model.set_weights(before)

    def validate(self, variant: int, steps: int) -> None:
        encoder, head = split_model(self.model)
        features = encode(encoder, self.data.images, rows=self.rows, batch_size=32)
        days = self.data.validation["time_delta_days"].to_numpy()
        errors = pair_days(head, features, self.before, self.after) - days, days - self.data.train["time_delta_days"].mean()
        predicted, baseline = (float(np.sqrt(np.mean(np.square(error)))) for error in errors)
        self.curves[variant].append((steps, predicted / baseline))


def print_line(*values: object) -> None:
    """One row of the table."""
    print("| " + " | ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()
