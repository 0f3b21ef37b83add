"""The same scenario through every place of execution: on this machine for real, on Kubeflow and Vertex AI against their APIs."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import record, write_raw
from finished_run import OUTPUTS
from test_again_kubeflow import FIRST, FinishedKubeflow, kubeflow
from test_again_vertex import FinishedVertex, finished
from test_submit_kubeflow import V2
from test_submit_vertex import bucket, vertex
from trained_run import NAME, copy_of_trained_run

from launch.backends.base import Backend, BackendError, execute
from launch.backends.local.backend import LocalBackend
from launch.backends.table import CLUSTERS
from launch.cli.main import parser
from launch.runs.dag.wiring import read_wiring
from launch.runs.lineage import Parent
from launch.runs.plans.plan import Plan, training_plan
from launch.runs.plans.rerun import rerun_plan, wanted
from launch.runs.plans.score import score_plan
from pipeline import verdelta

__all__ = ["bucket", "finished", "kubeflow", "vertex"]  # fixtures
WIRING = read_wiring(verdelta)


@dataclasses.dataclass
class Place:
    """A place of execution with one run that has ended.

    Attributes:
        backend: the interface to it.
        first: the name of the run.
        raw: raw data that can be read there.
        parent_of_new: tells the parent of the run that was made last.
        fail: makes the next run end with a stage that fails, and returns that run's plan.
    """

    backend: Backend
    first: str
    raw: str
    parent_of_new: Callable[[], Parent | None]
    fail: Callable[[Plan], Plan]

    def name(self, text: str) -> str:
        """The name for a new run: the servers know one name, this machine takes each name once."""
        return text if isinstance(self.backend, LocalBackend) else "one"


def flags(target: str, *given: str) -> argparse.Namespace:
    """What the command line says of a cluster."""
    return parser().parse_args(["score", "first", "--raw", "gs://plants/new", "--target", target, *given])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_trained_run(tmp_path_factory)


@pytest.fixture
def local(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """This machine, whose stages find the source that trains within seconds."""
    monkeypatch.setattr("launch.backends.local.kfp_tasks.ROOT", trained / "tree")
    runs = trained / "runs"

    def parent_of_new() -> Parent | None:
        newest = max(runs.glob("*/run.json"), key=lambda each: each.stat().st_mtime)
        return Parent(**record(runs, newest.parent.name)["parent"])

    def fail(plan: Plan) -> Plan:
        (bad := trained / "bad").mkdir()
        photo = write_raw(bad / "raw") / "test_dataset/LT/1003/idx_LT_1003_00001.png"
        photo.write_bytes(photo.read_bytes()[:60])
        return dataclasses.replace(plan, raw=str(bad / "raw"))

    yield Place(LocalBackend(WIRING, runs), NAME, str(trained / "raw"), parent_of_new, fail)


def story_of_failure(server: Any) -> Callable[[Plan], Plan]:
    """Returns what makes a server's next run fail in resize_images."""

    def fail(plan: Plan) -> Plan:
        server.story = [("RUNNING", {"resize-images": "RUNNING"}, ""), ("FAILED", {"resize-images": "FAILED"}, "broken photo")]
        return plan

    return fail


@pytest.fixture
def on_kubeflow(kubeflow: FinishedKubeflow, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("launch.backends.base.POLL_SECONDS", 0.01)
    backend = CLUSTERS["kubeflow"](WIRING, flags("kubeflow", "--host", kubeflow.url))

    def parent_of_new() -> Parent | None:
        *_, request = kubeflow.asked("POST", f"{V2}/runs")
        words = dict(word.split("=") for word in json.loads(request.body)["description"].split())
        return Parent(words["parent"], words.get("stage"), words["kind"])

    return Place(backend, FIRST, "gs://plants/raw", parent_of_new, story_of_failure(kubeflow))


@pytest.fixture
def on_vertex(finished: FinishedVertex) -> Place:
    given = ["--project", "plants-42", "--region", "europe-west4", "--api-endpoint", finished.url, "--registry", "host/plants"]
    backend = CLUSTERS["vertex"](WIRING, flags("vertex", *given, "--pipeline-root", "gs://plants/pipelines"))

    def parent_of_new() -> Parent | None:
        words = dict(finished.job.labels)
        return Parent(words["parent"], words.get("stage"), words["kind"])

    return Place(backend, "first", "gs://plants/raw", parent_of_new, story_of_failure(finished))


@pytest.fixture(params=["local", "on_kubeflow", "on_vertex"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


def test_a_finished_run_is_read_with_every_artifact_of_every_fold(place: Place) -> None:
    run = place.backend.read(place.first)
    folds = run.folds
    assert len(folds) == 2 and run.raw and run.parent is None
    expected = {
        (stage, output, part)
        for stage, outputs in OUTPUTS.items()
        for output in outputs
        for part in (folds if stage in WIRING.per_fold else [0] if stage in WIRING.per_shard else [None])
    }
    assert {(source.stage, source.output, part) for source, part in run.artifacts} == expected


def test_a_stage_is_run_again_and_its_run_names_the_first(capsys: pytest.CaptureFixture[str], place: Place) -> None:
    plan = rerun_plan(WIRING, place.backend.read(place.first), wanted(
        WIRING, "report", ["strip_pairs=2"], downstream=False, fold=None
    ), place.name("again"))  # fmt: skip
    assert execute(place.backend, plan) == 0
    assert dataclasses.replace(place.parent_of_new(), folds=None) == Parent(place.first, "report", "rerun")
    said = capsys.readouterr().out
    assert f"report of {place.first} again" in said and "strip_pairs=2  (was " in said and "SUCCEEDED" in said


def test_new_photos_are_scored_by_a_run_that_names_the_first(capsys: pytest.CaptureFixture[str], place: Place) -> None:
    plan = score_plan(WIRING, place.backend.read(place.first), place.raw, place.name("scored"))
    assert execute(place.backend, plan) == 0
    assert place.parent_of_new() == Parent(place.first, None, "score")
    assert f"by the models of {place.first}" in capsys.readouterr().out


def test_runs_are_listed_with_the_first_among_them(local: Place) -> None:
    (first,) = [run for run in local.backend.runs() if run.name == NAME]
    assert first.state == "SUCCEEDED" and first.parameters["folds"] == [0, 1] and "test_rmse_days_raw" not in first.scores


def test_a_run_whose_stage_fails_ends_with_status_1_and_names_the_stage(capsys: pytest.CaptureFixture[str], place: Place) -> None:
    parameters = place.backend.read(place.first).parameters
    parameters = {**parameters, "checkpoint": "none"}
    plan = training_plan(verdelta, parameters, raw=place.raw, preset=None, name=place.name("fails"))
    assert execute(place.backend, place.fail(plan)) == 1
    assert "resize_images" in capsys.readouterr().out.partition("FAILED")[2]


def test_a_run_that_is_not_there_is_refused_by_name(place: Place) -> None:
    with pytest.raises((FileNotFoundError, BackendError), match="no-such-run"):
        place.backend.read("no-such-run")


def test_every_place_is_a_backend() -> None:
    for backend in (LocalBackend, *CLUSTERS.values()):
        assert all(callable(getattr(backend, name)) for name in ("check", "submit", "follow", "runs", "read"))
