"""A tiny run whose stages are called one after the other in this process: every kind of artifact, laid out as kfp does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import write_raw
from train_and_predict import TRAIN, small_encoder

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract.shards import joined
from components.generate_pairs.catalogs import merge_catalogs
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.network import model as network
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.report.report import write_report
from components.report.settings import ReportSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.fit import load_fold, train
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.tables import write_tables
from components.write_tfrecords.write import write_tfrecords

OUTPUTS = {
    "resize_images": ("images", "catalog"),
    "generate_pairs": ("catalog", "pairs"),
    "split_folds": ("folded_pairs",),
    "write_tfrecords": ("examples", "tables"),
    "train": ("model", "history", "out_of_fold"),
    "predict": ("predictions",),
    "calibrate": ("submission",),
    "report": ("html", "summary"),
}


class OneProcessRun:
    """The run's artifacts below `root`; each method executes a stage on them, and writes elsewhere unless it is the first time.

    Attributes:
        counts: of the report's record.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.out, self.counts = root, root, dict[str, Any]()
        write_raw(root / "raw")
        self.resize_images()
        for stage in list(OUTPUTS)[1:]:
            getattr(self, stage)()
        self.out = root / "again"

    def place(self, stage: str, output: str) -> Path:
        """Where an artifact of the run lies."""
        return self.root / stage.replace("_", "-") / output

    def to(self, stage: str, output: str) -> Path:
        """Where a stage that is executed now writes."""
        return self.out / stage.replace("_", "-") / output

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every file of every artifact, behind the stage that wrote it."""
        for stage, outputs in OUTPUTS.items():
            for output in outputs:
                place = self.place(stage, output)
                yield from ((stage, path) for path in (sorted(place.iterdir()) if place.is_dir() else [place]))

    def resize_images(self) -> None:
        images, catalog = self.to("resize_images", "images"), self.to("resize_images", "catalog")
        resize_images(raw=self.root / "raw", images=images, catalog=catalog, settings=ResizeImagesSettings(image_size=32))

    def generate_pairs(self) -> None:
        catalog = self.to("generate_pairs", "catalog")
        merge_catalogs(catalogs=[self.place("resize_images", "catalog")], catalog=catalog)
        generate_pairs(catalog=catalog, pairs=self.to("generate_pairs", "pairs"), settings=GeneratePairsSettings())

    def read_pairs(self) -> None:
        """generate_pairs on the catalog that it has merged before."""
        catalog = self.place("generate_pairs", "catalog")
        generate_pairs(catalog=catalog, pairs=self.to("generate_pairs", "pairs"), settings=GeneratePairsSettings())

    def split_folds(self) -> None:
        settings = SplitFoldsSettings(num_folds=2)
        split_folds(
            pairs=self.place("generate_pairs", "pairs"), folded_pairs=self.to("split_folds", "folded_pairs"), settings=settings
        )

    def write_tfrecords(self) -> None:
        sources = {
            "catalog": self.place("generate_pairs", "catalog"),
            "pairs": self.place("generate_pairs", "pairs"),
            "folded_pairs": self.place("split_folds", "folded_pairs"),
        }
        images, settings = joined([self.place("resize_images", "images")]), WriteTfrecordsSettings()
        record = write_tfrecords(images=images, **sources, examples=self.to("write_tfrecords", "examples"), settings=settings)
        tables = self.to("write_tfrecords", "tables")
        write_tables(**sources, tables=tables, settings=settings, counts=record["counts"])

    def train(self) -> None:
        folders = {name: self.to("train", name) for name in OUTPUTS["train"]}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(network, "build_encoder", small_encoder)
            train(examples=self.place("write_tfrecords", "examples"), settings=TRAIN, **folders)

    def read_examples(self) -> None:
        """What train does first."""
        load_fold(self.place("write_tfrecords", "examples"), TRAIN)

    def predict(self) -> None:
        examples, model = self.place("write_tfrecords", "examples"), self.place("train", "model")
        settings = PredictSettings(tta_views=1, prediction_batch_size=4)
        predict(examples=examples, model=model, predictions=self.to("predict", "predictions"), settings=settings)

    def calibrate(self) -> None:
        calibrate(
            catalog=self.place("generate_pairs", "catalog"),
            predictions=[self.place("predict", "predictions")],
            out_of_fold=[self.place("train", "out_of_fold")],
            histories=[self.place("train", "history")],
            submission=self.to("calibrate", "submission"),
            settings=CalibrateSettings(),
        )

    def score(self) -> None:
        """calibrate as of new photos, by the calibration of this run."""
        calibrate(
            catalog=self.place("generate_pairs", "catalog"),
            predictions=[self.place("predict", "predictions")],
            calibrated=self.place("calibrate", "submission"),
            submission=self.to("calibrate", "submission"),
            settings=CalibrateSettings(),
        )

    def report(self) -> None:
        record = write_report(
            images=joined([self.place("resize_images", "images")]),
            tables=self.place("write_tfrecords", "tables"),
            submission=self.place("calibrate", "submission"),
            html=self.to("report", "html"),
            summary=self.to("report", "summary"),
            settings=ReportSettings(strip_pairs=1),
        )
        self.counts = self.counts or record["counts"]
