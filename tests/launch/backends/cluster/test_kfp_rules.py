"""Compiled pipelines by KFP's own rules: all that this project compiles, and mutations that KFP refuses, each for its reason."""

import argparse
import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from finished_run import WIRING, ran
from golden_files import CASES, compiled_text, golden_file
from kfp_rules import RefusedError, outcome_of
from kfp_rules.api_server import EXIT

from launch.backends.cluster.compile import compile_pipeline
from launch.backends.table import CLUSTERS
from launch.cli.main import parser
from launch.runs.dag.replay import pipeline_of
from launch.runs.dag.wiring import Source
from launch.runs.lineage import RecordedRun
from launch.runs.parameters import resolve
from launch.runs.plans.score import score_plan

VALUES = {"raw": "gs://plants/raw", "raw_digest": "abc"}
Documents = list[Any]


def golden(target: str, accelerator: str) -> Documents:
    """The documents of a compiled file."""
    return list(yaml.load_all(golden_file(target, accelerator).read_text(encoding="utf-8"), yaml.CSafeLoader))


@functools.cache
def looped_once() -> Documents:
    """What `looped` copies: parsing takes longer than all rules."""
    text = compiled_text("kubeflow", "none", "--set", "folds=[0,1]", "--set", "num_shards=2")
    return list(yaml.load_all(text, yaml.CSafeLoader))


def looped() -> Documents:
    """The documents of a compiled file with both loops: two folds, two shards."""
    return copy.deepcopy(looped_once())


def flags(target: str) -> argparse.Namespace:
    """What the command line says of a target when it says nothing."""
    place = ["--project", "p", "--region", "r"] if target == "vertex" else []
    return parser().parse_args(["submit", "--target", target, "--raw", "gs://plants/raw", *place])


