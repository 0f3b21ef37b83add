"""Bad input, from the command line to the message: status, stage, file, fix; and what was done before is kept."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import h5py
import pytest
from command_line import in_process, pipeline_py, record, set_options, states, write_raw
from PIL import Image

TINY = {"image_size": 32, "dim": 32, "encoder": "B0", "lstm_units": 2, "num_folds": 2, "mixed_precision": "float32"}


def run(raw: Path, name: str, command: Callable[..., CompletedProcess[str]] = pipeline_py, **parameters: object):
    """Runs the pipeline on `raw`; runs are kept beside it."""
    options = set_options({**TINY, "checkpoint": "none", **parameters})
    return command("run", "--raw", str(raw), "--runs-dir", str(raw.parent / "runs"), "--name", name, *options)


def no_train_photo(raw: Path) -> None:
    shutil.rmtree(raw / "train_dataset")
    (raw / "train_dataset/BC/BC_01").mkdir(parents=True)


def text_for_a_photo(raw: Path) -> None:
    (raw / "train_dataset/BC/BC_01/DAT02.png").write_text("not a photo")


def stem_without_digits(raw: Path) -> None:
    (raw / "train_dataset/LT/LT_01/DAT02.png").rename(raw / "train_dataset/LT/LT_01/last.png")


def missing_test_photo(raw: Path) -> None:
    (raw / "test_dataset/LT/1003/idx_LT_1003_00002.png").unlink()


def duplicate_test_stem(raw: Path) -> None:
    shutil.copytree(raw / "test_dataset/LT/1003", raw / "test_dataset/LT/1004")


def nothing(_raw: Path) -> None: ...


def assert_failed(raw: Path, done: CompletedProcess[str], name: str, stage: str, *said: str) -> None:
    """The run that ended so names the stage and says `said`; it leaves a record, and no submission."""
    assert done.returncode == 1, done.stdout + done.stderr
    failed = done.stdout[done.stdout.index("\nFAILED: ") :]
    for text in (f"FAILED: stage {stage}", *said):
        assert text in failed
    assert "Traceback" not in done.stdout + done.stderr
    assert not (raw.parent / "runs" / name / "submission_raw.csv").exists()
    assert record(raw.parent / "runs", name)["state"] == "FAILED"


@pytest.mark.parametrize(
    ("spoil", "parameters", "stage", "what", "fix"),
    [
        (text_for_a_photo, {}, "resize_images", "BC_01/DAT02.png", "on_bad_photo=skip"),
        (nothing, {"num_folds": 3}, "split_folds", "2 train series", "Set num_folds to at most 2"),
    ],
)
def test_a_stage_that_fails_names_itself_the_file_and_the_fix(
    tmp_path: Path, spoil: Callable[[Path], None], parameters: dict[str, object], stage: str, what: str, fix: str
) -> None:
    raw = write_raw(tmp_path / "raw")
    spoil(raw)
    assert_failed(raw, run(raw, "bad", **parameters), "bad", stage, what, fix)


@pytest.mark.parametrize(
    ("spoil", "what", "fix"),
    [
        (stem_without_digits, "LT_01/last.png", "DAT"),
        (duplicate_test_stem, "1004/idx_LT_1003_00001.png", "1003/idx_LT_1003_00001.png"),
        (missing_test_photo, "idx_LT_1003_00002", "idx"),
    ],
)
def test_names_and_tables_that_cannot_be_understood_are_refused_before_anything_runs(
    tmp_path: Path, spoil: Callable[[Path], None], what: str, fix: str
) -> None:
    raw = write_raw(tmp_path / "raw")
    spoil(raw)
    done = run(raw, "bad", in_process)
    assert done.returncode == 2, done.stdout + done.stderr
    assert what in done.stderr and fix in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs/bad").exists()


def test_a_folder_without_train_photos_is_refused_before_anything_runs(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    no_train_photo(raw)
    done = run(raw, "bad", in_process)
    assert done.returncode == 2
    assert f"{raw}: no photo found for train_dataset/*/*/*.png" in done.stderr
    assert "for example train_dataset/BC/BC_01/DAT01.png" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_that_cannot_be_used_fails_training_and_what_came_before_is_kept(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("another_layer").attrs["weight_names"] = [b"another_layer/kernel:0"]
    done = run(raw, "bad", checkpoint=tmp_path / "other.h5")
    error = f"ValueError: checkpoint {tmp_path}/other.h5 does not fit EfficientNet-B0"
    assert_failed(raw, done, "bad", f"train (fold 0): {error}", "layers are not in the file")
    again = run(raw, "again", checkpoint=tmp_path / "elsewhere.h5")
    assert_failed(raw, again, "again", "train", "elsewhere.h5", "expected none, imagenet, noisy-student")
    before_training = ("resize_images", "generate_pairs", "split_folds", "write_tfrecords")
    assert states(tmp_path / "runs", "again") == {**dict.fromkeys(before_training, "cached"), "train[0]": "failed"}


def test_a_series_of_one_photo_is_counted_skipped_and_reported(tmp_path: Path) -> None:
    """The run is stopped at split_folds, by too many folds: what was skipped is known before that."""
    raw = write_raw(tmp_path / "raw")
    (raw / "train_dataset/BC/BC_07").mkdir()
    Image.new("RGB", (20, 20), (7, 7, 7)).save(raw / "train_dataset/BC/BC_07/DAT01.png")  # unlike any other photo
    run(raw, "one", num_folds=9)
    stage = next(entry for entry in record(tmp_path / "runs", "one")["stages"] if entry["stage"] == "generate_pairs")
    pairs = Path(stage["outputs"]["pairs"])
    assert '"skipped_series": 1' in (pairs / "stage.json").read_text()
    assert "BC_07" in (pairs / "stage.json").read_text()
    assert "BC_07" not in (pairs / "train_pairs.csv").read_text()
