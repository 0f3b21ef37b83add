"""Peak memory of train where decoded images exceed the memory budget: `python -m tests.benchmarks.memory`."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from components.contract import schema
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.images import ROOT
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords
from tests.benchmarks.challenge import DRAWN, draw_photos
from tests.benchmarks.table import Row, main

SERIES, PHOTOS_PER_SERIES, DIM, STEPS = 512, 40, 256, 3  # at 512 px the activations of two images alone take 1 GB
BUDGET_GB = 1.0
SETTINGS = TrainSettings(
    encoder="B0", dim=DIM, checkpoint="none", lstm_units=64, dense_units=32, clique_size=2, cliques_per_batch=1,
    steps_per_epoch=STEPS, mixed_precision="float32", memory_budget_gb=BUDGET_GB,
)  # fmt: skip
CHILD = """
import re, sys
from pathlib import Path
from components.train.fit import train
from tests.benchmarks.memory import SETTINGS
root = Path(sys.argv[1])
train(examples=root / "examples", model=root / "model", history=root / "history", out_of_fold=root / "oof", settings=SETTINGS)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def measure() -> Iterator[Row]:
    """Trains in a process of its own and reads the kernel's record of the most memory that it held."""
    with tempfile.TemporaryDirectory() as folder:
        write_examples(Path(folder))
        done = subprocess.run([sys.executable, "-c", CHILD, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    peak_gb = int(done.stdout.splitlines()[-1]) * 1024 / 1e9
    decoded_gb = SERIES * PHOTOS_PER_SERIES * DIM * DIM * 3 / 1e9
    yield Row(
        what="peak memory of train beyond its memory budget",
        measured=f"most resident memory of the process that decodes {SERIES * PHOTOS_PER_SERIES:,} photos at {DIM} px, trains "
        f"EfficientNet-B0 for {STEPS} steps of one pair and validates, of which importing TensorFlow is a part",
        ours=f"{peak_gb:.2f} GB",
        other=f"{decoded_gb:.1f} GB of decoded images, budget {BUDGET_GB:.0f} GB",
        value=peak_gb,
        unit="GB",
        target=BUDGET_GB + 1,
        at_least=False,
    )


def write_examples(root: Path) -> None:
    """Writes `root`/examples: series of 40 photos, the first of which is one fold."""
    folders = {name: root / name for name in ("images", "catalog", "pairs", "folded_pairs")}
    for folder in folders.values():
        folder.mkdir()
    draw_photos(folders["images"], DIM)
    stems = [(f"BC_{series:03d}", day) for series in range(SERIES) for day in range(1, PHOTOS_PER_SERIES + 1)]
    rows = [
        (f"train/{series}/DAT{day:02d}", schema.TRAIN, "BC", series, day, f"{number % DRAWN}.jpg")
        for number, (series, day) in enumerate(stems)
    ]
    rows += [(f"test/BC_1100/{number}", schema.TEST, "BC", "BC_1100", None, f"{number}.jpg") for number in range(2)]
    table = pd.DataFrame(rows, columns=list(schema.IMAGES_COLUMNS)).astype({"day": "Int64"})
    table.to_csv(folders["catalog"] / schema.IMAGES_CSV, index=False)
    test = pd.DataFrame({"idx": [0], "before_file_path": ["0"], "after_file_path": ["1"]})
    test.to_csv(folders["catalog"] / schema.TEST_DATA_CSV, index=False)
    generate_pairs(catalog=folders["catalog"], pairs=folders["pairs"], settings=GeneratePairsSettings())
    folds = SplitFoldsSettings(num_folds=SERIES)
    split_folds(pairs=folders["pairs"], folded_pairs=folders["folded_pairs"], settings=folds)
    write_tfrecords(**folders, examples=root / "examples", settings=WriteTfrecordsSettings())


if __name__ == "__main__":
    main(measure)
