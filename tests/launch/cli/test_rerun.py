"""`rerun`: what is executed again and what is taken from the record, for stages of the whole run and of one fold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import entry, in_process, pipeline_py, record, states, write_raw
from google.protobuf import json_format
from kfp import compiler
from trained_run import copy_of_trained_run

from components.images import ROOT
from launch.backends.local.records import read_recorded_run
from launch.runs.dag.replay import Site, imported_item, pipeline_of
from launch.runs.dag.wiring import Source, read_wiring
from launch.runs.parameters import resolve
from pipeline import verdelta


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with the finished run `first`, of folds 0 and 1."""
    return copy_of_trained_run(tmp_path_factory) / "runs"


def rerun(runs: Path, *arguments: str):
    """Runs `rerun` on the runs in a folder, by the source that made them."""
    tree = runs.parent / "tree"
    return pipeline_py("rerun", *arguments, "--runs-dir", str(runs), tree=tree if tree.exists() else ROOT)


# What is executed.


def test_one_stage_runs_alone_on_the_recorded_artifacts_in_a_run_that_names_its_parent(runs: Path) -> None:
    done = rerun(runs, "first", "predict", "--set", "tta_views=2", "--name", "two-views")
    assert done.returncode == 0, done.stdout + done.stderr
    assert states(runs, "two-views") == {"predict[0]": "executed", "predict[1]": "executed"}
    for fold in (0, 1):
        old, new = (entry(runs, name, "predict", fold) for name in ("first", "two-views"))
        assert new["inputs"] == {**old["inputs"], "tta_views": 2}
        assert Path(new["outputs"]["predictions"]).is_relative_to(runs / "two-views")
        header = Path(new["outputs"]["predictions"], "predictions.csv").read_text().splitlines()[0]
        assert header.endswith("view_0,view_1")
    run = record(runs, "two-views")
    assert run["parent"] == {"run": "first", "stage": "predict", "kind": "rerun", "folds": [0, 1]}
    assert run["parameters"] == {**record(runs, "first")["parameters"], "tta_views": 2}
    assert (run["preset"], run["metrics"]) == (None, {})
    assert not (runs / "two-views/submission_raw.csv").exists()
    listed = pipeline_py("list", "--runs-dir", str(runs)).stdout
    assert "first: predict" in listed


def test_one_fold_trained_again_goes_on_to_a_submission_in_one_command_or_in_two(runs: Path) -> None:
    """Downstream of fold 1 everything is new, and fold 0 is the recorded one."""
    changed = ("--fold", "1", "--set", "learning_rate=0.5")
    one = rerun(runs, "first", "train", *changed, "--downstream", "--name", "one")
    assert one.returncode == 0, one.stdout + one.stderr
    assert states(runs, "one") == dict.fromkeys(["train[1]", "predict[1]", "calibrate", "report"], "executed")
    for stage, name in (("train", "out_of_fold"), ("predict", "predictions")):
        expected = [entry(runs, run, stage, fold)["outputs"][name] for run, fold in (("first", 0), ("one", 1))]
        assert entry(runs, "one", "calibrate")["inputs"][name] == expected
    assert record(runs, "one")["metrics"].keys() == record(runs, "first")["metrics"].keys()
    assert predicted(runs, "one") != predicted(runs, "first")
    assert (runs / "one/submission_calibrated.csv").is_file()
    assert (runs / "one/report.html").is_file()

    assert rerun(runs, "first", "train", *changed, "--name", "step-1").returncode == 0
    assert states(runs, "step-1") == {"train[1]": "cached"}  # what `one` did
    pairs = pd.read_csv(Path(entry(runs, "step-1", "train", 1)["outputs"]["out_of_fold"], "out_of_fold.csv"))
    columns = {"baseline_rmse_days": pairs["baseline_days"], "validation_rmse_days": pairs["prediction_days"]}
    assert record(runs, "step-1")["metrics"] == pytest.approx(
        {name: np.sqrt(np.mean((days.where(days > 0, 1.0) - pairs["time_delta_days"]) ** 2)) for name, days in columns.items()}
    )
    outdated = rerun(runs, "step-1", "calibrate", "--name", "never")
    assert outdated.returncode == 2
    assert "step-1: no predictions of fold 1 in its record" in outdated.stderr
    assert "rerun step-1 predict --downstream" in outdated.stderr
    two = rerun(runs, "step-1", "predict", "--downstream", "--fold", "1", "--name", "step-2")
    assert two.returncode == 0, two.stdout + two.stderr
    assert predicted(runs, "step-2") == predicted(runs, "one")
    for name in ("submission_raw.csv", "submission_calibrated.csv"):
        assert (runs / "step-2" / name).read_bytes() == (runs / "one" / name).read_bytes()


