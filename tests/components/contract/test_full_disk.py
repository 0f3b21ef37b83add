"""A disk gets full at a random moment: the error names the file, nothing half is left, and with room the same call succeeds."""

import contextlib
import io
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import pytest
from examples_fixture import write_examples
from report_fixture import FakeRun
from small_disk import SmallDisk, small_disk

from components.contract.artifacts import atomic_write
from components.contract.full_disk import naming_full_disk
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.report.report import write_report
from components.report.settings import ReportSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

TRIES = 25  # with each kind of limit
PLANTS = SampleDatasetSettings(series_per_species=4, days=8, width=64, height=48, test_pairs=20)
Job = Callable[[Path], object]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """What writes: each is given a folder that is not there."""
    place = tmp_path_factory.mktemp("inputs")
    write_sample_dataset(place / "raw", PLANTS, workers=1)
    write_examples(place / "made")
    fake = FakeRun(root=place / "fake").write()
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(128), keras.layers.Dense(128)])
    made = {name: place / "made" / name for name in ("images", "catalog", "pairs", "folded_pairs")}

    def save(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with atomic_write(folder / "model.keras") as partial:
            model.save(partial)

    def report(folder: Path) -> None:
        arguments = fake.arguments() | {"html": folder / "report.html", "summary": folder / "summary.md"}
        write_report(**arguments, settings=ReportSettings(strip_pairs=6))

    return {
        "sample_dataset": lambda folder: write_sample_dataset(folder, PLANTS, workers=1),
        "resize_images": lambda folder: resize_images(
            raw=str(place / "raw"),
            images=folder / "images",
            catalog=folder / "catalog",
            settings=ResizeImagesSettings(image_size=48),
        ),
        "generate_pairs": lambda folder: generate_pairs(catalog=made["catalog"], pairs=folder, settings=GeneratePairsSettings()),
        "split_folds": lambda folder: split_folds(
            pairs=made["pairs"], folded_pairs=folder, settings=SplitFoldsSettings(num_folds=2)
        ),
        "write_tfrecords": lambda folder: write_tfrecords(**made, examples=folder, settings=WriteTfrecordsSettings()),
        "a model": save,
        "report": report,
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def no_larger_file(size: int) -> Iterator[None]:
    """Within the block this process can write no file beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def is_equal(found: dict[str, bytes], expected: dict[str, bytes]) -> bool:
    """Whether every file that is there is as it should be; a Keras file says when it was written."""
    return all(content == expected[name] or name.endswith(".keras") for name, content in found.items())


def refused(job: Job, folder: Path, words: str, expected: dict[str, bytes]) -> str:
    """What is wrong with how a job ended that had no room; nothing where all is well."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # which pytest may keep in a file, too
            job(folder)
    except Exception as error:
        left = files(folder) if folder.exists() else {}
        if words not in str(error) or str(folder.parent) not in str(error):
            return f"said {type(error).__name__}: {error}"
        if any(".partial-" in name for name in left) or list(folder.parent.glob(".*partial*")):
            return f"left {sorted(left)}"
        return "" if is_equal(left, expected) else f"left something half: {sorted(left)}"
    return "ended as if there had been room"


def check(limited: Callable[[Job, Path, dict[str, bytes], random.Random], str], place: Path, jobs: dict[str, Job]) -> list[str]:
    """Has each job fail in turn, TRIES in all, and then succeed; returns what went wrong."""
    wrong, moments = [], random.Random(12)
    expected = {}
    for name, job in jobs.items():
        job(place / "whole")
        expected[name] = files(place / "whole")
        shutil.rmtree(place / "whole")
    for number in range(TRIES):
        name = list(jobs)[number % len(jobs)]
        folder = place / f"try-{number}"
        if text := limited(jobs[name], folder, expected[name], moments):
            wrong.append(f"{name}, try {number}: {text}")
        shutil.rmtree(folder) if name == "sample_dataset" and folder.exists() else None
        jobs[name](folder)
        found = files(folder)
        if set(found) != set(expected[name]) or not is_equal(found, expected[name]):
            wrong.append(f"{name}, try {number}: with room it makes something else")
        shutil.rmtree(folder)
    return wrong


def test_a_disk_that_gets_full_is_said_with_the_file_and_with_room_the_same_call_succeeds(
    tmp_path: Path, jobs: dict[str, Job], record_property: Callable[[str, object], None]
) -> None:
    def on_a_full_disk(job: Job, folder: Path, expected: dict[str, bytes], moments: random.Random) -> str:
        pages = sum(-(-len(content) // 4096) for content in expected.values())
        disk.leave(moments.randrange(pages) * 4096)
        try:
            return refused(job, folder, "No space left on device", expected)
        finally:
            disk.free()

    with small_disk(tmp_path / "disk", megabytes=64) as disk:
        assert isinstance(disk, SmallDisk)
        wrong = check(on_a_full_disk, disk.folder, jobs)
    record_property("count", f"{TRIES - len(wrong)} of {TRIES} writes on a full disk ended with a clear error, then succeeded")
    assert "\n".join(wrong) == ""


def test_a_file_that_may_not_get_larger_is_said_and_without_the_limit_the_same_call_succeeds(
    tmp_path: Path, jobs: dict[str, Job], record_property: Callable[[str, object], None]
) -> None:
    def with_a_limit(job: Job, folder: Path, expected: dict[str, bytes], moments: random.Random) -> str:
        with no_larger_file(moments.randrange(max(map(len, expected.values())))):
            return refused(job, folder, "File too large", expected)

    wrong = check(with_a_limit, tmp_path, jobs)
    record_property(
        "count", f"{TRIES - len(wrong)} of {TRIES} writes beyond a file's limit ended with a clear error, then succeeded"
    )
    assert "\n".join(wrong) == ""


@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), RuntimeError(f"cannot write: {os.strerror(28)} (28)")])
def test_whatever_says_that_there_is_no_room_gets_the_files_name(error: Exception) -> None:
    with (
        pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device: '/runs/model.keras'$"),
        naming_full_disk(Path("/runs/model.keras")),
    ):
        raise error


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "/etc"), ValueError("fold=5: no such fold")])
def test_what_has_another_reason_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, naming_full_disk(Path("/runs/model.keras")):
        raise error
    assert raised.value is error
