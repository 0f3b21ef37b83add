"""`publish`: a run's models in MLflow's registry, loaded back by MLflow and by `ask`, and which of two does better."""

import base64
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import pipeline_py
from gcs_server import BUCKET, gcs_server
from served_model import photo, write_models
from trained_run import copy_of_trained_run

from components.contract.artifacts import write_manifest
from components.images import ROOT
from components.serve.models.bundle import read_bundle
from components.serve.models.predictor import Predictor
from launch.runs.comparison import CATALOG, PAIRS, labelled_pairs, rmse_of
from launch.runs.dag.wiring import read_wiring
from launch.runs.lineage import RecordedRun
from launch.tracking.registry import published, registry
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
        (["--to", "x", "--replace"], "--replace: expected --to gs://BUCKET/FOLDER, too"),
        (["--serving-image", "x"], "expected --target vertex and --to gs://BUCKET/FOLDER"),
    ):
        done = command(place, "publish", "first", *flags)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def calibrated_run(place: Path, name: str, factor: float, label: float) -> None:
    """Writes the run `name`: `first`, but for a calibration by `factor` and a test set whose one pair lies `label` days apart."""
    record = json.loads((place / "runs/first/run.json").read_text())
    calibration = {"mode": "rules", "rules": [{"species": "LT", "factor": factor}], "fits": {}}
    for stage in record["stages"]:
        for output, file, content in (
            ("catalog", "test_labels.csv", f"idx,time_delta\n0,{label}\n"),
            ("submission", "calibration.json", json.dumps(calibration)),
        ):
            if output in stage["outputs"]:
                copy = place / "copies" / name / stage["stage"] / output
                shutil.copytree(stage["outputs"][output], copy)
                (copy / file).write_text(content)
                write_manifest(copy, stage["stage"])
                stage["outputs"][output] = str(copy)
    (place / "runs" / name).mkdir()
    (place / "runs" / name / "run.json").write_text(json.dumps({**record, "name": name}))


def test_the_alias_goes_to_the_better_of_two_models_and_stays_where_one_is_not(
    place: Path, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    days = pd.read_csv(place / "runs/first/submission_raw.csv")["time_delta"]
    assert len(days) == 1
    for name, factor in (("good", 1.0), ("better", 1.9), ("worse", 1.2)):
        calibrated_run(place, name, factor, label=2 * days[0])

    def publish(name: str) -> tuple[int, list[str]]:
        done = command(place, "publish", name, "--alias", "best", "--if-better")
        return done.returncode, done.stdout.splitlines()

    def best() -> str:
        return published(server, "models:/verdelta@best", tmp_path / str(len(list(tmp_path.iterdir())))).name

    status, said = publish("good")  # there is none to be better than
    assert (status, best()) == (0, "good"), said
    status, said = publish("better")
    assert said[0] == f"1 test pairs: {0.1 * days[0]:.3f} days of error by better, {days[0]:.3f} by good"
    assert (status, best()) == (0, "better")
    status, said = publish("worse")
    expected = f"1 test pairs: {0.8 * days[0]:.3f} days of error by worse, {0.1 * days[0]:.3f} by better"
    assert said == [expected, "not published: worse does not do better."]
    assert (status, best()) == (1, "better")


def test_a_model_in_a_bucket_is_replaced_only_where_that_is_asked_for(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gcs_server() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        there = f"gs://{BUCKET}/models/verdelta"
        assert command(place, "publish", "first", "--to", there).returncode == 0
        again = command(place, "publish", "first", "--to", there + "/")
        assert again.returncode == 2
        assert f"{there}/verdelta.json: published before. Name a new folder" in again.stderr
        assert command(place, "publish", "first", "--to", there, "--replace").returncode == 0
        assert read_bundle(there, tmp_path).name == "first"


def test_a_registry_that_cannot_be_asked_is_named_without_its_password(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team:s3cret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for arguments in (
        ["publish", "first", "--alias", "champion"],
        ["ask", "--model", CHAMPION, *(str(place / TEST_PHOTOS / name) for name in (BEFORE, AFTER))],
    ):
        done = command(place, *arguments)
        assert done.returncode == 2, done.stderr
        assert "the registry of models cannot be asked" in done.stderr
        assert "127.0.0.1" in done.stderr
        assert "s3cret" not in done.stdout + done.stderr


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
