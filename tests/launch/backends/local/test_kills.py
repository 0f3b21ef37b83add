"""Jobs that are killed at random moments until they are done end like one that nobody disturbed, and leave nothing behind.

`make kills` does a hundred; the few here are what a test session has time for.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from command_line import pipeline_py, record, set_options, write_raw
from killed_jobs import Job, run_until_done
from source_tree import shallow_tree
from trained_run import TINY

from components.images import ROOT

JOBS = int(os.environ.get("VERDELTA_KILLED_JOBS", "20"))
WHOLE_JOBS = max(2, JOBS // 10)  # that train and predict, too, and import TensorFlow each time
SEED = int(os.environ.get("VERDELTA_KILLS_SEED", "12"))
TABLES = ("resize_images", "generate_pairs", "split_folds")
CHEAP = {"head": "dates", "ema_momentum": 0.0, "reestimate_batchnorm": "false"}  # to trace: a kill has it done once more
OPTIONS = set_options(TINY | CHEAP | {"folds": "[0]", "epochs": 3, "steps_per_epoch": 4, "checkpoint_minutes": 0.0001})
AT_ONCE = 2


def files(folder: Path) -> dict[str, str]:
    """Relative name to SHA-256 of what is in a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def results(runs: Path, name: str, stages: Sequence[str]) -> dict[str, dict[str, str]]:
    """What some stages of a run wrote, and the submissions in its folder."""
    entries = [entry for entry in record(runs, name)["stages"] if entry["stage"] in stages]
    assert [entry["stage"] for entry in entries] == [*stages]
    folders = {f"{entry['stage']} {output}": Path(uri) for entry in entries for output, uri in entry["outputs"].items()}
    found = {output: files(folder) for output, folder in folders.items() if folder.is_dir()}
    return found | {path.name: {"": hashlib.sha256(path.read_bytes()).hexdigest()} for path in (runs / name).glob("submission_*")}


def check(
    jobs: Sequence[Job], places: Sequence[Path], stages: Sequence[str], expected: dict, count: Callable[[str, object], None]
) -> None:
    """Compares jobs with one that nobody disturbed, and says how many there were."""
    found = [results(place / "runs", job.last, stages) for job, place in zip(jobs, places, strict=True)]
    equal = sum(each == expected for each in found)
    wrong = [text for job in jobs for text in job.wrong]
    alive, left = (sum(text.startswith(how) for text in wrong) for how in ("alive", "left"))
    kills, others = sum(job.kills for job in jobs), len(wrong) - alive - left
    said = f"{len(jobs)} jobs killed {kills} times: {equal} equal, {alive} processes alive 2 s later, {left} temporary files left"
    count("count", f"{said}, {others} other things wrong")
    assert wrong == []
    assert found == [expected] * len(jobs)


def test_the_tables_are_those_of_a_job_that_nobody_disturbed(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    raw = write_raw(tmp_path / "raw")

    def command(place: Path, name: str) -> list[str]:
        parameters = json.dumps({"raw": str(raw)})
        return [sys.executable, "tests/support/launch_pipelines.py", "tables", str(place / "runs"), name, parameters]

    def job(number: int) -> Job:
        place = tmp_path / str(number)
        place.mkdir()
        return run_until_done(functools.partial(command, place), place, longest, SEED + number)

    begun, longest = time.monotonic(), 60.0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command(tmp_path / "undisturbed", "whole"), cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    longest = time.monotonic() - begun
    expected = results(tmp_path / "undisturbed/runs", "whole", TABLES)
    assert len(expected) >= 4
    numbers = range(JOBS - WHOLE_JOBS)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = list(pool.map(job, numbers))
    check(jobs, [tmp_path / str(number) for number in numbers], TABLES, expected, record_property)


def test_data_stages_and_submissions_are_those_of_a_job_that_nobody_disturbed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    raw, tree = write_raw(tmp_path / "raw"), shallow_tree(tmp_path_factory)
    stages = (*TABLES, "write_tfrecords")

    def command(place: Path, name: str) -> list[str]:
        options = ["run", "--raw", str(raw), "--runs-dir", str(place / "runs"), "--name", name, *OPTIONS]
        return [sys.executable, str(tree / "pipeline.py"), *options]

    def job(number: int) -> Job:
        place = tmp_path / str(number)
        place.mkdir()
        return run_until_done(functools.partial(command, place), place, longest, SEED + number, tree)

    begun = time.monotonic()
    whole = pipeline_py(*command(tmp_path / "undisturbed", "whole")[2:], tree=tree)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    longest = time.monotonic() - begun
    expected = results(tmp_path / "undisturbed/runs", "whole", stages)
    assert {"submission_raw.csv", "submission_calibrated.csv"} <= set(expected)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = list(pool.map(job, range(WHOLE_JOBS)))
    check(jobs, [tmp_path / str(number) for number in range(WHOLE_JOBS)], stages, expected, record_property)
