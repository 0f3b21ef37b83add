"""`submit --cron`, `schedules`, `stop` and `open`: the clients of kfp and Google, against servers that answer as the APIs do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from far_end import Answer, Request, serving
from google.cloud.aiplatform_v1.types import ListSchedulesResponse, PipelineJob, Schedule
from google.longrunning.operations_pb2 import Operation
from google.protobuf import json_format
from kfp_rules import outcome_of
from test_again_kubeflow import FIRST, FinishedKubeflow
from test_again_kubeflow import kubeflow as kubeflow
from test_again_vertex import FinishedVertex
from test_again_vertex import finished as finished
from test_submit_kubeflow import V2, documents_of
from test_submit_vertex import JOBS, PARENT, bucket, vertex  # noqa: F401 - fixtures
from test_submit_vertex import as_json as vertex_json

from launch.cli.main import main
from pipeline import verdelta

SCHEDULES = f"{JOBS.rpartition('/')[0]}/schedules"
MONDAYS = "0 6 * * 1"
DUE = "{{$.pipeline_job_schedule_time_utc}}"


class Recurring(FinishedKubeflow):
    """Kubeflow Pipelines with recurring runs."""

    def __init__(self) -> None:
        super().__init__()
        self.recurring: dict[str, Any] = {}
        self.routes += [
            ("POST", f"{V2}/recurringruns", self.create_recurring),
            ("GET", f"{V2}/recurringruns", self.list_recurring),
            ("POST", f"{V2}/recurringruns/r1:(enable|disable)", self.change_recurring),
            ("DELETE", f"{V2}/recurringruns/r1", lambda _: Answer({}) if self.recurring.pop("r1", None) else Answer({}, 404)),
            ("POST", f"{V2}/runs/{FIRST}:terminate", lambda _: Answer({})),
        ]

    def create_recurring(self, request: Request) -> Answer:
        self.recurring["r1"] = json.loads(request.body) | {"recurring_run_id": "r1", "status": "ENABLED"}
        return Answer(self.recurring["r1"])

    def list_recurring(self, request: Request) -> Answer:
        assert request.query["experiment_id"] == self.experiments[0].experiment_id
        return Answer({"recurringRuns": list(self.recurring.values())})

    def change_recurring(self, request: Request) -> Answer:
        self.recurring["r1"]["status"] = request.path.rpartition(":")[2].upper() + "D"
        return Answer({})


class Scheduling(FinishedVertex):
    """Vertex AI with schedules."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule | None = None
        self.routes[:0] = [
            ("POST", SCHEDULES, self.create_schedule),
            ("GET", SCHEDULES, lambda _: Answer(vertex_json(ListSchedulesResponse(schedules=[self.schedule])))),
            ("GET", f"{SCHEDULES}/77", lambda _: Answer(vertex_json(self.schedule))),
            ("POST", f"{SCHEDULES}/77:(pause|resume)", self.change_schedule),
            ("DELETE", f"{SCHEDULES}/77", self.delete_schedule),
            ("POST", f"{JOBS}/[a-z0-9-]+:cancel", lambda _: Answer({})),
        ]

    def create_schedule(self, request: Request) -> Answer:
        self.schedule = Schedule.from_json(request.body)
        self.schedule.name, self.schedule.state = f"{PARENT}/schedules/77", "ACTIVE"
        return Answer(vertex_json(self.schedule))

    def change_schedule(self, request: Request) -> Answer:
        assert self.schedule
        self.schedule.state = "PAUSED" if request.path.endswith("pause") else "ACTIVE"
        return Answer({})

    def delete_schedule(self, _request: Request) -> Answer:
        self.schedule = None
        done = Operation(name=f"{PARENT}/operations/1", done=True)
        done.response.type_url = "type.googleapis.com/google.protobuf.Empty"
        return Answer(json_format.MessageToDict(done))


@pytest.fixture
def recurring(kubeflow: FinishedKubeflow) -> Iterator[Recurring]:  # noqa: ARG001
    with serving(Recurring()) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def scheduling(finished: FinishedVertex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduling]:  # noqa: ARG001
    with serving(Scheduling()) as server:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
        yield server  # type: ignore[misc]


def at_kubeflow(server: Recurring, *command: str) -> int:
    return main(verdelta, [*command, "--target", "kubeflow", "--host", server.url, "--experiment", "greens"])


def at_vertex(server: Scheduling, *command: str) -> int:
    place = ["--project", "plants-42", "--region", "europe-west4", "--api-endpoint", server.url]
    return main(verdelta, [*command, "--target", "vertex", *place])


def due(spec: dict[str, Any]) -> Any:
    """What the first stage gets as the digest of the raw data."""
    return spec["root"]["dag"]["tasks"]["resize-images"]["inputs"]["parameters"]["raw_digest"]


