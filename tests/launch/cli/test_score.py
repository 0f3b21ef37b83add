"""`score`: new photos through the models and the calibration of a finished run, without training."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from command_line import entry, pipeline_py, record, states
from kfp import compiler
from PIL import Image
from trained_run import copy_of_trained_run

from components.calibrate.calibrate import calibrate
from components.calibrate.settings import CalibrateSettings
from components.contract import schema
from launch.runs.dag.replay import Site, imported_item
from launch.runs.dag.wiring import MODEL, read_wiring
from launch.runs.lineage import RecordedRun
from launch.runs.parameters import resolve
from launch.runs.plans.score import TRAINED, score_plan
from pipeline import verdelta

EXECUTED = ["resize_images", "generate_pairs", "write_tfrecords", "predict[0]", "predict[1]", "calibrate", "report"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw/ and runs/, in which `first`, of folds 0 and 1, has finished and been scored on its own photos."""
    place = copy_of_trained_run(tmp_path_factory)
    shutil.copytree(place / "raw/test_dataset", place / "new/test_dataset")
    done = score(place, "first", "new", "same")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def score(place: Path, run: str, raw: str, name: str):
    """Scores the photos in a folder of `place`."""
    arguments = ["score", run, "--raw", str(place / raw), "--runs-dir", str(place / "runs"), "--name", name]
    return pipeline_py(*arguments, tree=place / "tree")


# A run's own photos.


def test_the_same_photos_get_the_runs_own_predictions_and_nothing_is_trained(place: Path) -> None:
    runs = place / "runs"
    assert states(runs, "same") == dict.fromkeys(EXECUTED, "executed")
    for name in ("submission_raw.csv", "submission_calibrated.csv"):
        assert (runs / "same" / name).read_bytes() == (runs / "first" / name).read_bytes()
    run = record(runs, "same")
    assert run["parent"] == {"run": "first", "stage": None, "kind": "score"}
    assert (run["state"], run["parameters"]) == ("SUCCEEDED", record(runs, "first")["parameters"])
    assert run["metrics"] == record(runs, "first")["metrics"]
    for fold in (0, 1):
        assert entry(runs, "same", "predict", fold)["inputs"]["model"] == entry(runs, "first", "train", fold)["outputs"]["model"]


def test_the_page_shows_the_test_pairs_and_no_training(place: Path) -> None:
    trained, scored = ((place / "runs" / name / "report.html").read_text() for name in ("first", "same"))
    for heading in ("Training", "Largest errors"):
        assert f"<h2>{heading}</h2>" in trained
        assert f"<h2>{heading}</h2>" not in scored
    for heading in ("What the model says about test photos", "Scores", "What ran"):
        assert f"<h2>{heading}</h2>" in scored
    note = "New photos, scored with the models and the calibration of an earlier run."
    assert note in scored
    assert note in (place / "runs/same/summary.md").read_text()
    assert note not in trained
    assert "folds held out: 0, 1" in (place / "runs/same/summary.md").read_text()


def test_list_names_the_trained_run(place: Path) -> None:
    listed = pipeline_py("list", "--runs-dir", str(place / "runs")).stdout
    assert re.search(r"^same +SUCCEEDED .* first: score ", listed, re.MULTILINE)


# Other photos.


