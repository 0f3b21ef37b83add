"""`list --target`: kfp's and Google's own clients against servers that answer as the published APIs do."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from far_end import Answer, FarEnd, Request, serving
from google.cloud.aiplatform_v1.types import ListPipelineJobsResponse, PipelineJob

from launch.cli.main import main
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

V2 = "/apis/v2beta1"
JOBS = "/v1/projects/plants-42/locations/europe-west4/pipelineJobs"
EARLY, LATE = (datetime.datetime(2026, 11, 22, hour, tzinfo=datetime.UTC) for hour in (9, 15))
SCORES = {"baseline_rmse_days": 6.5, "validation_rmse_days": 1.411, "fold_0_validation_rmse_days": 9.9}


@pytest.fixture
def far_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FarEnd]:
    """A server without routes, and a user with credentials but no settings."""
    from google.cloud.aiplatform import initializer

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    for name in ("KF_PIPELINES_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    (tmp_path / "user.json").write_text(json.dumps(user))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "user.json"))
    monkeypatch.setattr(initializer.global_config, "_credentials", None)
    with serving(FarEnd()) as server:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
        yield server


def listing(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, list[list[str]], str]:
    """Exit status, the table's cells, and all that was said."""
    status = main(verdelta, ["list", *flags])
    said = capsys.readouterr()
    table = said.out.partition("\n\n")[0]
    return status, [line.split() for line in table.splitlines()], said.out + said.err


def kubeflow_routes(server: FarEnd, experiments: list[Any], runs: list[Any]) -> None:
    def as_json(model: Any) -> Answer:
        return Answer(api.ApiClient().sanitize_for_serialization(model))

    def list_runs(request: Request) -> Answer:
        assert (request.query["experiment_id"], request.query["sort_by"]) == ("7d1c", "created_at desc")
        return as_json(api.V2beta1ListRunsResponse(runs=runs, total_size=len(runs)))

    server.routes = [
        ("GET", f"{V2}/healthz", lambda _: as_json(api.V2beta1GetHealthzResponse(multi_user=False))),
        ("GET", f"{V2}/experiments", lambda _: as_json(api.V2beta1ListExperimentsResponse(experiments=experiments))),
        ("GET", f"{V2}/experiments/7d1c", lambda _: as_json(experiments[0])),
        ("GET", f"{V2}/runs", list_runs),
    ]


def kubeflow_run(name: str, state: str, created: datetime.datetime, **changed: Any) -> Any:
    values = {"raw": "gs://plants/raw", **resolve(fast(), changed)}
    config = api.V2beta1RuntimeConfig(parameters=values)
    about = "preset=fast accelerator=gpu"
    return api.V2beta1Run(display_name=name, state=state, created_at=created, description=about, runtime_config=config)


