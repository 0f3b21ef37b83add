"""What crosses the bucket between stages, in objects and bytes: `python -m tests.benchmarks.crossings`.

The stages but training and prediction run on the challenge's counts, 753 + 307 photos of 512 px; tables of predictions are drawn,
a model's size is told. On Kubeflow a stage fetches its artifacts whole before it begins, once per fold: that is counted by the
wiring of the pipeline, and how much of it the stage has no need of. `--photos 100000` multiplies what grows with the photos;
nothing of that size is run.
"""

import argparse
import fnmatch
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract import schema
from components.contract.artifacts import write_manifest, write_record
from components.contract.photos import write_photos
from components.contract.shards import WHOLE
from components.generate_pairs.catalogs import merge_catalogs
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.predict.settings import PredictSettings
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.tables import write_tables
from components.write_tfrecords.write import write_tfrecords
from launch.runs.dag.wiring import Source, read_wiring
from pipeline import verdelta
from tests.benchmarks.challenge import DRAWN, write_catalog

PHOTOS, VIEWS, SIZE, SHOWN = 753 + 307, 6, 512, 36  # the last: photos on the report's page
MODEL_BYTES = 64_100_000 * 4  # B7's weights, float32
FIXED = ("*.json", "*.keras", "history*")  # what does not grow with the number of photos
# (stage, input) to files of which it reads none; of the photos report shows a few
UNREAD = {
    ("split_folds", "pairs"): ("test_pairs.csv",),
    ("write_tfrecords", "catalog"): ("test_data.csv",),
    ("write_tfrecords", "pairs"): ("train_pairs.csv",),
    ("train", "examples"): ("test*", "dataset.json", "stage.json"),
    ("predict", "examples"): ("fold.*", "images.csv", "train_pairs.csv", "dataset.json", "stage.json"),
    ("report", "submission"): ("submission_*.csv",),
}
Files = dict[str, int]  # name to bytes


def write_run(root: Path, folds: int) -> dict[Source, list[Files]]:
    """Writes the artifacts of a run below `root` and returns the files of each, of those of a loop once per fold."""
    at = {name: root / name for name in ("resized", "images", "catalog", "pairs", "folded_pairs", "examples", "tables")}
    for name in ("resized", "drawn"):
        (root / name).mkdir()
    write_catalog(root / "drawn", at["resized"], SIZE)
    table = pd.read_csv(at["resized"] / schema.IMAGES_CSV, dtype={"day": "Int64"})
    drawn = [(root / "drawn" / f"{number}.jpg").read_bytes() for number in range(DRAWN)]
    write_photos(at["images"], ((f"{name}.jpg", drawn[n % DRAWN]) for n, name in enumerate(table["image_id"])), WHOLE)
    write_manifest(at["images"], "resize_images")
    table.assign(path=table["image_id"] + ".jpg").to_csv(at["resized"] / schema.IMAGES_CSV, index=False)
    write_record(at["resized"], "resize_images", ResizeImagesSettings(image_size=SIZE), {"photos": len(table)}, ())
    merge_catalogs(catalogs=[at["resized"]], catalog=at["catalog"])
    generate_pairs(catalog=at["catalog"], pairs=at["pairs"], settings=GeneratePairsSettings())
    split_folds(pairs=at["pairs"], folded_pairs=at["folded_pairs"], settings=SplitFoldsSettings())
    sources, settings = {name: at[name] for name in ("catalog", "pairs", "folded_pairs")}, WriteTfrecordsSettings()
    record = write_tfrecords(images=at["images"], **sources, examples=at["examples"], settings=settings)
    write_tables(**sources, tables=at["tables"], settings=settings, counts=record["counts"])
    models = [draw_model(root / str(fold), at["examples"], fold) for fold in range(folds)]
    calibrate(
        catalog=at["catalog"],
        **{name: [folder / name for folder in models] for name in ("predictions", "out_of_fold")},
        histories=[folder / "history" for folder in models],
        submission=root / "submission",
        settings=CalibrateSettings(),
    )
    once = {
        Source("resize_images", "images"): at["images"],
        Source("resize_images", "catalog"): at["resized"],
        **{Source("generate_pairs", name): at[name] for name in ("catalog", "pairs")},
        Source("split_folds", "folded_pairs"): at["folded_pairs"],
        **{Source("write_tfrecords", name): at[name] for name in ("examples", "tables")},
        Source("calibrate", "submission"): root / "submission",
    }
    by_fold = {Source("train", name): name for name in ("model", "history", "out_of_fold")} | {
        Source("predict", "predictions"): "predictions"
    }
    found = {source: [files_of(folder)] for source, folder in once.items()}
    return found | {source: [files_of(folder / name) for folder in models] for source, name in by_fold.items()}


