"""Reads what Kubeflow Pipelines and its ML Metadata know of a run: what it was given, what its stages read and wrote."""

import argparse
import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from launch.backends.base import stage_of
from launch.backends.cluster.records import ClusterRecord, ClusterTask, defaults_of
from launch.backends.kubeflow.client import END_STATES, NO_HOST, host_of, words_of
from launch.backends.kubeflow.copying import ADDRESS, COPY, copy_artifact
from launch.backends.kubeflow.errors import talking_to
from launch.runs.parameters import LOOP, SHARD

if TYPE_CHECKING:
    from launch.backends.kubeflow.metadata_store import StoredTask

NO_STORE = (
    "Is --host the address of its pages (the service ml-pipeline-ui)? The bare API does not lead there. If it is: rerun and "
    "score read it, and Kubeflow Pipelines have it up to 2.18, not from 3.0 on."
)
RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_record(client: Any, name: str, experiment: str, flags: argparse.Namespace) -> ClusterRecord:
    """Returns what Kubeflow Pipelines and its ML Metadata know of a run.

    Args:
        client: as `launch.backends.kubeflow.client.connect` returns it.
        name: the run's id, or its name in the experiment.
        experiment: where a name is looked for.
        flags: as `launch.backends.kubeflow.client.connect` has them.

    Raises:
        FileNotFoundError: no such run.
        ValueError: several runs of that name.
        BackendError: a server does not answer, or says no.
    """
    from launch.backends.kubeflow.metadata_store import stored_tasks  # its messages take a while to import

    host = host_of(flags) or NO_HOST
    run = find_run(client, name, experiment, flags)
    with talking_to(host, f"read the experiment of run {run.run_id}"):
        its_experiment = client.get_experiment(experiment_id=run.experiment_id).display_name
    with talking_to(
        host,
        f"ask ML Metadata, which the address of Kubeflow's pages leads to, for the artifacts of run {run.run_id}",
        hint=NO_STORE,
    ):
        stored = stored_tasks(client, run.run_id)
    originals = originals_of(stored)
    return ClusterRecord(
        run=run.run_id,
        state=run.state or "PENDING",
        finished=run.state in END_STATES,
        parameters=defaults_of(spec_of(client, host, run))
        | ((run.runtime_config.parameters if run.runtime_config else None) or {}),
        about=words_of(run),
        experiment=its_experiment,
        tasks=[task_of(each, stage, originals) for each in stored if (stage := stage_of(each.name))],
    )


def find_run(client: Any, name: str, experiment: str, flags: argparse.Namespace) -> Any:
    """Returns a run by its id, or by its name in an experiment; raises as `read_record`."""
    host = host_of(flags) or NO_HOST
    if RUN_ID.fullmatch(name):
        return run_by_id(client, host, name)
    return run_by_name(client, host, name, experiment, flags.namespace or None)


def spec_of(client: Any, host: str, run: Any) -> Any:
    """Returns a run's pipeline: its own or, where the run was started from an uploaded one, that version's."""
    version = run.pipeline_version_reference
    if run.pipeline_spec or not version:
        return run.pipeline_spec
    with talking_to(host, f"read the pipeline that run {run.run_id} was started from"):
        return client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id).pipeline_spec


def run_by_id(client: Any, host: str, run_id: str) -> Any:
    """Returns the run of an id.

    Raises:
        FileNotFoundError: no such run.
    """
    import kfp_server_api

    run = None
    with talking_to(host, f"read run {run_id}"):
        try:
            run = client.get_run(run_id)
        except kfp_server_api.ApiException as error:
            if error.status != 404:
                raise
    if run is None:
        raise FileNotFoundError(f"{host} has no run {run_id}. See: python pipeline.py list --target kubeflow")
    return run


def run_by_name(client: Any, host: str, name: str, experiment: str, namespace: str | None) -> Any:
    """Returns the one run of a name in an experiment.

    Raises:
        FileNotFoundError: no such run or experiment.
        ValueError: several.
    """
    wanted = json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
    found: list[Any] = []
    # ValueError is kfp's way to say that there is no such experiment
    with talking_to(host, f"look for run {name}"), contextlib.suppress(ValueError):
        there = client.get_experiment(experiment_name=experiment, namespace=namespace)
        found = client.list_runs(experiment_id=there.experiment_id, namespace=namespace, filter=wanted).runs or []
    if not found:
        raise FileNotFoundError(
            f"{host} has no run {name} in experiment {experiment}. Give its id, or another --experiment. "
            "See: python pipeline.py list --target kubeflow"
        )
    if len(found) > 1:
        ids = ", ".join(run.run_id for run in found)
        raise ValueError(f"{name}: several runs of experiment {experiment} have this name. Expected the id of one: {ids}.")
    return run_by_id(client, host, found[0].run_id)


def originals_of(stored: Sequence["StoredTask"]) -> dict[str, str]:
    """Returns what each copy is a copy of, by their URIs: a rerun of several folds copies what it reads (copying.py)."""
    copies = (each for each in stored if each.name.startswith(copy_artifact.component_spec.name))
    return {uri: each.parameters[ADDRESS] for each in copies for uri in each.outputs.get(COPY, ())}


def task_of(stored: "StoredTask", stage: str, originals: Mapping[str, str]) -> ClusterTask:
    """Returns a task as lineage wants it; ML Metadata has one kind of number."""
    part = next((int(stored.parameters[name]) for name in (LOOP, SHARD) if name in stored.parameters), None)
    inputs = {name: [originals.get(uri, uri) for uri in uris] for name, uris in stored.inputs.items()}
    return ClusterTask(stage=stage, succeeded=stored.succeeded, part=part, inputs=inputs, outputs=stored.outputs)