def test_a_schedule_on_kubeflow_runs_at_its_times_on_what_lies_there_then(
    recurring: Recurring, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cron has seconds first; one that had none would be read as of another month. Kubeflow takes the pipeline."""
    flags = ["--raw", "gs://plants/raw", "--preset", "smoke", "--name", "weekly"]
    assert at_kubeflow(recurring, "submit", *flags, "--cron", MONDAYS) == 0
    sent = recurring.recurring["r1"]
    assert sent["trigger"]["cron_schedule"]["cron"] == f"0 {MONDAYS}"
    assert (sent["display_name"], sent["mode"], sent["max_concurrency"], sent["no_catchup"]) == ("weekly", "ENABLE", "1", True)
    documents = documents_of(sent["pipeline_spec"])
    assert due(documents[0]) == {"runtimeValue": {"constant": DUE}}
    assert outcome_of(documents, sent["runtime_config"]["parameters"]).lost == []
    assert "schedule r1: 0 6 * * 1" in capsys.readouterr().out
    assert recurring.asked("POST", f"{V2}/runs") == []


def test_schedules_on_kubeflow_are_listed_paused_resumed_and_deleted(
    recurring: Recurring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert at_kubeflow(recurring, "submit", "--raw", "gs://plants/raw", "--name", "weekly", "--cron", MONDAYS) == 0
    for action, status in (("pause", "DISABLED"), ("resume", "ENABLED")):
        assert at_kubeflow(recurring, "schedules", action, "r1") == 0
        capsys.readouterr()
        assert at_kubeflow(recurring, "schedules", "list") == 0
        assert capsys.readouterr().out.split("\n")[1].split() == ["r1", "weekly", "0", "6", "*", "*", "1", status]
    assert at_kubeflow(recurring, "schedules", "delete", "r1") == 0
    assert recurring.recurring == {}


def test_a_schedule_on_vertex_bears_our_label_and_runs_one_at_a_time(
    scheduling: Scheduling, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        "--raw",
        "gs://plants/raw",
        "--pipeline-root",
        "gs://plants/pipelines",
        "--registry",
        "host/plants",
        "--name",
        "weekly",
    ]
    assert at_vertex(scheduling, "submit", *flags, "--cron", MONDAYS, "--service-account", "runner@x") == 0
    assert scheduling.schedule
    request = scheduling.schedule.create_pipeline_job_request
    assert (scheduling.schedule.cron, scheduling.schedule.max_concurrent_run_count) == (MONDAYS, 1)
    assert request.pipeline_job.labels["app"] == "verdelta"
    assert request.pipeline_job.service_account == "runner@x"
    spec = json.loads(PipelineJob.to_json(request.pipeline_job))["pipelineSpec"]
    assert due(spec) == {"runtimeValue": {"constant": DUE}}
    assert "schedule 77: 0 6 * * 1" in capsys.readouterr().out
    for action, state in (("pause", "PAUSED"), ("resume", "ACTIVE")):
        assert at_vertex(scheduling, "schedules", action, "77") == 0
        capsys.readouterr()
        assert at_vertex(scheduling, "schedules", "list") == 0
        assert capsys.readouterr().out.split("\n")[1].split() == ["77", "weekly", "0", "6", "*", "*", "1", state]
    assert at_vertex(scheduling, "schedules", "delete", "77") == 0
    assert scheduling.schedule is None


@pytest.mark.parametrize("cron", ["weekly", "0 6 * *", "0 0 6 * * 1", ""])
def test_what_is_no_cron_expression_is_refused(recurring: Recurring, cron: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert at_kubeflow(recurring, "submit", "--raw", "gs://plants/raw", "--cron", cron) == 2
    assert "expected five fields" in capsys.readouterr().err
    assert recurring.recurring == {}


def test_a_run_is_stopped_and_its_page_told(
    recurring: Recurring, scheduling: Scheduling, capsys: pytest.CaptureFixture[str]
) -> None:
    assert at_kubeflow(recurring, "stop", "first") == 0
    assert len(recurring.asked("POST", f"{V2}/runs/{FIRST}:terminate")) == 1
    assert f"{recurring.url}/#/runs/details/{FIRST}" in capsys.readouterr().out
    assert at_vertex(scheduling, "stop", "first") == 0
    assert len(scheduling.asked("POST", f"{JOBS}/first:cancel")) == 1
    assert "/pipelines/runs/first?project=plants-42" in capsys.readouterr().out


def test_a_run_is_opened_where_it_is(
    recurring: Recurring, scheduling: Scheduling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs/here").mkdir(parents=True)
    (tmp_path / "runs/here/report.html").write_text("<html>")
    for command in (lambda: at_kubeflow(recurring, "open", FIRST), lambda: at_vertex(scheduling, "open", "first")):
        assert command() == 0
    assert main(verdelta, ["open", "here", "--runs-dir", str(tmp_path / "runs")]) == 0
    kubeflow_page, vertex_page, here = capsys.readouterr().out.split()
    assert kubeflow_page == f"{recurring.url}/#/runs/details/{FIRST}"
    assert vertex_page.endswith("/pipelines/runs/first?project=plants-42")
    assert here == (tmp_path / "runs/here/report.html").as_uri()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["stop", "first"], "--target: missing; expected one of kubeflow, vertex"),
        (["schedules", "list"], "--target: missing"),
        (["schedules", "pause", "--target", "vertex", "--project", "p", "--region", "europe-west4"], "expected the ID"),
        (["schedules", "list", "r1", "--target", "kubeflow"], "expected no ID"),
        (["open", "nothing"], "nothing/report.html: missing"),
    ],
)
def test_what_cannot_be_is_refused(command: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(verdelta, command) == 2
    assert words in capsys.readouterr().err


def test_a_run_that_is_not_there_is_not_stopped(recurring: Recurring, capsys: pytest.CaptureFixture[str]) -> None:
    assert at_kubeflow(recurring, "stop", "nobody") == 2
    assert "has no run nobody in experiment greens" in capsys.readouterr().err
    assert recurring.asked("POST", f"{V2}/runs/.*:terminate") == []
