"""`rerun` and `score` on Vertex AI: what arrives at a service that knows a finished job with its tasks and their artifacts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from far_end import Answer, Request, serving
from finished_run import Ran, ran, uri
from google.cloud.aiplatform_v1.types import Context, PipelineJob
from test_submit_vertex import API, JOBS, PARENT, STORE, Vertex, as_json, bucket, refused, vertex

from launch.cli.main import main
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

__all__ = ["bucket", "vertex"]  # fixtures
PLANTS = {"raw": "gs://plants/raw", "raw_digest": "abc"}


def detail(number: int, task: Ran, fold_in_execution: bool) -> dict[str, Any]:
    """A task as PipelineTaskDetail has it."""

    def artifacts(named: dict[str, list[str]], metadata: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "artifacts": [
                    {"name": f"{STORE}/artifacts/{abs(hash(each))}", "uri": each, "metadata": metadata} for each in uris
                ]
            }
            for name, uris in named.items()
        }

    given = {f"input:{name}": value for name, value in task.parameters.items()} if fold_in_execution else {}
    shard = {"shard": task.part} if "shard" in task.parameters else {}
    scores = {f"fold_{task.part}_validation_rmse_days": 1.5} if task.stage == "train" else {"test_pairs": 3} | shard
    return {
        "task_id": number, "parent_task_id": 1, "task_name": task.stage.replace("_", "-"),
        "state": {"COMPLETE": "SUCCEEDED", "CACHED": "SKIPPED", "FAILED": "FAILED"}[task.state],
        "execution": {"name": f"{STORE}/executions/{number}", "metadata": given},
        "inputs": artifacts(task.inputs, {}), "outputs": artifacts(task.outputs, scores),
    }  # fmt: skip


class FinishedVertex(Vertex):
    """Vertex AI with finished jobs of experiment `greens`."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, PipelineJob] = {}
        experiment = Context(schema_title="system.Experiment", metadata={"experiment_deleted": False})
        experiment.name = f"{STORE}/contexts/greens"
        self.contexts["greens"] = experiment
        self.routes.insert(0, ("GET", f"{JOBS}/.*", self.finished_job))
        self.add("first", list(ran([0, 2])), resolve(fast(), {"folds": [0, 2]}) | PLANTS)

    def add(
        self, name: str, tasks: list[Ran], parameters: dict[str, Any], state: str = "SUCCEEDED", told: bool = True, **labels: str
    ) -> None:
        details = [detail(number, task, told) for number, task in enumerate(tasks, 10)]
        others = [{"task_id": 1, "task_name": "for-loop-1", "state": "SUCCEEDED"}, {"task_id": 2, "task_name": "verdelta"}]
        self.jobs[name] = PipelineJob(
            name=f"{PARENT}/pipelineJobs/{name}", display_name=name, state=f"PIPELINE_STATE_{state}",
            labels={"app": "verdelta", "preset": "fast"} | labels, runtime_config={"parameter_values": parameters},
            job_detail={
                "task_details": others + details,
                "pipeline_run_context": {"name": f"{STORE}/contexts/{name}", "parent_contexts": [f"{STORE}/contexts/greens"]},
            },
        )  # fmt: skip

    def finished_job(self, request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if self.job.name.endswith(f"/{name}"):  # made since
            return self.read_job(request)
        return Answer(as_json(self.jobs[name])) if name in self.jobs else refused(404, f"{name} does not exist")


@pytest.fixture
def finished(vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> Iterator[FinishedVertex]:  # noqa: ARG001
    """The service, and all that the fixture of `submit` sets up around its own."""
    with serving(FinishedVertex()) as server:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
        yield server  # type: ignore[misc]


def again(server: FinishedVertex, *arguments: str) -> int:
    """The exit status of a command on the service."""
    place = ["--target", "vertex", "--project", "plants-42", "--region", "europe-west4", "--api-endpoint", server.url]
    where = ["--pipeline-root", "gs://plants/pipelines", "--registry", "host/plants", "--name", "one"]
    return main(verdelta, [*arguments, *place, *where])


def sent(server: FinishedVertex) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline and the parameters of the one job that was created."""
    (request,) = server.asked("POST", JOBS)
    job = json.loads(PipelineJob.to_json(PipelineJob.from_json(request.body)))
    return job["pipelineSpec"], job["runtimeConfig"]["parameterValues"]


def executors(spec: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The stages that run in a container, and the URIs of importers outside the loop."""
    found = spec["deploymentSpec"]["executors"]
    uris = {each["importer"]["artifactUri"].get("constant") for each in found.values() if "importer" in each}
    return {label.removeprefix("exec-") for label, each in found.items() if "container" in each}, uris - {None}


@pytest.mark.parametrize("told", [True, False], ids=["fold in its execution", "fold in its scores"])
def test_what_depends_on_a_stage_follows_with_the_recorded_artifacts_of_each_fold(finished: FinishedVertex, told: bool) -> None:
    finished.add("first", list(ran([0, 2])), resolve(fast(), {"folds": [0, 2]}) | PLANTS, told=told)
    assert again(finished, "rerun", "first", "predict", "--set", "tta_views=3", "--downstream") == 0
    spec, values = sent(finished)
    stages, uris = executors(spec)
    assert stages == {"predict", "calibrate", "report"}
    examples, tables = (uri("write_tfrecords", output) for output in ("examples", "tables"))
    assert uris == {uri("generate_pairs", "catalog"), uri("resize_images", "images"), examples, tables}
    assert [item["fold"] for item in values["folds"]] == [0, 2]
    for item in values["folds"]:
        texts = {text for text in item.values() if str(text).startswith("gs://")}
        assert texts == {uri("train", output, int(item["fold"])) for output in ("model", "history", "out_of_fold")}
    assert (values["tta_views"], values["prediction_batch_size"]) == (3, resolve(fast(), {})["prediction_batch_size"])


def test_the_new_job_is_of_the_runs_experiment_and_names_it(finished: FinishedVertex, capsys: pytest.CaptureFixture[str]) -> None:
    assert again(finished, "rerun", f"{PARENT}/pipelineJobs/first", "train", "--fold", "2", "--set", "epochs=6") == 0
    expected = {"app": "verdelta", "preset": "fast", "accelerator": "none", "parent": "first", "kind": "rerun", "stage": "train"}
    assert dict(finished.job.labels) == expected
    assert finished.children == [("greens", [f"{STORE}/contexts/one"])]
    spec, values = sent(finished)
    assert executors(spec) == ({"train"}, {uri("write_tfrecords", "examples")})
    assert (values["fold"], values["epochs"]) == (2, 6)
    assert f"epochs=6  (was {fast()['epochs']})" in capsys.readouterr().out


def test_a_custom_job_in_place_of_a_stage_reads_the_imported_artifacts(finished: FinishedVertex) -> None:
    assert again(finished, "rerun", "first", "train", "--accelerator", "tpu", "--service-account", "robot@x") == 0
    spec, _ = sent(finished)
    parameters = spec["components"]["comp-train"]["inputDefinitions"]["parameters"]
    (pool,) = parameters["worker_pool_specs"]["defaultValue"]
    assert pool["machine_spec"]["machine_type"] == "ct5lp-hightpu-1t"
    assert executors(spec)[1] == {uri("write_tfrecords", "examples")}


def test_new_photos_are_scored_by_the_models_of_the_run(finished: FinishedVertex) -> None:
    assert (
        again(
            finished,
            "score",
            "first",
            "--raw",
            "gs://plants/new",
            "--resource",
            "report.machine_type=n1-standard-4",
            "--service-account",
            "robot@x",
        )
        == 0
    )
    spec, values = sent(finished)
    job = spec["components"]["comp-report"]["inputDefinitions"]
    assert job["parameters"]["worker_pool_specs"]["defaultValue"][0]["machine_spec"]["machine_type"] == "n1-standard-4"
    assert job["artifacts"]["folded_pairs"]["isOptional"]
    assert executors(spec)[0] == {"resize-images", "generate-pairs", "write-tfrecords", "predict", "calibrate", "report"}
    assert (values["raw"], values["raw_digest"]) == ("gs://plants/new", "digest of gs://plants/new")
    assert [(each["fold"], each["train_model"]) for each in values["folds"]] == [(n, uri("train", "model", n)) for n in (0, 2)]
    assert {uri("calibrate", "submission"), uri("split_folds", "folded_pairs")} <= executors(spec)[1]
    assert dict(finished.job.labels)["parent"] == "first"


def test_runs_that_cannot_be_gone_on_from_are_refused_and_nothing_is_created(
    finished: FinishedVertex, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = resolve(fast(), {"folds": [0, 2]}) | PLANTS
    finished.add("running", [], whole, "RUNNING")
    finished.add("failed", list(ran([0, 2], failed="train")), whole, "FAILED")
    finished.add("older", list(ran([0, 2])), {name: value for name, value in whole.items() if name != "seed"})
    finished.add("scored", [], PLANTS, parent="first", kind="score")
    finished.add("a" * 64, list(ran([0, 2])), whole)
    for run, words in (
        ("running", "running: the run is RUNNING. Expected one that has ended"),
        ("failed", "failed: no model of fold 0 in its record, because train did not succeed there"),
        ("older", "older: no seed among its parameters"),
        ("scored", "scored: a run of score, which trained nothing"),
        ("a" * 64, "64 characters; expected at most 63"),
        ("none-such", "plants-42, europe-west4 has no run none-such"),
        ("No Such", "No Such: no id of a run on Vertex AI"),
    ):
        assert again(finished, "rerun", run, "predict") == 2
        assert words in capsys.readouterr().err
    assert finished.asked("POST", f"{API}/.*") == []


# Runs that fanned out.


def test_stages_read_all_shards_of_a_run_that_fanned_out(finished: FinishedVertex) -> None:
    given = resolve(fast(), {"folds": [0, 2], "num_shards": 3}) | PLANTS
    finished.add("fanned", list(ran([0, 2], shards=[0, 1, 2])), given | {"shards": [0, 1, 2]})
    assert again(finished, "rerun", "fanned", "report") == 0
    spec, values = sent(finished)
    found = [(each["shard"], each["resize_images_images"]) for each in values["resize_images_shards"]]
    assert found == [(shard, uri("resize_images", "images", shard)) for shard in (0, 1, 2)]
    assert executors(spec)[1] == {uri("write_tfrecords", "tables"), uri("calibrate", "submission")}


def test_a_stage_that_fans_out_is_run_again_as_often_as_num_shards_says(finished: FinishedVertex) -> None:
    """The photos of a run with one shard are resized by two tasks; then a stage reads what these have written."""
    assert again(finished, "rerun", "first", "resize_images", "--downstream", "--set", "num_shards=2") == 0
    _, values = sent(finished)
    assert (values["num_shards"], values["shards"]) == (2, [0, 1])
    tasks = list(ran([0, 2], run="second", only=["resize_images"], shards=[0, 1]))
    finished.add("second", tasks, values, parent="first", kind="rerun", stage="resize_images")
    finished.requests.clear()
    assert again(finished, "rerun", "second", "generate_pairs") == 0
    _, values = sent(finished)
    read = [each["resize_images_catalog"] for each in values["resize_images_shards"]]
    assert read == [uri("resize_images", "catalog", shard, "second") for shard in (0, 1)]


def test_a_stage_of_which_one_shard_failed_is_where_to_begin(
    finished: FinishedVertex, capsys: pytest.CaptureFixture[str]
) -> None:
    given = resolve(fast(), {"folds": [0, 2], "num_shards": 2}) | PLANTS
    finished.add("half", list(ran([0, 2], failed="resize_images", shards=[0, 1])), given, "FAILED")
    assert again(finished, "rerun", "half", "generate_pairs") == 2
    assert "in its record, because resize_images did not succeed there" in capsys.readouterr().err
    assert again(finished, "rerun", "half", "resize_images", "--downstream") == 0
    _, values = sent(finished)
    assert values["shards"] == [0, 1]
