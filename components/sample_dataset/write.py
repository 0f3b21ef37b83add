"""Writes a folder of synthetic photos in the challenge's layout, whole or not at all.

`write_sample_dataset` is the outer I/O function; what to write is plan.py's decision, what a photo looks like photo.py's.
"""

import csv
import ctypes
import functools
import glob
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from components.contract.cores import available_cores
from components.contract.full_disk import naming_full_disk
from components.contract.schema import RAW_TEST_DATA, SAMPLE_SUBMISSION_CSV, TEST_FOLDER, TEST_LABELS_CSV, TEST_ORACLE_CSV
from components.sample_dataset.photo import take_photo
from components.sample_dataset.plan import Photo, Plan, plan_dataset
from components.sample_dataset.settings import SampleDatasetSettings

PNG_LEVEL = 1  # of 9; the grain does not compress: level 6 takes 3.5 times as long for 1 % fewer bytes
PR_SET_PDEATHSIG = 1  # Linux's prctl.h
Draw = Callable[..., np.ndarray]  # of a Photo and `settings`
CHUNK = 4  # photos handed to a process at a time; neighbours share their pot


def write_sample_dataset(
    output: Path, settings: SampleDatasetSettings, *, workers: int | None = None, draw: Draw = take_photo
) -> dict[str, int]:
    """Writes the dataset, returns what it counts; the same settings give the same bytes, whatever the number of processes.

    Args:
        output: the dataset's root, absent or empty; it appears when everything in it is complete.
        workers: processes; None for one per available core.
        draw: what makes a photo, [height, width, 3] uint8, of the plan.

    Raises:
        ValueError: `output` holds something, or is a file.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"The sample dataset's folder {output} is not empty; name a new folder, or remove this one first.")
    plan = plan_dataset(settings)
    output = output.absolute()
    remove_abandoned(output)
    partial = output.with_name(partial_name(output, os.getpid()))
    try:
        write_tables(partial, plan)
        write_photos(partial, plan, functools.partial(draw, settings=settings), workers or available_cores())
        partial.replace(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {
        "train_photos": len(plan.train),
        "train_series": len({photo.series.key for photo in plan.train}),
        "test_photos": len(plan.test),
        "test_series": len({photo.series.key for photo in plan.test}),
        "test_pairs": len(plan.test_pairs),
    }


def partial_name(output: Path, process: int | str) -> str:
    """Returns the name of the folder beside `output` in which a process writes it."""
    return f".{output.name}.partial-{process}"


def remove_abandoned(output: Path) -> None:
    """Removes what processes that were killed had written of `output`."""
    for path in output.parent.glob(glob.escape(partial_name(output, "")) + "*"):
        if not Path("/proc", path.name.rpartition("-")[2]).exists():
            shutil.rmtree(path, ignore_errors=True)


def write_tables(root: Path, plan: Plan) -> None:
    """Writes the test table, the sample submission (all zeros), the true days and the oracle's."""
    (root / TEST_FOLDER).mkdir(parents=True)
    rows = list(enumerate(plan.test_pairs))
    write_csv(
        root / RAW_TEST_DATA,
        ("idx", "before_file_path", "after_file_path"),
        ((idx, before, after) for idx, (before, after, *_) in rows),
    )
    write_csv(root / SAMPLE_SUBMISSION_CSV, ("idx", "time_delta"), ((idx, 0) for idx, _ in rows))
    write_csv(root / TEST_FOLDER / TEST_LABELS_CSV, ("idx", "time_delta"), ((idx, days) for idx, (_, _, days, _) in rows))
    write_csv(root / TEST_FOLDER / TEST_ORACLE_CSV, ("idx", "time_delta"), ((idx, oracle) for idx, (*_, oracle) in rows))


def write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Writes one table with Unix line ends on every system."""
    with naming_full_disk(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_photos(root: Path, plan: Plan, draw: Callable[[Photo], np.ndarray], workers: int) -> None:
    """Draws all photos on `workers` processes; each photo leaves memory when it is on disk."""
    photos = plan.train + plan.test
    for folder in {(root / photo.path).parent for photo in photos}:
        folder.mkdir(parents=True, exist_ok=True)
    write_one = functools.partial(write_photo, root=root, draw=draw)
    bar = functools.partial(
        tqdm, total=len(photos), desc="sample_dataset", unit="photo", file=sys.stdout, mininterval=2, ncols=90
    )
    if workers == 1:
        for _ in bar(map(write_one, photos)):
            pass
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with, initargs=(os.getpid(),)) as pool:
        for _ in bar(pool.map(write_one, photos, chunksize=CHUNK)):
            pass


def end_with(parent: int) -> None:
    """Has this process end when the one that started it is killed; by itself it would wait for work for ever."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def write_photo(photo: Photo, *, root: Path, draw: Callable[[Photo], np.ndarray]) -> None:
    """Draws and stores one photo."""
    with naming_full_disk(root / photo.path):
        Image.fromarray(draw(photo)).save(root / photo.path, compress_level=PNG_LEVEL)
