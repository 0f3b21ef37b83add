"""Raw folders as they are found: listing, and a digest that changes with content and names only."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from components.raw import storage

FILES = {
    "train_dataset/BC/BC_01/DAT01.png": b"one",
    "train_dataset/LT/LT_10/DAT40.PNG": b"forty",
    "train_dataset/LT/LT_10/DAT41.jpeg": b"forty-one",
    "test_dataset/LT/1003/idx_LT_1003_00341.jpg": b"test",
    "test_dataset/test_data.csv": b"idx,before_file_path,after_file_path\n",
    "test_dataset/test_labels.csv": b"idx,time_delta\n",
    "sample_submission.csv": b"idx,time_delta\n",
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "raw"


def test_photos_of_both_splits_are_listed_sorted_and_relative(raw: Path) -> None:
    listing = storage.find_photos(storage.open_raw(raw))
    assert [str(path) for path in listing.train] == [
        "train_dataset/BC/BC_01/DAT01.png",
        "train_dataset/LT/LT_10/DAT40.PNG",
        "train_dataset/LT/LT_10/DAT41.jpeg",
    ]
    assert listing.test == (PurePosixPath("test_dataset/LT/1003/idx_LT_1003_00341.jpg"),)
    assert {name: str(path) for name, path in listing.tables.items()} == {
        "test_data.csv": "test_dataset/test_data.csv",
        "sample_submission.csv": "sample_submission.csv",
        "test_labels.csv": "test_dataset/test_labels.csv",
    }


def test_files_that_are_no_photos_are_reported_and_hidden_ones_are_not_looked_at(raw: Path) -> None:
    for name in ("notes.txt", "._DAT01.png", ".DS_Store"):
        (raw / "train_dataset/BC/BC_01" / name).write_bytes(b"x")
    before = storage.content_digest(raw)
    listing = storage.find_photos(storage.open_raw(raw))
    assert listing.ignored == (PurePosixPath("train_dataset/BC/BC_01/notes.txt"),)
    assert len(listing.train) == 3
    (raw / "train_dataset/BC/BC_01/notes.txt").write_bytes(b"another note")
    assert storage.content_digest(raw) == before


def test_photos_at_another_depth_are_reported_and_not_read(raw: Path) -> None:
    before = storage.content_digest(raw)
    astray = ["train_dataset/LT/DAT01.png", "train_dataset/LT/LT_10/day/DAT02.JPG", "train_dataset/LT/LT_10/a/b/DAT03.png"]
    astray += ["test_dataset/DAT04.png"]
    for name in [*astray, "train_dataset/LT/.trash/x/DAT05.png", "train_dataset/LT/LT_10/day/notes.txt"]:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(b"x")
    listing = storage.find_photos(storage.open_raw(raw))
    assert [str(path) for path in listing.ignored] == sorted(astray)
    assert (len(listing.train), len(listing.test)) == (3, 1)
    assert storage.content_digest(raw) == before


def test_linked_folders_are_looked_into(raw: Path, tmp_path: Path) -> None:
    shutil.move(raw / "train_dataset/LT", tmp_path / "LT")
    (tmp_path / "LT/DAT01.png").write_bytes(b"astray")
    (raw / "train_dataset/LT").symlink_to(tmp_path / "LT")
    listing = storage.find_photos(storage.open_raw(raw))
    assert len(listing.train) == 3
    assert [str(path) for path in listing.ignored] == ["train_dataset/LT/DAT01.png"]


def test_photos_that_are_all_at_another_depth_are_named_in_the_error(raw: Path) -> None:
    shutil.rmtree(raw / "train_dataset/LT")
    shutil.move(raw / "train_dataset/BC/BC_01/DAT01.png", raw / "train_dataset/BC/DAT01.png")
    with pytest.raises(FileNotFoundError, match=r"1 at another depth, such as train_dataset/BC/DAT01\.png"):
        storage.find_photos(storage.open_raw(raw))


def test_no_more_threads_than_cores_that_the_process_may_use(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, max_workers: int | None = None) -> None:
            threads.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(storage, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    storage.content_digest(raw)
    assert threads == [storage.available_cores()] == [3]
    monkeypatch.delattr(os, "sched_getaffinity")
    assert storage.available_cores() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert storage.available_cores() == 1


@pytest.mark.parametrize("gone", ["sample_submission.csv", "test_dataset/test_labels.csv"])
def test_optional_tables_may_be_missing(raw: Path, gone: str) -> None:
    (raw / gone).unlink()
    assert Path(gone).name not in storage.find_photos(storage.open_raw(raw)).tables


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, ["raw", "no such folder", "train_dataset"]),
        (lambda raw: (shutil.rmtree(raw), raw.write_bytes(b"")), ["raw", "a file, not a folder"]),
        (lambda raw: shutil.rmtree(raw / "train_dataset"), ["train_dataset/*/*/*.png", "no photo found", "BC_01/DAT01.png"]),
        (lambda raw: shutil.rmtree(raw / "test_dataset/LT"), ["test_dataset/*/*/*.png", "no photo found"]),
        (lambda raw: (raw / "test_dataset/test_data.csv").unlink(), ["test_dataset/test_data.csv", "missing", "add it"]),
    ],
    ids=["no folder", "a file", "no train photo", "no test photo", "no test table"],
)
def test_missing_raw_data_is_an_error_that_says_what_was_looked_for(raw: Path, damage, words) -> None:
    damage(raw)
    with pytest.raises(FileNotFoundError) as error:
        storage.content_digest(raw)
    assert all(word in str(error.value) for word in words), error.value


def rename(raw: Path) -> None:
    (raw / "train_dataset/BC/BC_01/DAT01.png").rename(raw / "train_dataset/BC/BC_01/DAT02.png")


def swap(raw: Path) -> None:
    photos = [raw / "train_dataset/LT/LT_10" / name for name in ("DAT40.PNG", "DAT41.jpeg")]
    contents = [photo.read_bytes() for photo in photos]
    for photo, content in zip(photos, reversed(contents), strict=True):
        photo.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: (raw / "train_dataset/BC/BC_01/DAT01.png").write_bytes(b"eno"),  # same name, same length
        lambda raw: (raw / "test_dataset/LT/1003/idx_LT_1003_00341.jpg").write_bytes(b"TEST"),
        lambda raw: (raw / "train_dataset/LT/LT_10/DAT42.png").write_bytes(b""),
        lambda raw: (raw / "train_dataset/LT/LT_10/DAT41.jpeg").unlink(),
        lambda raw: (raw / "test_dataset/test_data.csv").write_bytes(b"idx\n"),
        lambda raw: (raw / "test_dataset/test_labels.csv").unlink(),
        lambda raw: (raw / "sample_submission.csv").write_bytes(b"idx\n"),
        rename,
        swap,
    ],
    ids=["train bytes", "test bytes", "added", "removed", "test table", "labels gone", "sample submission", "renamed", "swapped"],
)
def test_digest_changes_with_what_the_pipeline_reads(raw: Path, change) -> None:
    before = storage.content_digest(raw)
    change(raw)
    assert storage.content_digest(raw) != before


def test_digest_does_not_change_with_times_or_place(raw: Path, tmp_path: Path) -> None:
    before = storage.content_digest(raw)
    for path in raw.rglob("*"):
        os.utime(path, (1, 1))
    moved = shutil.move(raw, tmp_path / "elsewhere" / "data")
    assert storage.content_digest(Path(moved)) == before