def predicted(runs: Path, name: str) -> bytes:
    """What a run's model of fold 1 predicts for the test pairs."""
    return Path(entry(runs, name, "predict", 1)["outputs"]["predictions"], "predictions.csv").read_bytes()


# Runs that failed, and runs that lost something.


def test_a_stage_that_failed_is_mended_by_a_parameter(tmp_path: Path) -> None:
    raw, runs = write_raw(tmp_path / "raw"), tmp_path / "runs"
    command = ["run", "--raw", str(raw), "--runs-dir", str(runs), "--name", "bad", "--set", "image_size=16"]
    assert pipeline_py(*command, "--set", "num_folds=5").returncode == 1  # of two series
    assert entry(runs, "bad", "split_folds")["state"] == "failed"
    done = rerun(runs, "bad", "split_folds", "--set", "num_folds=2", "--name", "good")
    assert done.returncode == 0, done.stdout + done.stderr
    assert states(runs, "good") == {"split_folds": "executed"}
    assert entry(runs, "good", "split_folds")["inputs"] == {**entry(runs, "bad", "split_folds")["inputs"], "num_folds": 2}
    later = rerun(runs, "bad", "write_tfrecords")
    assert later.returncode == 2
    assert "bad: no folded_pairs in its record, because split_folds did not succeed there" in later.stderr


def test_a_photo_mended_in_place_is_seen(tmp_path: Path) -> None:
    raw, runs = write_raw(tmp_path / "raw"), tmp_path / "runs"
    photo = raw / "train_dataset/BC/BC_01/DAT02.png"
    good = photo.read_bytes()
    photo.write_bytes(good[:40])
    assert pipeline_py("run", "--raw", str(raw), "--runs-dir", str(runs), "--name", "bad").returncode == 1
    assert rerun(runs, "bad", "resize_images", "--name", "still-bad").returncode == 1
    photo.write_bytes(good)
    done = rerun(runs, "bad", "resize_images", "--name", "good", "--set", "image_size=16")
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = (entry(runs, name, "resize_images")["inputs"] for name in ("bad", "good"))
    assert old["raw"] == new["raw"] == str(raw)
    assert old["raw_digest"] != new["raw_digest"]


def test_a_lost_artifact_is_named_with_the_stage_to_begin_at(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "runs/first"
    copy.mkdir(parents=True)
    gone = str(tmp_path / "gone")
    text = (runs / "first/run.json").read_text()
    (copy / "run.json").write_text(text.replace(entry(runs, "first", "train", 1)["outputs"]["model"], gone))
    done = rerun(tmp_path / "runs", "first", "predict")
    assert done.returncode == 2
    assert f"{gone}: missing. first recorded it as model of fold 1 of train" in done.stderr
    assert "rerun first train --downstream" in done.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["first"]


# Commands that cannot be.


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["frist", "train"], ["frist: no such run. Did you mean first?"]),
        (["first", "trian"], ["trian: no such stage. Expected one of resize_images, generate_pairs"]),
        (
            ["first", "predict", "--set", "learning_rate=0.1"],
            ["learning_rate: a parameter of train, and this runs predict. Expected one of tta_views, prediction_batch_size;"],
        ),
        (
            ["first", "predict", "--set", "strip_pairs=2"],
            ["with --downstream also calibration, calibration_rules, cadence_days, interval_coverage, strip_pairs."],
        ),
        (["first", "calibrate", "--set", "calibratoin=fit"], ["no such parameter. Did you mean calibration? Expected one of"]),
        (["first", "generate_pairs", "--set", "folds=[0]"], ["Expected none, generate_pairs has no parameters; with"]),
        (["first", "train", "--set", "learning_rate=9"], ["learning_rate=9.0: expected at most 1"]),
        (["first", "train", "--fold", "2"], ["--fold 2: first is of folds [0, 1]"]),
        (["first", "report", "--fold", "0"], ["--fold 0: report is not run by fold. Expected it with train, predict only"]),
        (["first", "train", "--name", "first"], ["a run of this name exists"]),
        (["empty", "train"], ["empty: its run.json is missing or cannot be read"]),
    ],
)
def test_a_command_that_cannot_be_is_refused_before_anything_runs(runs: Path, arguments: list[str], messages: list[str]) -> None:
    (runs / "empty").mkdir(exist_ok=True)
    before = {path.name for path in runs.iterdir()}
    done = in_process("rerun", *arguments, "--runs-dir", str(runs))
    assert (done.returncode, done.stdout) == (2, "")
    for message in messages:
        assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in runs.iterdir()} == before


# What a run can be continued from.


def write_record(runs: Path, name: str, stages: list[dict[str, Any]], **more: Any) -> None:
    """Writes a run.json of folds 0 and 1."""
    (runs / name).mkdir(parents=True)
    content = {"state": "SUCCEEDED", "started": "", "metrics": {}, "parameters": {"folds": [0, 1]}, "stages": stages, **more}
    (runs / name / "run.json").write_text(json.dumps(content))


