"""Raw data that is as it was when it was looked at is told of as then, and not looked at again; all else is looked at."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import write_raw
from PIL import Image

from components.images import ROOT
from components.raw.storage import content_digest
from launch.backends.local.cache import inspected
from launch.backends.local.cache.inspected import INSPECTED, InspectedRaw
from launch.runs.inspection import inspect_raw
from launch.runs.parameters import resolve

PHOTO = "train_dataset/LT/LT_01/DAT02.png"
BOTH = ("train", "test")
PROGRAM = """
import sys
from pathlib import Path
from launch.backends.local.cache.inspected import InspectedRaw
from launch.runs.parameters import resolve
raw = InspectedRaw(sys.argv[1], resolve({}, {}), ("train", "test"), Path(sys.argv[2]))
lines = raw.look().lines
raw.remember()
print(len(lines), "pandas" in sys.modules, "PIL" in sys.modules)
"""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each time that raw data is looked at."""
    times = list[str]()

    def look(raw: str, *arguments: Any, **named: Any) -> Any:
        times.append(raw)
        return inspect_raw(raw, *arguments, **named)

    monkeypatch.setattr(inspected, "inspect_raw", look)
    return times


def lines_of(raw: Path, cache: Path, splits: tuple[str, ...] = BOTH, **parameters: object) -> list[str]:
    """What is said of raw data by a command that then reads it."""
    seen = InspectedRaw(str(raw), resolve({}, parameters), splits, cache)
    lines = seen.look().lines
    assert seen.digest == content_digest(raw, splits)
    seen.remember()
    return lines


def test_what_was_looked_at_is_told_of_without_looking(raw: Path, tmp_path: Path, looked: list[str]) -> None:
    first = lines_of(raw, tmp_path / "cache")
    assert first == inspect_raw(str(raw), resolve({}, {})).lines
    assert lines_of(raw, tmp_path / "cache") == first
    assert lines_of(raw, tmp_path / "cache", epochs=7) == first  # which is nothing of raw data
    assert len(looked) == 1


def test_neither_pandas_nor_pillow_is_imported_for_it(raw: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(raw), str(tmp_path / "cache")]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)]
    (number, *imported), (again, *not_imported) = (run.stdout.split()[-3:] for run in runs)
    assert (number, imported) == (again, ["True", "True"])
    assert not_imported == ["False", "False"]


def change_photo(raw: Path) -> None:
    Image.new("RGB", (20, 20), (1, 2, 3)).save(raw / PHOTO)


def change_table(raw: Path) -> None:
    with (raw / "test_dataset/test_data.csv").open("a") as file:
        file.write("1,idx_LT_1003_00002,idx_LT_1003_00001\n")


def rename_photo(raw: Path) -> None:
    (raw / PHOTO).rename((raw / PHOTO).with_name("DAT09.png"))


def add_file(raw: Path) -> None:
    (raw / PHOTO).with_name("notes.txt").write_text("dry soil")


@pytest.mark.parametrize("change", [change_photo, change_table, rename_photo, add_file])
def test_changed_data_is_looked_at(raw: Path, tmp_path: Path, looked: list[str], change: Any) -> None:
    lines_of(raw, tmp_path / "cache")
    change(raw)
    assert lines_of(raw, tmp_path / "cache") == inspect_raw(str(raw), resolve({}, {})).lines
    assert len(looked) == 2


def test_another_question_is_asked_anew(raw: Path, tmp_path: Path, looked: list[str]) -> None:
    lines_of(raw, tmp_path / "cache")
    assert lines_of(raw, tmp_path / "cache", ("test",)) != lines_of(raw, tmp_path / "cache")
    lines_of(raw, tmp_path / "cache", on_bad_photo="skip")
    lines_of(raw, tmp_path / "cache", layout="pairs")
    assert len(looked) == 4


def test_data_with_problems_is_looked_at_each_time(raw: Path, tmp_path: Path, looked: list[str]) -> None:
    (raw / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,a,b\n")
    for _ in range(2):
        seen = InspectedRaw(str(raw), resolve({}, {}), BOTH, tmp_path / "cache")
        assert len(seen.look().problems) == 1
        seen.remember()
    assert len(looked) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 3}', b"\xff"])
def test_a_damaged_memory_is_none(raw: Path, tmp_path: Path, looked: list[str], content: bytes) -> None:
    lines = lines_of(raw, tmp_path / "cache")
    (tmp_path / "cache" / INSPECTED).write_bytes(content)
    assert lines_of(raw, tmp_path / "cache") == lines
    assert lines_of(raw, tmp_path / "cache") == lines
    assert len(looked) == 2
