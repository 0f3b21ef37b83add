"""`--notify`: what a webhook is told, what is compiled so that it is told whatever happens, and which addresses are refused."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from far_end import Answer, FarEnd, serving
from finished_run import WIRING, ran
from kfp import dsl
from kfp_rules import outcome_of
from kfp_rules.api_server import EXIT

from launch.backends.cluster.compile import compile_pipeline
from launch.backends.cluster.notify import tell_end, tell_scores
from launch.backends.table import CLUSTERS
from launch.cli.main import main, parser
from launch.runs.dag.replay import pipeline_of
from launch.runs.dag.wiring import Source
from launch.runs.parameters import pipeline_inputs, resolve
from pipeline import verdelta

RAW = {"raw": "gs://plants/raw", "raw_digest": "abc"}
PAGE = "http://kubeflow.example/#/runs/details/JOB"
ABOUT = {"run": "weekly", "job": "0b6f", "link": PAGE}


@pytest.fixture
def chat() -> Iterator[FarEnd]:
    """A server with one webhook."""
    with serving(FarEnd()) as server:
        server.routes.append(("POST", "/hooks/secret", lambda _: Answer("ok")))
        yield server


def texts(chat: FarEnd) -> list[dict[str, Any]]:
    """What the webhook was told."""
    return [json.loads(request.body) for request in chat.requests]


def ended(state: str, message: str = "") -> dsl.PipelineTaskFinalStatus:
    """What KFP gives an exit task."""
    return dsl.PipelineTaskFinalStatus(state, "projects/p", "exit-handler-1", 13 if message else None, message)


def test_scores_are_told_with_state_and_page(chat: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = dsl.Metrics(
        uri="/nowhere", metadata={"test_rmse_days": 1.5, "validation_rmse_days": 1.25, "display_name": "metrics"}
    )
    monkeypatch.setenv("HOOK", f"{chat.url}/hooks/secret")
    tell_scores.python_func(to=[f"{chat.url}/hooks/secret", "$HOOK"], **ABOUT, metrics=metrics)
    page = PAGE.replace("JOB", "0b6f")
    told = {"text": f"verdelta weekly: SUCCEEDED. test_rmse_days 1.500, validation_rmse_days 1.250\n{page}"}
    assert texts(chat) == [told, told]


@pytest.mark.parametrize("state", ["COMPLETE", "SUCCEEDED"])
def test_a_success_is_told_by_the_exit_task_where_nothing_else_tells_it(chat: FarEnd, state: str) -> None:
    to = [f"{chat.url}/hooks/secret"]
    tell_end.python_func(to=to, **ABOUT, if_succeeded=False, status=ended(state))
    assert texts(chat) == []
    tell_end.python_func(to=to, **ABOUT, if_succeeded=True, status=ended(state))
    (told,) = texts(chat)
    assert told["text"].startswith("verdelta weekly: SUCCEEDED")


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "RUNNING"])
def test_whatever_is_no_success_is_told_with_what_is_known(chat: FarEnd, state: str) -> None:
    tell_end.python_func(to=[f"{chat.url}/hooks/secret"], **ABOUT, if_succeeded=False, status=ended(state, "out of memory"))
    (told,) = texts(chat)
    assert f"did not succeed ({state}). out of memory" in told["text"]
    assert told["text"].endswith("/0b6f")


@pytest.mark.parametrize("fault", ["refused", "no variable"])
def test_a_chat_that_does_not_answer_fails_no_run_and_its_address_is_not_shown(
    chat: FarEnd, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chat.faults["POST", "/hooks/secret"] = [Answer("no", 500)]
    to = [f"{chat.url}/hooks/secret", f"{chat.url}/hooks/secret"] if fault == "refused" else ["$NOT_SET"]
    tell_end.python_func(to=to, **ABOUT, if_succeeded=True, status=ended("FAILED"))
    said = capsys.readouterr().out
    assert said.count("could not be told") == 1
    assert "secret" not in said
    assert len(chat.requests) == (2 if fault == "refused" else 0), "the others are told all the same"


def flags(target: str, *notify: str) -> argparse.Namespace:
    """What the command line says of a target and of who is told."""
    place = ["--project", "p", "--region", "r"] if target == "vertex" else ["--host", "http://kubeflow.example"]
    return parser().parse_args(["submit", "--target", target, "--raw", "gs://plants/raw", *place, *notify])


def compiled(tmp_path: Path, target: str, to: str, folds: list[int], first: str = "") -> tuple[list[Any], dict[str, Any]]:
    """The documents of a run, or of a rerun of `first`, that tells someone; and its arguments."""
    backend = CLUSTERS[target](WIRING, flags(target, *(["--notify", to] if to else [])))
    parameters = resolve({}, {"folds": folds}) | RAW
    if first:
        written = ((task, name, uris[0]) for task in ran(folds) for name, uris in task.outputs.items())
        artifacts = {(Source(task.stage, name), task.part): address for task, name, address in written}
        pipeline, values = pipeline_of(
            WIRING, [first], folds=folds, parameters=parameters, artifacts=artifacts, site=backend.site
        )
    else:
        pipeline, values = backend.site.built(verdelta, pipeline_inputs(parameters))
    compile_pipeline(pipeline, backend.cluster(), backend.target, {}, tmp_path / "verdelta.yaml")
    return list(yaml.load_all((tmp_path / "verdelta.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)), values


@pytest.mark.parametrize("folds", [[0], [0, 1]], ids=["one fold", "two folds"])
def test_kubeflow_runs_the_exit_task_after_all_others_and_never_takes_it_from_the_cache(tmp_path: Path, folds: list[int]) -> None:
    documents, values = compiled(tmp_path, "kubeflow", "https://chat.example/hook", folds)
    quiet, _ = compiled(tmp_path, "kubeflow", "", folds)
    outcome = outcome_of(documents, values)
    assert outcome.lost == []
    assert outcome.pods == outcome_of(quiet, values).pods + 1 + 2 + 2, "a group's driver; two tasks, a driver and a launcher each"
    (name, group), (_, exits) = documents[0]["root"]["dag"]["tasks"].items()
    assert exits["triggerPolicy"] == {"strategy": EXIT}
    assert exits["dependentTasks"] == [name]
    given = {key: wire.get("runtimeValue", {}).get("constant") for key, wire in exits["inputs"]["parameters"].items()}
    assert given["to"] == ["https://chat.example/hook"]
    assert (given["link"], given["job"]) == (PAGE, "{{$.pipeline_job_uuid}}"), "KFP replaces what is nothing but a placeholder"
    assert given["if_succeeded"] is False
    inner = documents[0]["components"][group["componentRef"]["name"]]["dag"]["tasks"]
    assert "report" in inner["tell-scores"]["dependentTasks"]
    assert [task["cachingOptions"] for task in (exits, inner["tell-scores"])] == [{}, {}]
    executors = documents[0]["deploymentSpec"]["executors"]
    images = {executors[f"exec-{task}"]["container"]["image"] for task in ("tell-end", "tell-scores", "calibrate")}
    assert len(images) == 1


def test_a_rerun_that_has_no_new_scores_tells_how_it_ended(tmp_path: Path) -> None:
    documents, values = compiled(tmp_path, "kubeflow", "$HOOK", [0, 2], first="train")
    assert outcome_of(documents, values).lost == []
    tasks = documents[0]["root"]["dag"]["tasks"]
    assert tasks["tell-end"]["inputs"]["parameters"]["if_succeeded"] == {"runtimeValue": {"constant": True}}
    assert "exec-tell-scores" not in documents[0]["deploymentSpec"]["executors"]


def test_vertex_mails_by_googles_own_task(tmp_path: Path) -> None:
    documents, _ = compiled(tmp_path, "vertex", "you@example.com", [0])
    (mail,) = (task for task in documents[0]["root"]["dag"]["tasks"].values() if "triggerPolicy" in task)
    assert mail["triggerPolicy"] == {"strategy": EXIT}
    assert mail["inputs"]["parameters"]["recipients"] == {"runtimeValue": {"constant": ["you@example.com"]}}
    assert mail["cachingOptions"] == {}


@pytest.mark.parametrize(
    ("target", "notify", "message"),
    [
        ("kubeflow", ["you@example.com"], "--notify you@example.com: Kubeflow sends no e-mails. Expected https://"),
        ("kubeflow", ["chat.example/hook"], "--notify chat.example/hook: expected https://"),
        ("vertex", ["ftp://chat"], "or an e-mail address"),
        ("vertex", ["you@example.com", "https://chat.example/hook"], "leave out one kind"),
    ],
)
def test_addresses_that_nothing_can_be_sent_to_are_refused_before_anything_is_sent(
    target: str, notify: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--project", "p", "--region", "r"] if target == "vertex" else ["--host", "http://127.0.0.1:9"]
    given = [word for address in notify for word in ("--notify", address)]
    root = ["--pipeline-root", "gs://plants/runs", "--registry", "host/plants"]
    assert main(verdelta, ["submit", "--target", target, "--raw", "gs://plants/raw", *place, *root, *given]) == 2
    assert message in capsys.readouterr().err
