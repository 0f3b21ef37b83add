"""Files are whole or not there, and a stage's record says what it did."""

import json
from pathlib import Path, PurePosixPath

import pytest

from components.contract import artifacts
from components.split_folds.settings import SplitFoldsSettings


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    with artifacts.atomic_write(target) as path:
        path.write_text("first")
        assert not target.exists()
    with pytest.raises(RuntimeError), artifacts.atomic_write(target) as path:
        path.write_text("sec")
        raise RuntimeError
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_record_says_stage_settings_counts_and_what_was_skipped(tmp_path: Path) -> None:
    settings = SplitFoldsSettings(num_folds=3, shuffle_seed=1)
    record = artifacts.write_record(tmp_path, "split_folds", settings, {"pairs": 2}, [(PurePosixPath("a/b"), "because")])
    assert json.loads((tmp_path / "stage.json").read_text()) == record
    assert record == {
        "stage": "split_folds",
        "settings": {"num_folds": 3, "shuffle_seed": 1},
        "counts": {"pairs": 2},
        "skipped": [{"what": "a/b", "why": "because"}],
    }
