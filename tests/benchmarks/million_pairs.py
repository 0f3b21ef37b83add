"""How long generate_pairs and split_folds take with 1,000,000 pairs, and how much memory they hold at most.

Each stage runs in a process of its own, as in a pipeline; the process's imports count. `python -m tests.benchmarks.million_pairs`
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from components.contract import schema
from tests.benchmarks.table import Row, main

SERIES, PHOTOS = 100, 142  # per series: 1,001,100 pairs in all
STAGES = ("generate_pairs", "split_folds")
PROGRAM = """
import time
start = time.monotonic()
import json, resource, sys
from pathlib import Path
stage, folder = sys.argv[1], Path(sys.argv[2])
if stage == "generate_pairs":
    from components.generate_pairs.generate import generate_pairs
    from components.generate_pairs.settings import GeneratePairsSettings
    imported = time.monotonic()
    generate_pairs(catalog=folder / "catalog", pairs=folder / "pairs", settings=GeneratePairsSettings())
else:
    from components.split_folds.settings import SplitFoldsSettings
    from components.split_folds.split import split_folds
    imported = time.monotonic()
    split_folds(pairs=folder / "pairs", folded_pairs=folder / "folded_pairs", settings=SplitFoldsSettings())
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "seconds": time.monotonic() - start, "function": time.monotonic() - imported,
    "processor": used.ru_utime + used.ru_stime, "gigabytes": used.ru_maxrss * 1024 / 1e9,
}))
"""


def measure() -> Iterator[Row]:
    """Runs both stages on a catalog of that many photos."""
    with tempfile.TemporaryDirectory() as folder:
        write_catalog(Path(folder, "catalog"), SERIES, PHOTOS)
        figures = {stage: run_stage(stage, folder) for stage in STAGES}
    measured = f"{SERIES * PHOTOS * (PHOTOS - 1) // 2:,} pairs of {SERIES} series, each stage in its own process"
    for key, what, unit, target in (("seconds", "seconds", "s", 10), ("gigabytes", "memory", "GB", 2)):
        values = [figures[stage][key] for stage in STAGES]
        yield Row(
            what=f"{what} of {' and '.join(STAGES)}",
            measured=measured,
            ours=" and ".join(f"{value:.2f} {unit}" for value in values),
            other="-",
            value=sum(values) if key == "seconds" else max(values),
            unit=unit,
            target=target,
            at_least=False,
        )


def write_catalog(catalog: Path, series: int, photos: int) -> None:
    """Writes the tables of a catalog: `series` train series of `photos` photos, and one test pair."""
    rows = [
        (schema.TRAIN, species, name, f"DAT{day:03d}", day)
        for number in range(series)
        for species, name in [(("BC", "LT")[number % 2], f"S_{number:04d}")]
        for day in range(1, photos + 1)
    ]
    rows += [(schema.TEST, "BC", "BC_1100", stem, None) for stem in ("before", "after")]
    table = pd.DataFrame(
        [(f"{split}/{name}/{stem}", split, species, name, day, f"{name}/{stem}.jpg") for split, species, name, stem, day in rows],
        columns=list(schema.IMAGES_COLUMNS),
    ).astype({"day": "Int64"})
    catalog.mkdir(parents=True)
    table.to_csv(catalog / schema.IMAGES_CSV, index=False)
    (catalog / schema.TEST_DATA_CSV).write_text("idx,before_file_path,after_file_path\n0,before,after\n", encoding="utf-8")


def run_stage(stage: str, folder: str) -> dict[str, float]:
    """Runs one stage on what lies in `folder` and returns its seconds, processor seconds and most memory, in GB of 1e9 bytes."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM, stage, folder], check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(ran.stdout)
    print(f"  {stage}: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()), flush=True)
    return figures


if __name__ == "__main__":
    main(measure)
