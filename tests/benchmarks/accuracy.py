"""Measures how accurate verdelta is on synthetic plants, beside the winner's recipe and beside what is possible.

`make accuracy` trains on several seeds of the sample dataset, keeps what it has trained under --work so that it can be
interrupted, and prints the tables of docs/accuracy.md. Everything is of preset smoke's size: EfficientNet-B0 at 64 px.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract import schema
from components.contract.scores import rmse_days
from components.contract.shards import joined
from components.contract.tables.stage_tables import read_table
from components.generate_pairs.catalogs import merge_catalogs
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.predict.settings import PredictSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.sample_dataset.plan import SHIFTED_FOLDERS, plan_dataset
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords
from launch.runs.presets import smoke, winner
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


def answers(dataset: Dataset, models: Sequence[Trained], **settings: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Calibrates what models predict; returns the intervals' table with `true`, `oracle`, `shifted`, and the calibration."""
    with tempfile.TemporaryDirectory() as folder:
        calibrate(
            catalog=dataset.place("catalog"),
            predictions=[model.root / "predictions" for model in models],
            out_of_fold=[model.root / "out_of_fold" for model in models],
            submission=Path(folder),
            settings=CalibrateSettings(**settings),
        )
        table = read_table(Path(folder, schema.INTERVALS_CSV), schema.INTERVALS_COLUMNS).set_index("idx").sort_index()
        calibration = json.loads(Path(folder, schema.CALIBRATION_JSON).read_text(encoding="utf-8"))
    pairs = plan_dataset(SampleDatasetSettings(seed=dataset.seed)).test_pairs  # in the order of idx
    true, oracle = ([pair[place] for pair in pairs] for place in (2, 3))
    shifted = table["series"].str.endswith(tuple(map(str, SHIFTED_FOLDERS)))
    return table.assign(true=true, oracle=oracle, shifted=shifted), calibration


def rmse(table: pd.DataFrame, column: str = "time_delta") -> float:
    """RMSE in days of a column of `answers`."""
    return rmse_days(table[column], table["true"])


def row_of(dataset: Dataset, recipe: Trained | None, ours: Trained) -> dict[str, float]:
    """The figures of one seed: RMSE in days, on ordinary test series but where `shifted` is said."""
    raw, _ = answers(dataset, [ours])
    fitted, _ = answers(dataset, [ours], calibration="fit")
    daily, _ = answers(dataset, [ours], cadence_days=1.0)
    plain, shifted = (~raw["shifted"], raw["shifted"])
    row = {
        "oracle": rmse(raw[plain], "oracle"),
        "raw": rmse(raw[plain]),
        "fit": rmse(fitted[plain]),
        "daily": rmse(daily[plain]),
        "shifted raw": rmse(raw[shifted]),
        "shifted daily": rmse(daily[shifted]),
        "inside": 100 * float(daily[plain].eval("low_days <= true <= high_days").mean()),
        "shifted inside": 100 * float(daily[shifted].eval("low_days <= true <= high_days").mean()),
        "false alarms": float((raw[plain].groupby("series")["drift"].first() > schema.UNUSUAL_DRIFT).sum()),
        "shifted found": float((raw[shifted].groupby("series")["drift"].first() > schema.UNUSUAL_DRIFT).sum()),
    }
    if recipe is not None:
        row["recipe"] = rmse(answers(dataset, [recipe])[0][plain])
        rules = winner_rules()
        row["recipe, its rules"] = rmse(answers(dataset, [recipe], **rules)[0][plain])
    return row


def winner_rules() -> dict[str, Any]:
    """The winner's calibration."""
    return {name: value for name, value in winner().items() if name.startswith("calibration")}


def main() -> None:
    """Trains what is not trained yet, and prints a row per seed and their mean and spread."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.accuracy", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/.accuracy"), help="where trainings are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--style", choices=("top", "side"), default="top", help="the sample's own drawing, or another one")
    parser.add_argument("--no-recipe", action="store_true", help="leave the winner's recipe out, half of the time")
    parser.add_argument("--folds", action="store_true", help="train all folds of the first seed too: the intervals of 20 series")
    options = parser.parse_args()
    datasets = [Dataset(options.work / f"{options.style}-{seed}", options.style, seed) for seed in options.seeds]
    rows = {}
    for dataset in datasets:
        ours = trained(dataset, "ours")
        rows[dataset.seed] = row_of(dataset, None if options.no_recipe else recipe_of(dataset, ours), ours)
        print(f"seed {dataset.seed}: {rows[dataset.seed]}", flush=True)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = pd.concat([table, table.agg(["mean", "std"])]).round(2).rename_axis("seed").reset_index()
    print("|".join(["", *table.columns, ""]), "|---" * len(table.columns) + "|", sep="\n")
    for values in table.astype(str).itertuples(index=False):
        print("|".join(["", *values, ""]))
    if options.folds:
        tell_all_folds(datasets[0])


def tell_all_folds(dataset: Dataset) -> None:
    """Prints the scores, and the intervals' coverage over all train series, of a model for each fold."""
    models = [trained(dataset, "ours", fold=fold) for fold in range(5)]
    for settings in ({}, {"calibration": "fit"}, {"cadence_days": 1.0}):
        found, calibration = answers(dataset, models, **settings)
        plain = found[~found["shifted"]]
        print(
            f"five folds of seed {dataset.seed}, {settings or 'raw'}: RMSE {rmse(plain):.2f}, oracle {rmse(plain, 'oracle'):.2f}"
        )
        print(f"  {calibration['intervals']}")


if __name__ == "__main__":
    main()
