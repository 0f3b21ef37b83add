"""Trains on the sample's plants, and keeps what was trained, for `make accuracy`.

Every dataset and training lies in a folder named by its settings, so that an interrupted measurement goes on and a changed
setting is trained anew. Everything is of preset smoke's size: EfficientNet-B0 at 64 px.
"""

import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from components.contract.artifacts import write_json
from components.contract.cores import available_cores
from components.contract.shards import joined
from components.generate_pairs.catalogs import merge_catalogs
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.predict.settings import PredictSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords
from launch.runs.presets import smoke
from tests.benchmarks.side_view import side_photo

PASSES_PER_STEP = 16  # of the recipe: eight pairs


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The photos of one seed, ready to be trained on: the artifacts of the stages before train, below `root`."""

    root: Path
    style: str
    seed: int

    def place(self, name: str) -> Path:
        """Where an artifact is."""
        return self.root / name

    def make(self) -> None:
        """Draws the photos and executes the data stages, where that was not done before."""
        if (self.place("examples") / "manifest.json").exists():
            return
        settings = SampleDatasetSettings(seed=self.seed)
        if not self.place("raw").exists():
            write_sample_dataset(self.place("raw"), settings, **({"draw": side_photo} if self.style == "side" else {}))
        resized = ResizeImagesSettings.of({**dataclasses.asdict(ResizeImagesSettings()), **smoke()})
        resize_images(raw=self.place("raw"), images=self.place("images"), catalog=self.place("shard"), settings=resized)
        merge_catalogs(catalogs=[self.place("shard")], catalog=self.place("catalog"))
        generate_pairs(catalog=self.place("catalog"), pairs=self.place("pairs"), settings=GeneratePairsSettings())
        split_folds(pairs=self.place("pairs"), folded_pairs=self.place("folded_pairs"), settings=SplitFoldsSettings())
        write_tfrecords(
            images=joined([self.place("images")]),
            **{name: self.place(name) for name in ("catalog", "pairs", "folded_pairs", "examples")},
            settings=WriteTfrecordsSettings(),
        )


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and what it predicts, below `root`; its predictions may be under other views than it was trained for."""

    root: Path
    predictions: Path

    @property
    def counts(self) -> dict[str, Any]:
        """Of train's record."""
        return json.loads((self.root / "model/stage.json").read_text(encoding="utf-8"))["counts"]

    @property
    def steps(self) -> int:
        """How many it was trained for."""
        return self.counts["steps"]

    @property
    def cpu_seconds(self) -> float:
        """What its training cost, of all cores together, from decoding photos to the saved model."""
        return json.loads((self.root / "cost.json").read_text(encoding="utf-8"))["cpu_seconds"]


def trained(dataset: Dataset, *, views: int | None = None, **changed: Any) -> Trained:
    """Trains with preset smoke's settings but for `changed`, and predicts the test pairs, where that was not done before.

    Args:
        dataset: what to train on.
        views: to predict under; otherwise as many as preset smoke has.
        changed: of TrainSettings.
    """
    from components.predict.predict import predict  # with them comes TensorFlow
    from components.train.fit import train

    chosen = {**dataclasses.asdict(TrainSettings()), **smoke(), **changed, "checkpoint_minutes": 0.0}
    settings = TrainSettings.of(chosen)
    root = dataset.root / ("model-" + digest_of(dataclasses.asdict(settings)))
    views = views or smoke()["tta_views"]
    model = Trained(root, root / f"predictions-{views}")
    if not (root / "cost.json").exists():
        dataset.make()
        started = time.process_time()
        outputs = {output: root / output for output in ("model", "history", "out_of_fold")}
        train(examples=dataset.place("examples"), settings=settings, **outputs)
        write_json(root / "cost.json", {"cpu_seconds": time.process_time() - started})
    if not (model.predictions / "manifest.json").exists():
        asked = PredictSettings(tta_views=views, prediction_batch_size=32)
        predict(examples=dataset.place("examples"), model=root / "model", predictions=model.predictions, settings=asked)
    return model


@contextlib.contextmanager
def cores_in_turn(log: Path) -> Iterator[ProcessPoolExecutor]:
    """A pool with a process for each core, which stays on it: two trainings are sooner done side by side. They write to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    processes = multiprocessing.get_context("spawn")
    cores: SimpleQueue[int] = processes.SimpleQueue()
    for core in sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(available_cores()):
        cores.put(core)
    with ProcessPoolExecutor(available_cores(), processes, initializer=stay_on_a_core, initargs=(cores, log)) as pool:
        yield pool


def stay_on_a_core(cores: "SimpleQueue[int]", log: Path) -> None:
    """Begins such a process."""
    core = cores.get()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
        os.dup2(file.fileno(), sys.stdout.fileno())


def digest_of(settings: dict[str, Any]) -> str:
    """Returns the name of such settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def recipe(dataset: Dataset, steps: int, *, to_the_letter: bool = False) -> Trained:
    """The winner's recipe on a network of smoke's size: pairs in batches of eight, the LSTM, one view.

    The size and the random weights are smoke's, and so is what random weights need: learning rate, its schedule and BatchNorm's
    momentum. To the letter these are the winner's, who began with weights of ImageNet, and nothing is learned in so few steps.
    """
    names = ["encoder", "dim", "checkpoint", "mixed_precision"]
    names += [] if to_the_letter else ["learning_rate", "schedule", "batchnorm_momentum"]
    taken = {name: smoke()[name] for name in names}
    return trained(dataset, **{**dataclasses.asdict(TrainSettings()), **taken, "steps_per_epoch": steps}, views=1)


def equal_passes(ours: Trained) -> int:
    """How many steps of the recipe have as many backbone passes as `ours` had."""
    return ours.steps * smoke()["clique_size"] * smoke()["cliques_per_batch"] // PASSES_PER_STEP


def equal_seconds(ours: Trained, rival: Trained) -> int:
    """How many steps of the recipe cost what `ours` cost, reckoned by what those of `rival` did."""
    return round(rival.steps * ours.cpu_seconds / rival.cpu_seconds)
