"""Measures how accurate verdelta is on synthetic plants, beside the winner's recipe and beside what is possible.

`make accuracy` trains on several seeds of the sample dataset, keeps what it has trained under --work so that it can be
interrupted, and prints the tables of docs/accuracy.md. Everything is of preset smoke's size: EfficientNet-B0 at 64 px.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

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
    """A trained model and what it predicts, below `root`."""

    root: Path

    @property
    def counts(self) -> dict[str, Any]:
        """Of train's record."""
        return json.loads((self.root / "model/stage.json").read_text(encoding="utf-8"))["counts"]


def trained(dataset: Dataset, name: str, *, fold: int = 0, **changed: Any) -> Trained:
    """Trains with preset smoke's settings but for `changed`, and predicts the test pairs, where that was not done before."""
    from components.predict.predict import predict  # with them comes TensorFlow
    from components.train.fit import train

    root = dataset.root / f"{name}-{fold}"
    if not (root / "predictions/manifest.json").exists():
        dataset.make()
        chosen = {**dataclasses.asdict(TrainSettings()), **smoke(), **changed, "fold": fold, "checkpoint_minutes": 0.0}
        outputs = {output: root / output for output in ("model", "history", "out_of_fold")}
        train(examples=dataset.place("examples"), settings=TrainSettings.of(chosen), **outputs)
        views = PredictSettings(tta_views=chosen["tta_views"], prediction_batch_size=32)
        predict(examples=dataset.place("examples"), model=root / "model", predictions=root / "predictions", settings=views)
    return Trained(root)


def recipe_of(dataset: Dataset, ours: Trained) -> Trained:
    """The winner's recipe on a network of smoke's size, from random weights too, with as many backbone passes as `ours` had."""
    size = {name: smoke()[name] for name in ("encoder", "dim", "checkpoint", "mixed_precision")}
    passes = ours.counts["steps"] * smoke()["clique_size"] * smoke()["cliques_per_batch"]
    settings = {**dataclasses.asdict(TrainSettings()), **size, "steps_per_epoch": passes // PASSES_PER_STEP}
    return trained(dataset, "recipe", **settings, tta_views=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path("runs/.accuracy"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    for seed in options.seeds:
        dataset = Dataset(options.work / f"top-{seed}", "top", seed)
        ours = trained(dataset, "ours")
        recipe_of(dataset, ours)
    first = Dataset(options.work / f"top-{options.seeds[0]}", "top", options.seeds[0])
    for fold in range(1, 5):
        trained(first, "ours", fold=fold)


if __name__ == "__main__":
    main()
