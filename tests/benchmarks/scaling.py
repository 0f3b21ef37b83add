"""What each data stage costs at 1, 4 and 16 times the photos, beside a cost in proportion: `python -m tests.benchmarks.scaling`.

More photos are more series of the same length, so that photos, pairs and files grow alike. Cost is processor time of the stage's
function, all threads together and without imports; the least of several runs counts. Each run is in a process of its own, as in a
pipeline: in one that has run before, a small table finds its memory there, and a large one has to get it from the system again.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract import schema
from components.contract.tables.stage_tables import read_table
from components.contract.tables.user_tables import TEST_DATA_COLUMNS
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.network.input.load import load_images
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords
from tests.benchmarks.million_pairs import write_catalog
from tests.benchmarks.table import Row, main
from tests.benchmarks.timing import timed

TIMES = (1, 4, 16)
SERIES, PHOTOS, STORED_PX, DECODED_PX = 8, 40, 128, 64
RAW_SERIES, RAW_SIZE = 2, (410, 308)  # reading raw photos costs so much that few of them show it
TABLE_SERIES = 19  # the challenge's: 14,820 pairs at 1
FIRST, FIRST_SERIES, FIRST_PHOTOS = "first", 5, 3  # what a process runs first, for what comes once: late imports, threads
REPEATS = 5
PRELOADED = ["components.calibrate.calibrate", "components.network.input.load"]
Stage = Callable[[Path], object]  # gets the folder that holds its inputs, and writes its outputs there


def measure() -> Iterator[Row]:
    """Runs the stages, in the pipeline's order, at each size in turn."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # to start others costs 0.1 s, once, from some size on
    with tempfile.TemporaryDirectory() as folder, context.Pool(1, maxtasksperchild=1) as fresh:
        root = Path(folder)
        write_inputs(root / FIRST, tables=FIRST_SERIES, series=FIRST_SERIES, raw=1, photos=FIRST_PHOTOS)
        for times in TIMES:
            write_inputs(root / str(times), tables=TABLE_SERIES * times, series=SERIES * times, raw=RAW_SERIES * times)
        ratios = {name(stage): cost_ratio(stage, root, inputs, fresh) for stage, inputs in STAGES.items()}
    yield Row(
        what="cost of each data stage at 1x, 4x, 16x photos",
        measured="processor time per photo at 4x or 16x, whichever is more, / at 1x, each in a process of its own; the costliest "
        "stage counts",
        ours=", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()),
        other="1: in proportion",
        value=max(ratios.values()),
        unit="x",
        target=1.1,
        at_least=False,
    )


def write_inputs(root: Path, *, tables: int, series: int, raw: int, photos: int = PHOTOS) -> None:
    """Writes what the stages read: pair tables alone, and photos; so many series of each, with `photos` photos."""
    write_catalog(root / "tables" / "catalog", tables, photos)
    write_raw(root / "photos" / "raw", raw, photos)
    write_catalog(root / "photos" / "catalog", series, photos)
    write_photos(root / "photos")
    run_generate_pairs(root / "photos")
    run_split_folds(root / "photos")
    write_predictions(root / "photos")
    run_generate_pairs(root / "tables")


def cost_ratio(stage: Stage, root: Path, inputs: str, fresh: Pool) -> float:
    """Returns the cost per photo at more photos over that at 1; prints the costs."""
    runs = [{times: fresh.apply(cost, (stage, root, times, inputs)) for times in TIMES} for _ in range(REPEATS)]
    least = {times: min(run[times] for run in runs) for times in TIMES}
    shown = ", ".join(f"{times}x {seconds:.3f} s ({seconds / times / least[1]:.2f})" for times, seconds in least.items())
    print(f"  {name(stage)}: {shown}", flush=True)
    return max(seconds / times for times, seconds in least.items() if times > 1) / least[1]


def cost(stage: Stage, root: Path, times: int, inputs: str) -> float:
    """Processor seconds of a stage at one size, run once after a small one."""
    stage(root / FIRST / inputs)
    return timed(lambda: stage(root / str(times) / inputs)).processor


def name(stage: Stage) -> str:
    """The stage's name."""
    return stage.__name__.removeprefix("run_")


def run_resize_images(root: Path) -> None:
    settings = ResizeImagesSettings(image_size=STORED_PX, on_equal_photos="report")
    resize_images(raw=root / "raw", images=root / "resized", catalog=root / "resized", settings=settings)


def run_generate_pairs(root: Path) -> None:
    generate_pairs(catalog=root / "catalog", pairs=root / "pairs", settings=GeneratePairsSettings())


