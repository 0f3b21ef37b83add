"""Reads what kfp.local says of a task: its stage, fold, URIs and missing outputs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contract.artifacts import write_json
from components.images import ROOT
from launch.backends.local.keras_backend import backend_environment

LOOP_ITEM = "pipelinechannel--{}-loop-item"  # kfp's name for the fold, or shard, of the loop that a task is in


def stage_environment(scratch: str, runs: Path, code: Path = ROOT) -> dict[str, str]:
    """Returns the environment of a stage's process: it finds the components in `code`, writes unbuffered, and is quiet."""
    paths = [str(code), *filter(None, [os.environ.get("PYTHONPATH")])]
    defaults = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    # kfp leaves a folder per task in TMPDIR
    fixed = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "TMPDIR": scratch}
    fixed["PYTHONSAFEPATH"] = "1"  # else components are found in the current folder before they are in `code`
    return {**defaults, **os.environ, **backend_environment(runs), **fixed}


def stage_name(task: Mapping[str, Any]) -> str | None:
    """Returns the name of the component that a task runs, or None for an importer, which runs nothing."""
    component = task["components"][task["task_spec"].component_ref.name]
    if not task["executors"][component.executor_label].HasField("container"):
        return None
    arguments = list(task["executors"][component.executor_label].container.args)
    if "--function_to_execute" in arguments:  # a stage's; kfp makes its names of others, and numbers them
        return arguments[arguments.index("--function_to_execute") + 1]
    return component.executor_label.removeprefix("exec-")


def loop_part(io_store: Any, loop: str, number: str) -> int | None:
    """Returns the number of the fold, or shard, that a task in a loop over such a list is about, or None outside of one."""
    try:
        item = io_store.get_parent_input(LOOP_ITEM.format(loop))
    except ValueError:
        return None
    return int(item[number] if isinstance(item, dict) else item)  # a rerun's loop gets each fold's artifacts with its number


def uri_of(value: Any) -> Any:
    """Returns an artifact's URI, a list's URIs, or a parameter as it is."""
    if isinstance(value, list):
        return [uri_of(each) for each in value]
    return value.uri if isinstance(value, dsl.Artifact) else value


def single_digests(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Returns, by URI, the SHA-256 of artifacts that are one file, where the metadata of the stage's artifacts say it."""
    artifacts = {name: each for name, each in outputs.items() if isinstance(each, dsl.Artifact)}
    said = {key: value for each in artifacts.values() for key, value in each.metadata.items()}
    return {each.uri: said[f"{name}_sha256"] for name, each in artifacts.items() if f"{name}_sha256" in said}


def recorded_inputs(component: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a task's inputs for its record: artifacts as URIs, lists as the component declares; kfp gives one alone bare."""
    declared = component.input_definitions.artifacts
    recorded = {name: uri_of(value) for name, value in inputs.items()}
    lists = {name for name in recorded if name in declared and declared[name].is_artifact_list}
    return {name: [value] if name in lists and not isinstance(value, list) else value for name, value in recorded.items()}


def write_metrics(outputs: Mapping[str, Any]) -> None:
    """Writes the file of every metrics artifact: kfp keeps metrics in metadata alone, and its cache asks for the file."""
    for artifact in outputs.values():
        if isinstance(artifact, dsl.Metrics) and artifact.metadata and not Path(artifact.path).exists():
            write_json(Path(artifact.path), dict(sorted(artifact.metadata.items())))


def missing_outputs(component: Any, outputs: Mapping[str, Any]) -> list[str]:
    """Returns the artifacts that a component declares and that are not there, or are folders with nothing in them."""
    return [name for name in component.output_definitions.artifacts if name not in outputs or is_empty(Path(outputs[name].path))]


def is_empty(path: Path) -> bool:
    """Whether nothing is at `path`, or an empty folder."""
    return not any(path.iterdir()) if path.is_dir() else not path.exists()