def test_kubeflows_runs_are_listed_oldest_first_with_the_parameters_that_differ(
    far_end: FarEnd, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [kubeflow_run("two", "RUNNING", LATE, epochs=3), kubeflow_run("one", "SUCCEEDED", EARLY)]
    kubeflow_routes(far_end, [api.V2beta1Experiment(experiment_id="7d1c", display_name="verdelta")], runs)
    status, table, said = listing(capsys, "--target", "kubeflow", "--host", far_end.url)
    assert (status, table[0]) == (0, ["name", "state", "preset", "started", "epochs"])
    days = [created.astimezone().strftime("%Y-%m-%d %H:%M").split() for created in (EARLY, LATE)]
    assert table[1:] == [["one", "SUCCEEDED", "fast", *days[0], str(fast()["epochs"])], ["two", "RUNNING", "fast", *days[1], "3"]]
    assert "Compare runs" in said


def test_a_rerun_and_its_internals_add_no_column(far_end: FarEnd, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a rerun the cluster knows what its stages take, and what the launcher put beside that."""
    again = kubeflow_run("again", "SUCCEEDED", LATE)
    item = {"fold": 0, "train_model": "gs://plants/model", "train_model_content": "by its URI"}
    again.runtime_config.parameters = {
        "folds": [item | {"fold": fold} for fold in fast()["folds"]], "tta_views": 4, "calibrate_submission_content": "",
    }  # fmt: skip
    runs = [again, kubeflow_run("one", "SUCCEEDED", EARLY)]
    kubeflow_routes(far_end, [api.V2beta1Experiment(experiment_id="7d1c", display_name="verdelta")], runs)
    status, table, _ = listing(capsys, "--target", "kubeflow", "--host", far_end.url)
    assert (status, table[0]) == (0, ["name", "state", "preset", "started", "tta_views"])


def test_a_run_made_from_another_one_names_it(far_end: FarEnd, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [kubeflow_run("two", "SUCCEEDED", LATE), kubeflow_run("one", "SUCCEEDED", EARLY)]
    runs[0].description += " parent=0b6f0f4e kind=rerun stage=train"
    kubeflow_routes(far_end, [api.V2beta1Experiment(experiment_id="7d1c", display_name="verdelta")], runs)
    status, table, said = listing(capsys, "--target", "kubeflow", "--host", far_end.url)
    assert (status, table[0]) == (0, ["name", "state", "preset", "started", "parent"])
    assert table[1][-1] == "-"
    assert "  0b6f0f4e: train" in said


def test_an_experiment_that_is_not_there_has_no_runs(far_end: FarEnd, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow_routes(far_end, [], [])
    status, _, said = listing(capsys, "--target", "kubeflow", "--host", far_end.url)
    assert (status, said.startswith("No runs there.")) == (0, True)


def test_a_server_that_says_no_is_quoted_with_status_1(far_end: FarEnd, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow_routes(far_end, [], [])
    far_end.faults[("GET", f"{V2}/experiments")] = [Answer({"message": "not yours"}, 403)]
    status, _, said = listing(capsys, "--target", "kubeflow", "--host", far_end.url)
    assert status == 1 and "403" in said and "not yours" in said


def vertex_job(name: str, state: str, created: datetime.datetime, scores: dict[str, float], **changed: Any) -> PipelineJob:
    metrics = {"metrics": {"artifacts": [{"metadata": scores}]}}
    return PipelineJob(
        name=f"{JOBS[4:]}/{name}", display_name=name, state=f"PIPELINE_STATE_{state}", create_time=created,
        labels={"app": "verdelta", "preset": "fast"},
        runtime_config={"parameter_values": resolve(fast(), changed)},
        job_detail={"task_details": [{"task_name": "calibrate", "outputs": metrics if scores else {}}]},
    )  # fmt: skip


def test_vertex_runs_are_listed_with_their_scores(far_end: FarEnd, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [vertex_job("two", "RUNNING", LATE, {}, epochs=3, folds=[0, 1]), vertex_job("one", "SUCCEEDED", EARLY, SCORES)]

    def list_jobs(request: Request) -> Answer:
        assert request.query["filter"] == 'labels.app="verdelta"'
        return Answer(json.loads(ListPipelineJobsResponse.to_json(ListPipelineJobsResponse(pipeline_jobs=jobs))))

    far_end.routes = [
        ("POST", "/token", lambda _: Answer({"access_token": "of-a-user", "expires_in": 3600, "token_type": "Bearer"})),
        ("GET", JOBS, list_jobs),
    ]
    place = ["--target", "vertex", "--project", "plants-42", "--region", "europe-west4", "--api-endpoint", far_end.url]
    status, _, said = listing(capsys, *place)
    lines = said.splitlines()
    assert status == 0, said
    assert lines[0].split() == ["name", "state", "preset", "started", "folds", "epochs", "baseline", "validation"]
    assert lines[1].startswith("one ") and "[0, 1, 2, 3, 4]" in lines[1]
    assert lines[1].split()[-3:] == [str(fast()["epochs"]), "6.50", "1.41"]
    assert lines[2].startswith("two ") and lines[2].split()[-3:] == ["3", "-", "-"] and "[0, 1] " in lines[2]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--host", "http://x"], "--host: it goes with --target kubeflow"),
        (["--target", "kubeflow", "--project", "p"], "--project: it goes with --target vertex"),
        (["--target", "vertex", "--project", "p"], "--region: missing"),
    ],
)
def test_flags_of_another_target_and_missing_ones_are_refused(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, said = listing(capsys, *flags)
    assert status == 2 and message in said
