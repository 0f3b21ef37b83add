"""`ask`: photos by the models of a run, equal to the run's own submission."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from command_line import in_process, pipeline_py
from PIL import Image
from trained_run import copy_of_trained_run

TEST_PHOTOS = "raw/test_dataset/LT/1003"
BEFORE, AFTER = "idx_LT_1003_00001.png", "idx_LT_1003_00002.png"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw/ and runs/, in which `first`, of folds 0 and 1, has finished, calibrated by a fitted line."""
    return copy_of_trained_run(tmp_path_factory)


def ask(place: Path, *arguments: str):
    return pipeline_py("ask", *arguments, "--runs-dir", str(place / "runs"), tree=place / "tree")


def submitted(place: Path, kind: str) -> float:
    """The days of the run's one test pair."""
    return pd.read_csv(place / f"runs/first/submission_{kind}.csv")["time_delta"][0]


def test_two_photos_get_the_runs_own_days_whatever_they_are_called(place: Path) -> None:
    for name, copy in ((BEFORE, "on Monday.PNG"), (AFTER, "später.png")):
        shutil.copy(place / TEST_PHOTOS / name, place / copy)
    asked = [str(place / "on Monday.PNG"), str(place / "später.png"), "--json"]
    done = ask(place, "first", *asked, "--species", "LT")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["run"] == "first"
    assert said["calibration"].endswith("the line of LT")
    first, last = said["photos"]
    assert (first["photo"], first["days"], last["photo"]) == ("on Monday.PNG", 0.0, "später.png")
    assert last["days"] == pytest.approx(submitted(place, "calibrated"), abs=1e-4)
    assert last["raw_days"] == pytest.approx(submitted(place, "raw"), abs=1e-4)
    low, high = said["interval"]
    assert 0 <= low <= last["days"] <= high  # of nothing where all held-out pairs were exactly right, as here
    plain = json.loads(ask(place, "first", *asked).stdout)
    assert plain["photos"][1]["days"] == last["raw_days"]
    assert plain["calibration"] == "none: say which of BC, LT"


def test_a_folder_is_put_on_a_time_line_in_the_order_of_its_names(place: Path) -> None:
    folder = place / "plant"
    folder.mkdir()
    for day in (1, 2, 10):
        Image.new("RGB", (30, 20), (9 * day, 200 - 9 * day, 40)).save(folder / f"day {day}.jpg")
    (folder / "notes.txt").write_text("no photo")
    done = ask(place, "first", str(folder), "--page", str(place / "page.html"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(None, 1)[1] for line in lines[1:4]] == ["day 1.jpg", "day 2.jpg", "day 10.jpg"]
    assert lines[1].split()[0] == "0.00"
    page = (place / "page.html").read_text()
    assert page.count("data:image/jpeg") == 3
    assert "http" not in page
    days = [float(line.split()[0]) for line in lines[2:4]]
    for name, expected in zip(("day 2.jpg", "day 10.jpg"), days, strict=True):
        pair = ask(place, "first", str(folder / "day 1.jpg"), str(folder / name), "--json")
        assert json.loads(pair.stdout)["photos"][1]["days"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("frist", BEFORE, AFTER), "frist: no such run. Did you mean first?"),
        (("first", BEFORE), "1 photos. Expected two or more"),
        (("first",), "no photo: 0 photos. Expected two or more"),
        (("first", BEFORE, "nowhere.png"), "nowhere.png: no such file"),
        (("first", BEFORE, "test_data.csv"), "test_data.csv: cannot be decoded as a photo: no image format"),
        (("--model", "nowhere", BEFORE, AFTER), "nowhere/verdelta.json: missing. Expected a folder that"),
        (("--model", "gs://", BEFORE, AFTER), "gs:"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_a_line(place: Path, arguments: tuple[str, ...], message: str) -> None:
    test = place / TEST_PHOTOS
    paths = {BEFORE: test / BEFORE, AFTER: test / AFTER, "test_data.csv": test.parents[1] / "test_data.csv"}
    done = in_process("ask", *(str(paths.get(each, each)) for each in arguments), "--runs-dir", str(place / "runs"))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_was_changed_is_refused_by_name_with_the_stage_to_run_again(place: Path, tmp_path: Path) -> None:
    record = place / "runs/first/run.json"
    said = record.read_text()
    folder = next(each["outputs"]["model"] for each in json.loads(said)["stages"] if each["stage"] == "train")
    model = shutil.copytree(folder, tmp_path / "model") / "model.keras"  # other test modules read the run's own just now
    content = model.read_bytes()
    middle = len(content) // 2
    photos = [str(place / TEST_PHOTOS / name) for name in (BEFORE, AFTER)]
    try:
        record.write_text(said.replace(folder, str(model.parent)))
        assert ask(place, "first", *photos).returncode == 0
        model.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        done = ask(place, "first", *photos)
    finally:
        record.write_text(said)
    assert done.returncode == 2
    assert f"{model}: SHA-256" in done.stderr
    assert "rerun RUN train" in done.stderr