def test_a_rerun_takes_over_what_it_did_not_outdate(tmp_path: Path) -> None:
    def stage(name: str, fold: int | None, state: str, **outputs: str) -> dict[str, Any]:
        return {"stage": name, "fold": fold, "state": state, "inputs": {"examples": "/a/examples"}, "outputs": outputs}

    oldest = [stage(name, fold, "executed", **{output: f"/a/{output}-{fold}"}) for fold in (0, 1) for name, output in BY_FOLD]
    oldest += [stage("generate_pairs", None, "cached", pairs="/a/pairs"), stage("calibrate", None, "executed", submission="/a/s")]
    write_record(tmp_path, "a", oldest)
    parent = {"run": "a", "stage": "train", "kind": "rerun", "folds": [1]}
    write_record(tmp_path, "b", [stage("train", 1, "executed", model="/b/model-1")], parent=parent)
    parent = {"run": "b", "stage": "predict", "kind": "rerun", "folds": [0, 1]}
    write_record(tmp_path, "c", [stage("predict", 0, "failed", predictions="/c/predictions-0")], parent=parent)
    found = {name: read_recorded_run(tmp_path, name, read_wiring(verdelta)).artifacts for name in "abc"}
    common = {
        (Source("generate_pairs", "pairs"), None): "/a/pairs",
        (Source("write_tfrecords", "examples"), None): "/a/examples",  # known from who read it
        (Source("train", "model"), 0): "/a/model-0",
    }
    model, predictions, submission = Source("train", "model"), Source("predict", "predictions"), Source("calibrate", "submission")
    both = {(predictions, fold): f"/a/predictions-{fold}" for fold in (0, 1)}
    assert found["a"] == {**common, (model, 1): "/a/model-1", **both, (submission, None): "/a/s"}
    assert found["b"] == {**common, (model, 1): "/b/model-1", (predictions, 0): "/a/predictions-0"}
    assert found["c"] == {**common, (model, 1): "/b/model-1"}


BY_FOLD = (("train", "model"), ("predict", "predictions"))


# The pipeline that is made for it.


def test_the_wiring_is_the_pipelines() -> None:
    wiring = read_wiring(verdelta)
    assert wiring.per_fold == {"train", "predict"}
    assert wiring.per_shard == {"resize_images"}
    assert wiring.inputs["resize_images"] == {}
    assert wiring.inputs["predict"] == {"examples": Source("write_tfrecords", "examples"), "model": Source("train", "model")}
    assert wiring.inputs["calibrate"] == {
        "catalog": Source("generate_pairs", "catalog"),
        "predictions": Source("predict", "predictions"),
        "out_of_fold": Source("train", "out_of_fold"),
        "histories": Source("train", "history"),
    }
    assert wiring.onward("train") == ["train", "predict", "calibrate", "report"]
    assert wiring.onward("split_folds") == ["split_folds", "write_tfrecords", *wiring.onward("train")]
    assert wiring.onward("report") == ["report"]


PARAMETERS = {**resolve({}, {}), "raw": "gs://bucket/raw", "raw_digest": "abc"}


@pytest.mark.parametrize(
    "stage", ["resize_images", "generate_pairs", "write_tfrecords", "train", "predict", "calibrate", "report"]
)
@pytest.mark.parametrize("downstream", [False, True])
@pytest.mark.parametrize("shards", [[0], [0, 1, 2]], ids=["one shard", "three shards"])
def test_every_rerun_compiles_for_a_cluster(tmp_path: Path, stage: str, downstream: bool, shards: list[int]) -> None:
    wiring = read_wiring(verdelta)
    stages = wiring.onward(stage) if downstream else [stage]
    artifacts = {
        (source, part): f"gs://bucket/{source.stage}/{part}/{source.output}"
        for source in wiring.read_by(stages)
        for part in wiring.parts_of(source.stage, [0, 3], shards)
    }
    site = Site(content=lambda uri: f"content of {uri}", in_loop=imported_item, loops_of_one=True)
    pipeline, arguments = pipeline_of(
        wiring,
        stages,
        folds=[0, 3],
        parameters=PARAMETERS,
        artifacts=artifacts,
        site=site,
    )
    compiler.Compiler().compile(pipeline, str(tmp_path / "again.yaml"), pipeline_parameters=arguments)
    spec = json_format.MessageToDict(pipeline.pipeline_spec)
    executed = {name for name, each in spec["deploymentSpec"]["executors"].items() if "container" in each}
    assert executed == {f"exec-{name.replace('_', '-')}" for name in stages}
    text = str(spec) + str(arguments)
    assert {uri for uri in artifacts.values() if uri in text} == set(artifacts.values())
    assert all(len(str(value)) < 10_000 for value in arguments.values())  # what a cluster takes