def test_new_photos_of_a_new_species_with_labels_are_scored_and_train_photos_ignored(place: Path) -> None:
    raw = place / "other"
    folder = raw / "test_dataset/NA/0007"
    folder.mkdir(parents=True)
    (raw / "train_dataset/BC/BC_01").mkdir(parents=True)
    (raw / "train_dataset/BC/BC_01/DAT01.png").write_text("no photo, and not looked at")
    for stem, colour in (("a", (10, 200, 30)), ("b", (90, 90, 200)), ("c", (0, 0, 0))):
        Image.new("RGB", (24, 18), colour).save(folder / f"{stem}.png")
    (raw / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n5,a,b\n3,b,c\n")
    (raw / "test_dataset/test_labels.csv").write_text("idx,time_delta\n3,4\n5,9\n")
    done = score(place, "first", "other", "other")
    assert done.returncode == 0, done.stdout + done.stderr
    submission = pd.read_csv(place / "runs/other/submission_raw.csv", index_col="idx")["time_delta"]
    assert list(submission.index) == [5, 3]
    expected = (((submission[3] - 4) ** 2 + (submission[5] - 9) ** 2) / 2) ** 0.5
    metrics = record(place / "runs", "other")["metrics"]
    assert metrics["test_rmse_days_raw"] == pytest.approx(expected)
    assert metrics["test_rmse_days_calibrated"] == metrics["test_rmse_days_raw"]  # no line was fitted for this species
    trained = record(place / "runs", "first")["metrics"]
    assert {name: metrics[name] for name in trained} == trained
    written = Path(entry(place / "runs", "other", "calibrate")["outputs"]["submission"], "stage.json")
    assert json.loads(written.read_text())["skipped"][0]["what"] == "NA"
    examples = Path(entry(place / "runs", "other", "write_tfrecords")["outputs"]["examples"])
    assert not list(examples.glob("fold.*"))
    assert json.loads((examples / "dataset.json").read_text())["counts"]["train_images"] == 0


@pytest.mark.parametrize(
    ("run", "raw", "message"),
    [
        ("frist", "new", "frist: no such run. Did you mean first?"),
        ("same", "new", "same: a run of score, which trained nothing. Expected a run of the whole pipeline, or"),
        ("first", "nowhere", "nowhere: no such folder"),
        ("first", "runs", "no photo found for test_dataset/*/*/*.png"),
    ],
)
def test_a_command_that_cannot_be_is_refused_before_anything_runs(place: Path, run: str, raw: str, message: str) -> None:
    done = score(place, run, raw, "never")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "runs/never").exists()


def test_a_run_that_trained_no_further_than_its_model_is_refused_with_what_to_do(place: Path) -> None:
    copy = place / "unfinished/half"
    copy.mkdir(parents=True)
    content = record(place / "runs", "first")
    content["stages"] = [each for each in content["stages"] if each["stage"] not in ("calibrate", "report")]
    (copy / "run.json").write_text(json.dumps(content))
    done = pipeline_py("score", "half", "--raw", str(place / "new"), "--runs-dir", str(copy.parent))
    assert done.returncode == 2
    assert "half: no submission in its record, because calibrate did not succeed there" in done.stderr


# An earlier calibration, by each way to calibrate.

RULES = [{"species": "LT", "factor": 0.5}, {"series": "X", "factor": 3}]  # the second matches none of the run's own series


@pytest.mark.parametrize(
    "settings",
    [
        CalibrateSettings(calibration="none"),
        CalibrateSettings(calibration="fit"),
        CalibrateSettings(calibration="rules", calibration_rules=RULES),
    ],
    ids=lambda settings: settings.calibration,
)
def test_an_applied_calibration_gives_what_calibrate_gave(tmp_path: Path, settings: CalibrateSettings) -> None:
    catalog, predictions, trained, scored = calibrated_tables(tmp_path, settings)
    record = score_again(catalog, predictions, trained, scored, settings)
    names = ["submission_raw.csv", "submission_calibrated.csv", "metrics.json", "calibration.json", "out_of_fold_calibrated.csv"]
    names += ["test_calibrated.csv", "records.json"]
    for name in names:
        assert (scored / name).read_bytes() == (trained / name).read_bytes(), name
    assert record["settings"]["calibration"] == settings.calibration


def test_rules_are_applied_to_other_series(tmp_path: Path) -> None:
    settings = CalibrateSettings(calibration="rules", calibration_rules=RULES)
    catalog, predictions, trained, scored = calibrated_tables(tmp_path, settings)
    table = pd.read_csv(predictions / "predictions.csv").assign(series="X", species="LT", prediction_days=[8.0, 10.0, -1.0])
    table.to_csv(predictions / "predictions.csv", index=False)
    record = score_again(catalog, predictions, trained, scored, settings)
    assert json.loads((scored / "calibration.json").read_text())["factors"] == {"X": 1.5}
    days = pd.read_csv(scored / "submission_calibrated.csv", index_col="idx")["time_delta"]
    assert days.to_dict() == {0: 12.0, 1: 15.0, 2: 1.5}  # the last one is floored to 1 day first
    assert (record["skipped"], record["counts"]["test_days_floored"]) == ([], 1)