def run_split_folds(root: Path) -> None:
    split_folds(pairs=root / "pairs", folded_pairs=root / "folded_pairs", settings=SplitFoldsSettings())


def run_write_tfrecords(root: Path) -> None:
    write_tfrecords(
        images=root / "images", catalog=root / "catalog", pairs=root / "pairs", folded_pairs=root / "folded_pairs",
        examples=root / "examples", settings=WriteTfrecordsSettings(),
    )  # fmt: skip


def run_decode(root: Path) -> None:
    """What train and predict begin with; their further cost is that of a step, which is the same at every size."""
    images = pd.read_csv(root / "catalog" / schema.IMAGES_CSV)
    load_images(
        root / "examples", split=schema.TRAIN, table=images[images["split"] == schema.TRAIN].reset_index(drop=True),
        pairs=read_table(root / "folded_pairs" / schema.TRAIN_PAIRS_CSV, schema.FOLDED_PAIRS_COLUMNS),
        dim=DECODED_PX, memory_budget_gb=8,
    )  # fmt: skip


def run_calibrate(root: Path) -> None:
    calibrate(
        catalog=root / "catalog", predictions=[root / "predicted"], out_of_fold=[root / "predicted"],
        submission=root / "submission", settings=CalibrateSettings(calibration="fit"),
    )  # fmt: skip


STAGES: dict[Stage, str] = {  # and which inputs they get: pairs cost so little that it takes many to measure them
    run_resize_images: "photos",
    run_generate_pairs: "tables",
    run_split_folds: "tables",
    run_write_tfrecords: "photos",
    run_decode: "photos",
    run_calibrate: "photos",
}


def write_raw(raw: Path, series: int, photos: int) -> None:
    """Writes raw photos in the challenge's layout: names for one photo of a test series and `series` train series."""
    train = [f"{schema.TRAIN_FOLDER}/BC/S_{number:04d}/DAT{day:03d}.png" for number in range(series) for day in range(photos)]
    for path in [f"{schema.TEST_FOLDER}/BC/1100/test.png", *train]:
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        if path.startswith(schema.TRAIN):
            (raw / path).hardlink_to(raw / schema.TEST_FOLDER / "BC/1100/test.png")
        else:
            Image.fromarray(soft_noise(*RAW_SIZE)).save(raw / path)
    (raw / schema.RAW_TEST_DATA).write_text("idx,before_file_path,after_file_path\n0,test,test\n", encoding="utf-8")


def write_photos(root: Path) -> None:
    """Writes the stored photos that the catalog names: names for one JPEG."""
    paths = [root / "images" / path for path in pd.read_csv(root / "catalog" / schema.IMAGES_CSV)["path"]]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path is paths[0]:
            Image.fromarray(soft_noise(STORED_PX, STORED_PX)).save(path)
        else:
            path.hardlink_to(paths[0])


def write_predictions(root: Path) -> None:
    """Writes what train and predict would: for every train pair, out of fold, days that are off by chance."""
    rng = np.random.default_rng(0)
    pairs = read_table(root / "folded_pairs" / schema.TRAIN_PAIRS_CSV, schema.FOLDED_PAIRS_COLUMNS)
    off = pairs["time_delta_days"] * 0.9 + rng.normal(0, 2, len(pairs))
    table = pairs.assign(baseline_days=pairs["time_delta_days"].mean(), prediction_days=off, idx=np.arange(len(pairs)))
    (root / "predicted").mkdir()
    table[list(schema.OUT_OF_FOLD_COLUMNS)].to_csv(root / "predicted" / schema.OUT_OF_FOLD_CSV, index=False)
    table[list(schema.PREDICTIONS_COLUMNS)].to_csv(root / "predicted" / schema.PREDICTIONS_CSV, index=False)
    labels = table[["idx", "time_delta_days"]].set_axis(list(schema.SUBMISSION_COLUMNS), axis=1)
    for name in (schema.SAMPLE_SUBMISSION_CSV, schema.TEST_LABELS_CSV):
        labels.to_csv(root / "catalog" / name, index=False)
    table[["idx", "before_image_id", "after_image_id"]].set_axis(list(TEST_DATA_COLUMNS), axis=1).to_csv(
        root / "catalog" / schema.TEST_DATA_CSV, index=False
    )


def soft_noise(width: int, height: int) -> np.ndarray:
    """A photo, uint8 [height, width, 3], that compresses about as photos do."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


if __name__ == "__main__":
    main(measure)
