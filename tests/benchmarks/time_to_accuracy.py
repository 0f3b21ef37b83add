"""A finished smoke run enters; seconds until a held-out fold is predicted well, with its settings and by the recipe, leave.

`python -m tests.benchmarks.time_to_accuracy RUN` trains with smoke's settings on other folds and from other seeds than the run,
and the winner's recipe once per fold on the same photos. The smoke benchmark asks the same of the run itself.
"""

import argparse
import dataclasses
import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract import schema
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from launch.runs.record import RUN_JSON
from tests.benchmarks.winner import run_peer

SHARE_OF_BASELINE = 0.4
PEER_BATCH, EVALUATE_EVERY = 8, 50  # pairs; steps


@dataclasses.dataclass(frozen=True)
class Training:
    """What one training of ours left: its settings, counts, and a row per epoch."""

    settings: dict[str, Any]
    counts: dict[str, Any]
    history: pd.DataFrame

    @property
    def target_rmse(self) -> float:
        """The error to reach on the held-out fold, days."""
        return SHARE_OF_BASELINE * float(self.counts["baseline_rmse_days"])

    @property
    def reached(self) -> pd.DataFrame:
        """The epochs at whose ends the target was met."""
        return self.history[self.history["val_rmse_days"] <= self.target_rmse]

    @property
    def seconds(self) -> float:
        """From the start of training, with decoding, building and tracing, until the target; not a number where it was missed."""
        before_training = self.counts["seconds"] - self.history["seconds"].iloc[-1]
        return before_training + self.reached["seconds"].iloc[0] if len(self.reached) else math.nan


def read_training(model: Path, history: Path) -> Training:
    """Reads what train left in its artifacts."""
    record = json.loads((model / schema.STAGE_RECORD).read_text(encoding="utf-8"))
    return Training(record["settings"], record["counts"], pd.read_csv(history / schema.HISTORY_CSV))


def stage_outputs(run: Path) -> dict[str, Path]:
    """Returns the folder of every artifact of a run, by the artifact's name."""
    record: dict[str, Any] = json.loads((run / RUN_JSON).read_text(encoding="utf-8"))
    return {name: Path(uri) for entry in record["stages"] for name, uri in entry["outputs"].items()}


def write_pairs(outputs: Mapping[str, Path], examples: Path) -> None:
    """Writes the winner's TFRecords of a run's photos and pairs."""
    from components.write_tfrecords.write import write_tfrecords  # TensorFlow, which a benchmark of processes does not need

    folders = {name: outputs[name] for name in ("images", "catalog", "pairs", "folded_pairs")}
    write_tfrecords(**folders, examples=examples, settings=WriteTfrecordsSettings(layout="pairs"))


def race(training: Training, examples: Path, limit: float, **changed: Any) -> dict[str, Any]:
    """Trains the recipe, `changed`, until the target of `training` or `limit` seconds; returns what peer.py measured."""
    settings = training.settings
    return run_peer(
        "train", examples, dim=settings["dim"], encoder=settings["encoder"], fold=settings["fold"],
        target_rmse=training.target_rmse, evaluate_every=EVALUATE_EVERY, limit=limit, **changed,
    )  # fmt: skip


def outcome(peer: dict[str, Any]) -> str:
    """When a peer was as good as the target, or how good it was when it was stopped."""
    last = peer["evaluations"][-1]
    after = f"{last['seconds']:.0f} s ({last['steps'] * PEER_BATCH:,} pairs)"
    return after if peer["reached"] else f"> {after}, stopped at {last['rmse']:.2f} days"


def train_again(settings: dict[str, Any], examples: Path, fold: int, seed: int) -> Training:
    """Trains with a run's settings, but for fold and seed."""
    from components.train.fit import train

    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder, name) for name in ("model", "history", "out_of_fold")}
        train(examples=examples, settings=TrainSettings(**{**settings, "fold": fold, "seed": seed}), **outputs)
        return read_training(outputs["model"], outputs["history"])


def main() -> None:
    """Prints a line per training, and one per fold for the recipe."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.time_to_accuracy", description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a finished run of preset smoke")
    parser.add_argument("--fold", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--times", type=float, default=20, help="stop the recipe after so many times our slowest seed's seconds")
    options = parser.parse_args()
    outputs = stage_outputs(options.run)
    settings = read_training(outputs["model"], outputs["history"]).settings
    print("| fold | target, days | who | seed | seconds to the target | RMSE / baseline at the end |\n" + "|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as folder:
        write_pairs(outputs, Path(folder))
        for fold in options.fold:
            ours = [train_again(settings, outputs["examples"], fold, seed) for seed in options.seed]
            target = f"{ours[0].target_rmse:.2f}"
            for seed, training in zip(options.seed, ours, strict=True):
                ratio = training.counts["validation_rmse_days"] / training.counts["baseline_rmse_days"]
                print(f"| {fold} | {target} | ours | {seed} | {training.seconds:.0f} | {ratio:.3f} |", flush=True)
            slowest = max(training.counts["seconds"] if math.isnan(training.seconds) else training.seconds for training in ours)
            print(f"| {fold} | {target} | the recipe | - | {outcome(race(ours[0], Path(folder), options.times * slowest))} | - |")


if __name__ == "__main__":
    main()