def score_again(catalog: Path, predictions: Path, trained: Path, scored: Path, settings: CalibrateSettings) -> dict[str, Any]:
    """Calibrates as the run did that wrote `trained`."""
    return calibrate(catalog=catalog, predictions=[predictions], calibrated=trained, submission=scored, settings=settings)


@pytest.mark.parametrize("given", [{}, {"calibrated": Path("a"), "out_of_fold": [Path("b")]}], ids=["neither", "both"])
def test_a_calibration_is_either_fitted_or_applied(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected one of them, to fit on or to apply"):
        calibrate(catalog=tmp_path, predictions=[tmp_path], submission=tmp_path, settings=CalibrateSettings(), **given)


def calibrated_tables(place: Path, settings: CalibrateSettings) -> tuple[Path, Path, Path, Path]:
    """Writes a catalog and predictions of three test pairs, and calibrates them; returns (catalog, predictions, that, empty)."""
    catalog, predictions, out_of_fold = (place / name for name in ("catalog", "predictions", "out_of_fold"))
    for folder in (catalog, predictions, out_of_fold):
        folder.mkdir()
    (catalog / "test_data.csv").write_text("idx,before_file_path,after_file_path\n1,a,b\n0,b,c\n2,d,e\n")
    (catalog / "test_labels.csv").write_text("idx,time_delta\n0,3\n1,4\n2,8\n")
    rows = [("p0", 0, "LT", "LT_1", 2.75), ("p1", 1, "LT", "LT_1", -3.0), ("p2", 2, "BC", "BC_1", 1 / 3)]
    pd.DataFrame(rows, columns=list(schema.PREDICTIONS_COLUMNS)).to_csv(predictions / "predictions.csv", index=False)
    rows = [(f"t{n}", s[:2], s, 0, n % 7 + 1, 3.3, 0.7 * n + len(s)) for n, s in enumerate(["LT_7", "BC_02", "LT_8", "BC_9"] * 3)]
    pd.DataFrame(rows, columns=list(schema.OUT_OF_FOLD_COLUMNS)).to_csv(out_of_fold / "out_of_fold.csv", index=False)
    calibrate(
        catalog=catalog, predictions=[predictions], out_of_fold=[out_of_fold], submission=place / "trained", settings=settings
    )
    return catalog, predictions, place / "trained", place / "scored"


# The pipeline.


def test_it_compiles_for_a_cluster_with_the_arguments_of_a_run(tmp_path: Path) -> None:
    artifacts = {(source, fold): f"gs://b/{source.output}-{fold}" for source in TRAINED for fold in (None, 0, 1, 2, 3, 4)}
    raw = {"raw": "gs://bucket/new", "raw_digest": "abc"}
    site = Site(content=str.upper, in_loop=imported_item, loops_of_one=True)
    parameters = resolve({}, {"num_shards": 2, "folds": [0, 1, 2, 3, 4]})
    trained = RecordedRun(
        name="first", preset=None, parameters=parameters, parent=None, raw="gs://bucket/old", artifacts=artifacts
    )
    plan = score_plan(read_wiring(verdelta), trained, raw["raw"], None)
    pipeline, arguments = plan.steps[0].build(plan, site, raw, {})
    assert arguments["shards"] == [0, 1]
    assert arguments["folds"][3] == {"fold": 3, "train_model": "gs://b/model-3", "train_model_content": "GS://B/MODEL-3"}
    assert MODEL.stage not in {task.replace("-", "_") for task in pipeline.pipeline_spec.root.dag.tasks}
    compiler.Compiler().compile(pipeline, str(tmp_path / "score.yaml"), pipeline_parameters=arguments)
    executors = yaml.safe_load((tmp_path / "score.yaml").read_text(encoding="utf-8"))["deploymentSpec"]["executors"]
    imported = {each["importer"]["artifactUri"].get("constant") for each in executors.values() if "importer" in each}
    assert {"gs://b/submission-None", "gs://b/folded_pairs-None"} <= imported
