"""`list --target`: the flags that say which cluster go in; its runs come out, in the shape of local ones.

Vertex AI tells the scores with the run. Kubeflow Pipelines' API tells parameters and states, but no metrics of any artifact:
those are on its Compare runs page.
"""

import argparse
import datetime
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from components.contract import schema
from launch.backends.kubeflow import client as kubeflow_client
from launch.backends.kubeflow import errors as kubeflow_errors
from launch.backends.vertex import client as vertex_client
from launch.cli.cluster_options import add_connection_options
from launch.runs.parameters import SHARDS, fields

CLIENTS: dict[str, ModuleType] = {"kubeflow": kubeflow_client, "vertex": vertex_client}
MOST = 100  # runs that are listed, the latest
ONLY_LATEST = f"At most {MOST} runs are listed."
NO_SCORES = f"Kubeflow's API tells no scores: its Compare runs page shows them, for up to 10 runs. {ONLY_LATEST}"


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `list` that say which cluster."""
    parser.add_argument("--target", choices=list(CLIENTS), help="list the runs there (default: those of this machine)")
    parser.add_argument("--experiment", default="verdelta", help="Kubeflow: the experiment (default: verdelta)")
    add_connection_options(parser)


def remote_runs(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Returns the runs of the target, oldest first, in the shape of local ones, and what to say below them.

    Raises:
        ValueError: a flag of another target, or one that is missing.
        RemoteError: the server does not answer, or says no.
    """
    check_target_options(arguments)
    if arguments.target == "kubeflow":
        return kubeflow_runs(kubeflow_client.connect(arguments), arguments), NO_SCORES
    named = argparse.Namespace(**vars(arguments), name="unused")  # connecting checks the name that a run is to get
    return vertex_runs(vertex_client.connect(named), arguments), ONLY_LATEST


def check_target_options(arguments: argparse.Namespace) -> None:
    """Refuses a flag of another target, and a missing one of this.

    Raises:
        ValueError: names the flag.
    """
    for target, client in CLIENTS.items():
        for option in client.OPTIONS:
            if target != arguments.target and getattr(arguments, option):
                raise ValueError(f"--{option.replace('_', '-')}: it goes with --target {target}; leave it out.")
    if arguments.target == "vertex":
        for option in ("project", "region"):
            if not getattr(arguments, option):
                raise ValueError(f"--{option}: missing; --target vertex needs it.")


def kubeflow_runs(client: Any, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns the latest runs of the experiment; none where there is no such experiment."""
    host, namespace = kubeflow_client.host_of(arguments) or kubeflow_client.NO_HOST, arguments.namespace or None
    with kubeflow_errors.talking_to(host, f"list the runs of experiment {arguments.experiment}"):
        try:
            experiment = client.get_experiment(experiment_name=arguments.experiment, namespace=namespace)
        except ValueError:  # kfp's way to say that there is none
            return []
        found = client.list_runs(
            page_size=MOST, sort_by="created_at desc", experiment_id=experiment.experiment_id, namespace=namespace
        )
    return [kubeflow_run(run) for run in reversed(found.runs or [])]


def kubeflow_run(run: Any) -> dict[str, Any]:
    """Returns one run of Kubeflow's; its description holds words such as preset=fast."""
    about = dict(word.split("=", 1) for word in (run.description or "").split() if "=" in word)
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    return listed(run.display_name, run.state or "PENDING", about, run.created_at, parameters, {})


def vertex_runs(aiplatform: Any, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns the latest jobs with the label app=verdelta, which `submit` gives."""
    where = {"project": arguments.project, "region": arguments.region}
    with vertex_client.talking_to(where, "list the runs"):
        jobs = aiplatform.PipelineJob.list(filter='labels.app="verdelta"', order_by="create_time desc")[:MOST]
    return [vertex_run(job.gca_resource) for job in reversed(jobs)]


def vertex_run(job: Any) -> dict[str, Any]:
    """Returns one job of Vertex AI's; its scores are the metadata of calibrate's metrics artifact."""
    metrics: dict[str, Any] = {}
    for task in job.job_detail.task_details:
        if task.task_name == "calibrate" and "metrics" in task.outputs:
            for artifact in task.outputs["metrics"].artifacts:
                metrics |= dict(artifact.metadata)
    given = dict(job.runtime_config.parameter_values)  # in any order
    parameters = {name: as_declared(name, given[name]) for name in (*fields(), *sorted(given.keys() - fields())) if name in given}
    state = job.state.name.removeprefix("PIPELINE_STATE_")
    return listed(job.display_name, state, dict(job.labels), job.create_time, parameters, metrics)


def listed(
    name: str, state: str, about: Mapping[str, str], created: datetime.datetime | None,
    parameters: dict[str, Any], metrics: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Returns a run in the shape of a local one, its start in the time of this machine; `about` as `submit` sends it."""
    started = created.astimezone().isoformat(timespec="seconds") if created else ""
    parameters = {parameter: value for parameter, value in parameters.items() if parameter != SHARDS}  # num_shards says it
    scores = {score: metrics[score] for score in schema.HEADLINE_METRICS if score in metrics}
    return {
        "name": name, "state": state, "preset": about.get("preset"), "started": started, "parent": parent_of(about),
        "parameters": parameters, "metrics": scores,
    }  # fmt: skip


def parent_of(about: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns the run that a run was made from, and how, as the record of a local run has it."""
    return {"run": about["parent"], "kind": about.get("kind"), "stage": about.get("stage")} if "parent" in about else None


def as_declared(name: str, value: Any) -> Any:
    """Returns a parameter's value as its settings declare it: Vertex has one kind of number, and lists of its own."""
    declared = fields().get(name)
    return float(value) if declared is not None and declared.type is float else plain(value)


def plain(value: Any) -> Any:
    """Returns a value of protobuf's Struct as what JSON can write; a number without a fraction is a whole one."""
    if hasattr(value, "items"):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return [plain(each) for each in value]