def recompiled(tmp_path: Path, target: str, first: str, folds: list[int]) -> tuple[Documents, dict[str, Any]]:
    """The pipeline, and its arguments, of a rerun of `first` and all that depends on it, or of score.

    Those of other stages and folds are sent in ../kubeflow/test_again_kubeflow.py to a server that knows these rules.
    """
    backend = CLUSTERS[target](WIRING, flags(target))
    written = ((task, name, uris[0]) for task in ran(folds) for name, uris in task.outputs.items())
    artifacts = {(Source(task.stage, name), task.part): address for task, name, address in written}
    parameters = resolve({}, {"folds": folds}) | VALUES
    if first == "score":
        known = {name: value for name, value in parameters.items() if name not in VALUES}
        trained = RecordedRun(name="first", preset=None, parameters=known, parent=None, raw=None, artifacts=artifacts)
        plan = score_plan(WIRING, trained, VALUES["raw"], None)
        pipeline, values = plan.steps[0].build(plan, backend.site, VALUES, {})
    else:
        pipeline, values = pipeline_of(
            WIRING, WIRING.onward(first), folds=folds, parameters=parameters, artifacts=artifacts, site=backend.site
        )
    compile_pipeline(pipeline, backend.cluster(), backend.target, {}, tmp_path / "again.yaml")
    return list(yaml.load_all((tmp_path / "again.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)), values


@pytest.mark.parametrize(("target", "accelerator"), [case for case in CASES if case != ("vertex", "tpu")])
def test_kubeflow_runs_what_is_compiled_for_every_target_and_accelerator(target: str, accelerator: str) -> None:
    outcome = outcome_of(golden(target, accelerator), VALUES)
    assert outcome.lost == []
    assert outcome.pods == 1 + 2 * len(WIRING.inputs), "the root's driver, and for each stage a driver and a launcher"


def test_kubeflow_loses_nothing_of_several_folds_and_shards() -> None:
    outcome = outcome_of(looped(), VALUES | {"folds": [0, 1, 2, 3, 4]})
    assert outcome.lost == []
    read = {(task, name): number for task, name, number in outcome.read}
    assert (read["write-tfrecords", "images"], read["train", "examples"], read["calibrate", "predictions"]) == (2, 1, 5)


def test_custom_jobs_are_refused_as_they_run_on_vertex_alone() -> None:
    with pytest.raises(RefusedError, match="worker_pool_specs") as error:
        outcome_of(golden("vertex", "tpu"), VALUES)
    assert error.value.rule == "driver.resolveContainerArgs"


@pytest.mark.parametrize(("first", "folds"), [("predict", [0, 2]), ("score", [0])])
def test_kubeflow_runs_reruns_and_score(tmp_path: Path, first: str, folds: list[int]) -> None:
    documents, values = recompiled(tmp_path, "kubeflow", first, folds)
    outcome = outcome_of(documents, values)
    assert outcome.lost == []
    read = {(task, name): number for task, name, number in outcome.read}
    assert read["calibrate", "predictions"] == len(folds)


# Mutations of a file that Kubeflow runs.


def root(spec: dict[str, Any]) -> dict[str, Any]:
    tasks: dict[str, Any] = spec["root"]["dag"]["tasks"]
    return tasks


def inside(spec: dict[str, Any], task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The component of the loop that a task is in, and its tasks."""
    (found,) = (each for each in spec["components"].values() if task in each.get("dag", {}).get("tasks", {}))
    return found, found["dag"]["tasks"]


def container(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{stage}"]["container"]
    return found


def text_items(spec: dict[str, Any], *_: Any) -> None:
    """As every loop was compiled before its list said what is in it: what the real Kubeflow refused."""
    for component in spec["components"].values():
        for name, each in component.get("inputDefinitions", {}).get("parameters", {}).items():
            each["parameterType"] = "STRING" if name.endswith("-loop-item") else each["parameterType"]


def renamed(spec: dict[str, Any], name: str) -> None:
    root(spec)[name] = root(spec).pop("report")


def a_circle(spec: dict[str, Any], *_: Any) -> None:
    root(spec)["split-folds"]["dependentTasks"].append("report")


def without(mapping: dict[str, Any], *names: str) -> None:
    for name in names:
        del mapping[name]


MUTATIONS: dict[str, tuple[str, str, Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], Any]]] = {
    "text given to a number": ("driver.resolveInputs", "type mismatch: expect NUMBER_INTEGER, got string", text_items),
    "text for a list": (
        "V2Spec.validatePipelineJobInputs", "folds requires LIST",
        lambda _spec, _pods, values: values.update(folds="[0]"),
    ),
    "a number for true or false": (
        "V2Spec.validatePipelineJobInputs", "reestimate_batchnorm requires BOOLEAN",
        lambda _spec, _pods, values: values.update(reestimate_batchnorm=1),
    ),
    "a missing parameter": (
        "V2Spec.validatePipelineJobInputs", "parameter raw is not optional", lambda _spec, _pods, values: values.pop("raw"),
    ),
    "a parameter too many": (
        "V2Spec.validatePipelineJobInputs", "not required by pipeline: height",
        lambda _spec, _pods, values: values.update(height=1),
    ),
    "an older schema": (
        "template.NewV2SpecTemplate", "only schema version 2.1.0", lambda spec, *_: spec.update(schemaVersion="2.0.0"),
    ),
    "no name": (
        "template.NewV2SpecTemplate", "no pipeline spec is provided", lambda spec, *_: spec["pipelineInfo"].update(name=""),
    ),
    "an unknown field": (
        "template.NewV2SpecTemplate", "no pipeline spec is provided", lambda spec, *_: root(spec)["report"].update(retry=2),
    ),
    "an unknown executor": (
        "compiler.pipelineDFS.dfs", "executor(label='exec-nobody') not found",
        lambda spec, *_: spec["components"]["comp-report"].update(executorLabel="exec-nobody"),
    ),
    "an executor of Vertex AI": (
        "compiler.pipelineDFS.dfs", "non-container and non-importer executor",
        lambda spec, *_: spec["deploymentSpec"]["executors"].update({"exec-report": {"customJob": {}}}),
    ),
    "an unknown component": (
        "compiler.pipelineDFS.dfs", "cannot find component ref name='comp-nothing'",
        lambda spec, *_: root(spec)["report"]["componentRef"].update(name="comp-nothing"),
    ),
    "no component": (
        "compiler.pipelineDFS.dfs", "component ref name is empty", lambda spec, *_: root(spec)["report"].pop("componentRef"),
    ),
    "a component that does nothing": (
        "compiler.pipelineDFS.dfs", "unknown component implementation",
        lambda spec, *_: spec["components"]["comp-report"].pop("executorLabel"),
    ),
    "a Kubernetes setting that is none": (
        "argocompiler.containerExecutorTask", "failed to unmarshal kubernetes config",
        lambda _spec, pods, _values: pods["exec-report"].update(nodeName="mine"),
    ),
    "an unknown producer": (
        "argocompiler.addImplicitDependencies", "unknown producer task 'nobody'",
        lambda spec, *_: root(spec)["report"]["inputs"]["artifacts"]["tables"]["taskOutputArtifact"].update(
            producerTask="nobody"),
    ),
    "a loop over artifacts": (
        "argocompiler.DAG", "artifact iterator not implemented",
        lambda spec, *_: root(spec)["report"].update(artifactIterator={"itemInput": "tables"}),
    ),
    "tasks that all wait for the end": (
        "argocompiler.DAG", "must contain one or more non-exit tasks",
        lambda spec, *_: [each.update(triggerPolicy={"strategy": EXIT}) for each in root(spec).values()],
    ),
    "a task that waits for nobody": (
        "argo validate.ValidateWorkflow", "dependency 'nobody' not defined",
        lambda spec, *_: root(spec)["report"]["dependentTasks"].append("nobody"),
    ),
    "a circle": ("argo validate.verifyNoCycles", "dependency cycle in root", a_circle),
    "a name too long": (
        "argo validate.isValidWorkflowFieldName", "at most 128", lambda spec, *_: renamed(spec, "r" * 129),
    ),
    "a name that is a driver's too long": (
        "argo validate.isValidWorkflowFieldName", "at most 128", lambda spec, *_: renamed(spec, "r" * 122),
    ),
    "a name with a blank": (
        "argo validate.isValidWorkflowFieldName", "alpha-numeric", lambda spec, *_: renamed(spec, "a report"),
    ),
    "an input that the loop has not": (
        "driver.resolveInputParameter", "parent DAG does not have input parameter pipelinechannel--colour",
        lambda spec, *_: inside(spec, "train")[1]["train"]["inputs"]["parameters"]["epochs"].update(
            componentInputParameter="pipelinechannel--colour"),
    ),
    "an artifact that the loop has not": (
        "driver.resolveInputArtifact", "parent DAG does not have input artifact pipelinechannel--colours",
        lambda spec, *_: inside(spec, "train")[1]["train"]["inputs"]["artifacts"]["examples"].update(
            componentInputArtifact="pipelinechannel--colours"),
    ),
    "an output that the loop has not": (
        "driver.GetProducerTask", "artifact output key 'pipelinechannel--predict-predictions' not found",
        lambda spec, *_: inside(spec, "train")[0]["dag"]["outputs"]["artifacts"].pop("pipelinechannel--predict-predictions"),
    ),
    "an output that a container has not": (
        "driver.GetProducerTask", "artifact output key 'colours' not found",
        lambda spec, *_: root(spec)["report"]["inputs"]["artifacts"]["tables"]["taskOutputArtifact"].update(
            outputArtifactKey="colours"),
    ),
    "a needed parameter that nobody gives": (
        "driver.resolveInputs", "neither value nor default value provided for non-optional parameter 'num_folds'",
        lambda spec, *_: root(spec)["split-folds"]["inputs"]["parameters"].pop("num_folds"),
    ),
    "a parameter of another type": (
        "driver.resolveInputs", "'strip_pairs' type mismatch: expect NUMBER_INTEGER, got list",
        lambda spec, *_: root(spec)["report"]["inputs"]["parameters"]["strip_pairs"].update(componentInputParameter="folds"),
    ),
    "a loop without its list": (
        "driver.DAG", "cannot find input parameter",
        lambda spec, *_: [
            each["parameterIterator"]["items"].update(inputParameter="pipelinechannel--none")
            for each in root(spec).values() if "parameterIterator" in each
        ],
    ),
    "a loop over one number": (
        "driver.getItems", "cannot be iterated",
        lambda spec, *_: [
            each["parameterIterator"].update(items={"raw": "3"}) for each in root(spec).values() if "parameterIterator" in each
        ],
    ),
    "an argument from an input that is not there": (
        "driver.resolveContainerArgs", "parameter 'colour' not found",
        lambda spec, *_: container(spec, "report")["args"].append("{{$.inputs.parameters['colour']}}"),
    ),
    "memory in words": (
        "driver.getPodResource", "quantities must match",
        lambda spec, *_: container(spec, "report")["resources"].update(resourceMemoryLimit="8 Gigabytes"),
    ),
}  # fmt: skip


def mutated(name: str) -> tuple[Documents, dict[str, Any]]:
    """A file that Kubeflow would run but for one thing, and its arguments."""
    (spec, platform), values = looped(), dict(VALUES)
    MUTATIONS[name][2](spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"], values)
    return [spec, platform], values


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_what_kubeflow_refuses_is_refused_for_its_reason(name: str) -> None:
    rule, reason, _ = MUTATIONS[name]
    documents, values = mutated(name)
    with pytest.raises(RefusedError) as error:
        outcome_of(documents, values)
    assert error.value.rule == rule
    assert reason in str(error.value)


def test_two_pipelines_in_one_file_are_refused() -> None:
    with pytest.raises(RefusedError, match="multiple specs provided"):
        outcome_of(golden("kubeflow", "none") * 2, VALUES)


def test_an_importer_is_looked_for_by_its_tasks_name(tmp_path: Path) -> None:
    documents, values = recompiled(tmp_path, "kubeflow", "report", [0])
    task = next(name for name in root(documents[0]) if name.startswith("importer"))
    root(documents[0])[task]["taskInfo"]["name"] = "the pairs"
    with pytest.raises(RefusedError, match=f"cannot find producer task '{task}'"):
        outcome_of(documents, values)


# What Kubeflow runs, and wrongly.


def test_a_loop_reads_one_of_the_artifacts_that_another_loop_wrote() -> None:
    spec, platform = looped()
    (folds,) = (task for task in root(spec).values() if "pipelinechannel--folds" in task.get("inputs", {}).get("parameters", {}))
    images = root(spec)["write-tfrecords"]["inputs"]["artifacts"]["images"]
    folds["inputs"]["artifacts"]["pipelinechannel--write-tfrecords-examples"] = images
    assert outcome_of([spec, platform], VALUES).lost == [
        "metadata.GetInputArtifactsByExecutionID: for-loop-2 gets 1 of 2 of pipelinechannel--write-tfrecords-examples"
    ]


def test_an_input_that_is_no_list_reads_the_first_of_several() -> None:
    spec, platform = looped()
    del spec["components"]["comp-calibrate"]["inputDefinitions"]["artifacts"]["predictions"]["isArtifactList"]
    assert outcome_of([spec, platform], VALUES | {"folds": [0]}).lost == []
    (lost,) = outcome_of([spec, platform], VALUES).lost
    assert lost == "component.getPlaceholders: calibrate reads 1 of 2 of predictions, which is no list"
