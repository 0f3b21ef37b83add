"""`check` tells what it understood and every problem, in the command line itself."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest
from command_line import in_process, pipeline_py, write_raw


def check(raw: Path, *more: str) -> CompletedProcess[str]:
    return in_process("check", "--raw", str(raw), *more)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_raw(tmp_path / "raw")
    return tmp_path / "raw"


def test_good_data_is_described_with_status_0(raw: Path) -> None:
    done = pipeline_py("check", "--raw", str(raw))
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (" train and ", "days of ", "test pairs of ", "no problems"):
        assert words in done.stdout


def test_every_problem_is_told_with_status_1(raw: Path) -> None:
    photo = next((raw / "train_dataset").rglob("*.png"))
    photo.with_name("DAT77.png").write_bytes(photo.read_bytes()[:-20])
    photo.with_name("cover.png").symlink_to("/nowhere.png")
    (raw / "test_dataset/test_data.csv").write_text("idx;before_file_path;after_file_path\n")
    done = check(raw)
    assert done.returncode == 1
    for words in ("DAT77.png", "cover.png: a link to /nowhere.png", "semicolons", "\n3 problems\n"):
        assert words in done.stdout
    assert "left out: " in check(raw, "--set", "on_bad_photo=skip").stdout


def test_no_data_is_a_problem(tmp_path: Path) -> None:
    done = check(tmp_path / "absent")
    assert done.returncode == 1
    assert "no such folder" in done.stdout