def draw_model(root: Path, examples: Path, fold: int) -> Path:
    """Writes what train and predict would, with days that are drawn, into folders below `root`, and returns it."""
    rng = np.random.default_rng(fold)
    train, test = (pd.read_csv(examples / name) for name in (schema.TRAIN_PAIRS_CSV, schema.TEST_PAIRS_CSV))
    held_out = train[train["fold"] == fold]
    days = {f"view_{view}": rng.normal(20, 5, len(test)) for view in range(VIEWS)}
    tables = {
        "out_of_fold": (
            schema.OUT_OF_FOLD_CSV,
            held_out.assign(baseline_days=20.5, prediction_days=rng.normal(20, 5, len(held_out))),
        ),
        "predictions": (schema.PREDICTIONS_CSV, test.assign(prediction_days=days["view_0"], **days)),
        "history": (schema.HISTORY_CSV, pd.DataFrame({"epoch": range(1, 5), "loss": 1.5, "seconds": 9.5})),
        "model": (schema.LOOKS_FILE, pd.DataFrame(np.zeros((15, 512)))),
    }
    for name, (file, table) in tables.items():
        (root / name).mkdir(parents=True)
        table.to_csv(root / name / file, index=False)
        stage, settings = ("predict", PredictSettings()) if name == "predictions" else ("train", TrainSettings(fold=fold))
        write_record(root / name, stage, settings, {"pairs": len(table)}, ())
    return root


def files_of(folder: Path) -> Files:
    """Returns the files of an artifact; a model's weights are not there, and told."""
    found = {path.name: path.stat().st_size for path in folder.iterdir()}
    return found | ({schema.MODEL_FILE: MODEL_BYTES} if folder.name == "model" else {})


def fetched(found: dict[Source, list[Files]], photos: int, folds: int) -> Iterator[tuple[str, int, int, int, int]]:
    """Yields of each stage its executions, the objects and bytes that they fetch, and the bytes of which they have no need."""
    wiring = read_wiring(verdelta)
    for stage, inputs in wiring.inputs.items():
        times = folds if stage in wiring.per_fold else 1
        objects = total = needless = 0
        for name, source in inputs.items():
            files = found[source] * (times if len(found[source]) == 1 else 1)  # of a fold each reads its own
            for file, measured in (entry for each in files for entry in each.items()):
                grows = not any(fnmatch.fnmatch(file, pattern) for pattern in FIXED)
                size = round(measured * photos / PHOTOS) if grows else measured
                objects, total = objects + 1, total + size
                if any(fnmatch.fnmatch(file, pattern) for pattern in UNREAD.get((stage, name), ())):
                    needless += size
                elif (stage, name) == ("report", "images") and grows:
                    needless += size * (photos - SHOWN) // photos
        yield stage, times, objects, total, needless


def main() -> int:
    """Writes, counts and prints a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.crossings")
    parser.add_argument("--photos", type=int, nargs="+", default=[PHOTOS], metavar="N", help="tell of as many photos")
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="models that are trained, up to 5")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = write_run(Path(folder), options.folds)
    print("| artifact | objects | MB |\n|---|---|---|")
    for (stage, name), parts in found.items():
        print(f"| {stage} {name} | {sum(map(len, parts))} | {sum(sum(files.values()) for files in parts) / 1e6:,.2f} |")
    for photos in options.photos:
        print(f"\n| {photos:,} photos: stage | executed | objects fetched | MB fetched | MB not needed |\n|---|---|---|---|---|")
        for stage, times, objects, total, needless in fetched(found, photos, options.folds):
            print(f"| {stage} | {times} | {objects:,} | {total / 1e6:,.1f} | {needless / 1e6:,.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
