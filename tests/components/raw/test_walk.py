"""All that people's folders hold beside photos: everything is read, or named with a reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.raw import storage

READ = ("train_dataset/LT/LT_01/DAT01.png", "test_dataset/LT/1003/t1.png", "test_dataset/test_data.csv")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name in READ:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(b"x")
    return tmp_path / "raw"


def looked_at(raw: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The bad photos and the other things of a place, with reasons."""
    listing = storage.find_photos(storage.open_raw(raw))
    assert [str(path) for path in listing.train] == [READ[0]]
    return tuple({str(path): why for path, why in found.items()} for found in (listing.bad, listing.others))


def folder(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "inside.txt").write_text("x")


SERIES = "train_dataset/LT/LT_01"
BAD = [
    (f"{SERIES}/DAT02.png", lambda path: path.symlink_to("../../../.git/annex/x.png"), "a link to ../../../.git/annex/x.png"),
    (f"{SERIES}/DAT02.png", lambda path: path.symlink_to(path), "symbolic links"),
    ("train_dataset/LT/LT_02", lambda path: path.symlink_to("/nowhere"), "a link to /nowhere, which cannot be read"),
    ("train_dataset/LT/LT_02", lambda path: path.symlink_to(".."), "a link to a folder that holds it"),
    (f"{SERIES}/DAT02.png", os.mkfifo, "a named pipe"),
    (f"{SERIES}/DAT02.png", folder, "a folder"),
    (f"{SERIES}/DAT02.tif", lambda path: path.write_bytes(b"x"), "convert it"),
    (f"{SERIES}/DAT\r02.png", lambda path: path.write_bytes(b"x"), "carriage return"),
    ("train_dataset/LT/LT\r02", folder, "carriage return"),
    (f"{SERIES}/DAT02.HEIC", lambda path: path.write_bytes(b"x"), "convert it"),
]
NOTED = [
    (f"{SERIES}/._DAT01.png", lambda path: path.write_bytes(b"x"), "hidden"),
    ("train_dataset/LT/.LT_03", folder, "hidden"),
    (f"{SERIES}/notes.txt", lambda path: path.symlink_to("nowhere"), "a link to nowhere"),
    (f"{SERIES}/deeper/notes.txt", lambda path: folder(path.parent) or path.write_bytes(b"x"), "neither"),
    ("train_dataset/readme.md", lambda path: path.write_bytes(b"x"), "neither"),
    ("readme.md", lambda path: path.write_bytes(b"x"), "neither"),
    ("elsewhere", folder, "not looked into"),
]


@pytest.mark.parametrize(("name", "make", "why"), BAD, ids=[f"{name} {why[:12]}" for name, _, why in BAD])
def test_what_would_be_a_photo_and_cannot_be_read_is_a_bad_photo(raw: Path, name: str, make, why: str) -> None:
    make(raw / name)
    bad, _ = looked_at(raw)
    assert list(bad) == [name]
    assert why in bad[name]


@pytest.mark.parametrize(("name", "make", "why"), NOTED, ids=[name for name, _, _ in NOTED])
def test_everything_else_is_named_with_its_reason(raw: Path, name: str, make, why: str) -> None:
    make(raw / name)
    bad, others = looked_at(raw)
    assert not bad
    assert why in others[name]


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [(b"train_dataset/LT/LT_01/\xbb\xf3\xc3\xdf02.png", True), (b"train_dataset/LT/LT_01/\xb8\xde.txt", False)],
    ids=["a photo", "a note"],
)
def test_names_that_are_no_utf_8_are_shown_with_the_tool_that_mends_them(raw: Path, name: bytes, is_bad: bool) -> None:
    Path(os.fsdecode(os.fsencode(raw) + b"/" + name)).write_bytes(b"x")
    bad, others = looked_at(raw)
    (why,) = (bad if is_bad else others).values()
    assert "no UTF-8" in why
    assert "convmv" in why


def test_a_table_that_cannot_be_read_is_not_taken_for_none(raw: Path) -> None:
    (raw / "sample_submission.csv").symlink_to("/nowhere.csv")
    listing = storage.find_photos(storage.open_raw(raw))
    assert [str(path) for path in listing.unread_tables] == ["sample_submission.csv"]
    (raw / "test_dataset/test_data.csv").unlink()
    (raw / "test_dataset/test_data.csv").symlink_to("/nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"test_data\.csv: a link to /nowhere\.csv, which cannot be read"):
        storage.find_photos(storage.open_raw(raw))


def test_a_folder_that_may_not_be_read_is_named(raw: Path) -> None:
    series = raw / "train_dataset/LT/LT_02"
    folder(series)
    series.chmod(0)
    code = f"from components.raw.storage import *\nfor each in find_photos(open_raw({str(raw)!r})).bad.items(): print(*each)"
    as_nobody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run([*as_nobody, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    finally:
        series.chmod(0o755)
    assert done.stdout == "train_dataset/LT/LT_02 a folder that cannot be read: Permission denied\n"
