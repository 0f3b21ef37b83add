"""`publish`: a run's models in MLflow's registry, loaded back by MLflow and by `ask`, and which of two does better."""

import base64
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import pipeline_py
from served_model import photo, write_models
from trained_run import copy_of_trained_run

from components.images import ROOT
from components.serve.models.predictor import Predictor
from launch.runs.comparison import CATALOG, PAIRS, labelled_pairs, rmse_of
from launch.runs.dag.wiring import read_wiring
from launch.runs.lineage import RecordedRun
from launch.tracking.registry import registry
from pipeline import verdelta

TEST_PHOTOS = "raw/test_dataset/LT/1003"
BEFORE, AFTER = "idx_LT_1003_00001.png", "idx_LT_1003_00002.png"
CHAMPION = "models:/verdelta@champion"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw/ and runs/, in which `first` has finished; it was published by the server that publish starts."""
    place = copy_of_trained_run(tmp_path_factory)
    done = command(place, "publish", "first", "--alias", "champion")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"models:/verdelta/1, {CHAMPION}: 2 models of first\n"
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    """A team's server, which the variable MLFLOW_TRACKING_URI names: here it is over the same registry."""
    with registry(place / "runs") as url:
        yield url


def command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return pipeline_py(*arguments, "--runs-dir", str(place / "runs"))


def submitted(place: Path) -> float:
    return pd.read_csv(place / "runs/first/submission_calibrated.csv")["time_delta"][0]


def test_mlflow_loads_it_in_a_fresh_process_and_it_answers_as_predict(place: Path, server: str, tmp_path: Path) -> None:
    program = (
        "import base64, json, sys, mlflow.pyfunc, pandas\n"
        f"model = mlflow.pyfunc.load_model('{CHAMPION}')\n"
        "photos = [base64.b64decode(each) for each in json.load(sys.stdin)]\n"
        "table = pandas.DataFrame({'before': photos[:1], 'after': photos[1:], 'species': ['LT']})\n"
        "print(model.predict(table).to_json(orient='records'))\n"
        "print(sys.modules['components'].__file__)\n"
    )
    photos = [base64.b64encode((place / TEST_PHOTOS / name).read_bytes()).decode() for name in (BEFORE, AFTER)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, input=json.dumps(photos), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer, source = done.stdout.splitlines()[-2:]
    assert json.loads(answer)[0]["days"] == pytest.approx(submitted(place), abs=1e-4)
    assert not source.startswith(str(ROOT))  # the code came with the model


def test_ask_finds_it_by_its_alias(place: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    photos = [str(place / TEST_PHOTOS / name) for name in (BEFORE, AFTER)]
    done = command(place, "ask", "--model", CHAMPION, *photos, "--species", "LT", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["photos"][1]["days"] == pytest.approx(submitted(place), abs=1e-4)
    done = command(place, "ask", "--model", "models:/verdelta@nobody", *photos)
    assert done.returncode == 2
    assert "models:/verdelta@nobody: not in the registry" in done.stderr


def test_what_cannot_be_compared_or_does_not_go_together_is_refused(
    place: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    for flags, message in (
        (["--alias", "champion", "--if-better"], "first: its test photos have no labels"),
        (["--if-better"], "--if-better: it compares with the version that has --alias"),
        (["--to", "x", "--alias", "champion"], "a folder has no aliases"),
        (["--serving-image", "x"], "expected --target vertex and --to gs://BUCKET/FOLDER"),
    ):
        done = command(place, "publish", "first", *flags)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_a_folder_has_the_card_with_data_folds_and_scores(place: Path, tmp_path: Path) -> None:
    assert command(place, "publish", "first", "--to", str(tmp_path / "model")).returncode == 0
    card = (tmp_path / "model/README.md").read_text()
    metrics = json.loads((place / "runs/first/run.json").read_text())["metrics"]
    assert f"| validation rmse days | {metrics['validation_rmse_days']:.2f} |" in card
    assert "Models of fold 0, 1, 2 of 2 folds" in card
    assert str(place / "raw") in card or "raw" in card.split("## Learned from")[1].split("##")[0]
    for heading in ("For what", "Not measured", "Licence"):
        assert f"## {heading}" in card


def test_two_models_are_tried_on_the_same_labelled_photos(tmp_path: Path) -> None:
    photos, days = [photo(seed) for seed in range(3)], [3.0, 8.0]
    folder = tmp_path / "raw/test_dataset/LT/1003"
    folder.mkdir(parents=True)
    for number, content in enumerate(photos):
        (folder / f"p{number}.png").write_bytes(content)
    (folder.parents[1] / "test_data.csv").write_text("idx,before_file_path,after_file_path\n0,p0,p1\n1,p0,p2\n")
    catalog, pairs = tmp_path / "catalog", tmp_path / "pairs"
    catalog.mkdir()
    pairs.mkdir()
    places = "".join(f"t/p{number},test_dataset/LT/1003/p{number}.jpg\n" for number in range(3))
    (catalog / "images.csv").write_text("image_id,path\n" + places)
    (catalog / "test_labels.csv").write_text("idx,time_delta\n0,3\n1,8\n")
    (pairs / "test_pairs.csv").write_text(
        "idx,species,series,before_image_id,after_image_id\n1,LT,LT_1003,t/p0,t/p2\n0,LT,LT_1003,t/p0,t/p1\n"
    )
    run = RecordedRun(
        name="one", preset=None, parameters={"folds": [0]}, parent=None, raw=str(tmp_path / "raw"),
        artifacts={(CATALOG, None): str(catalog), (PAIRS, None): str(pairs)},
    )  # fmt: skip
    predictor = Predictor(write_models(tmp_path / "models", models=1))
    one, two, three = predictor.photos([("", each) for each in photos])
    answers = [each.days for each in predictor.between([(one, two), (one, three)], "LT")]
    expected = math.sqrt(sum((found - true) ** 2 for found, true in zip(answers, days, strict=True)) / 2)
    tried = labelled_pairs(run, read_wiring(verdelta), tmp_path)
    assert rmse_of(predictor, tried) == pytest.approx(expected)
    (catalog / "test_labels.csv").unlink()
    with pytest.raises(ValueError, match="have no labels"):
        labelled_pairs(run, read_wiring(verdelta), tmp_path)
