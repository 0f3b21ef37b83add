"""A run on Kubeflow goes in, by its id or name; what it was given, and what its stages read and wrote, comes out."""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from launch.backends.cluster.remote_lineage import RemoteRecord, Task
from launch.backends.follow import stage_of
from launch.backends.kubeflow.client import END_STATES, NO_HOST, host_of
from launch.backends.kubeflow.copying import ADDRESS, COPY, copy_artifact
from launch.backends.kubeflow.errors import talking_to
from launch.runs.parameters import LOOP, SHARD

if TYPE_CHECKING:
    from launch.backends.kubeflow.metadata_store import StoredTask

NO_STORE = "rerun and score read it, and Kubeflow Pipelines have it up to 2.18, not from 3.0 on: they need 2.17 or 2.18."
RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_record(client: Any, name: str, arguments: argparse.Namespace) -> RemoteRecord:
    """Returns what Kubeflow Pipelines and its ML Metadata know of a run.

    Args:
        client: as `launch.backends.kubeflow.client.connect` returns it.
        name: the run's id, or its name in the experiment of the command line.

    Raises:
        FileNotFoundError: no such run.
        ValueError: several runs of that name.
        RemoteError: a server does not answer, or says no.
    """
    from launch.backends.kubeflow.metadata_store import stored_tasks  # its messages take a while to import

    host = host_of(arguments) or NO_HOST
    run = run_by_id(client, host, name) if RUN_ID.fullmatch(name) else run_by_name(client, host, name, arguments)
    with talking_to(host, f"read the experiment of run {run.run_id}"):
        experiment = client.get_experiment(experiment_id=run.experiment_id).display_name
    with talking_to(
        host,
        f"ask ML Metadata, which the address of Kubeflow's pages leads to, for the artifacts of run {run.run_id}",
        hint=NO_STORE,
    ):
        stored = stored_tasks(client, run.run_id)
    originals = originals_of(stored)
    return RemoteRecord(
        run=run.run_id,
        state=run.state or "PENDING",
        finished=run.state in END_STATES,
        parameters=defaults_of(run.pipeline_spec) | ((run.runtime_config.parameters if run.runtime_config else None) or {}),
        about=dict(word.split("=", 1) for word in (run.description or "").split() if "=" in word),
        experiment=experiment,
        tasks=[task_of(each, stage, originals) for each in stored if (stage := stage_of(each.name))],
    )


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


def run_by_name(client: Any, host: str, name: str, arguments: argparse.Namespace) -> Any:
    """Returns the one run of a name in the experiment of the command line.

    Raises:
        FileNotFoundError: no such run or experiment.
        ValueError: several.
    """
    namespace = arguments.namespace or None
    wanted = json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
    found: list[Any] = []
    with talking_to(host, f"look for run {name}"):
        try:
            experiment = client.get_experiment(experiment_name=arguments.experiment, namespace=namespace)
        except ValueError:  # kfp's way to say that there is none
            experiment = None
        if experiment:
            listed = client.list_runs(experiment_id=experiment.experiment_id, namespace=namespace, filter=wanted)
            found = listed.runs or []
    if not found:
        raise FileNotFoundError(
            f"{host} has no run {name} in experiment {arguments.experiment}. Give its id, or another --experiment. "
            "See: python pipeline.py list --target kubeflow"
        )
    if len(found) > 1:
        ids = ", ".join(run.run_id for run in found)
        raise ValueError(
            f"{name}: several runs of experiment {arguments.experiment} have this name. Expected the id of one: {ids}."
        )
    return run_by_id(client, host, found[0].run_id)


def defaults_of(spec: Any) -> dict[str, Any]:
    """Returns the defaults in a run's pipeline, which are what a run got that was started in the UI and gave none."""
    spec = (spec or {}).get("pipeline_spec", spec) or {}
    declared = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    return {name: each["defaultValue"] for name, each in declared.items() if "defaultValue" in each}


def originals_of(stored: Sequence["StoredTask"]) -> dict[str, str]:
    """Returns what each copy is a copy of, by their URIs: a rerun of several folds copies what it reads (copying.py)."""
    copies = (each for each in stored if each.name.startswith(copy_artifact.component_spec.name))
    return {uri: each.parameters[ADDRESS] for each in copies for uri in each.outputs.get(COPY, ())}


def task_of(stored: "StoredTask", stage: str, originals: Mapping[str, str]) -> Task:
    """Returns a task as lineage wants it; ML Metadata has one kind of number."""
    part = next((int(stored.parameters[name]) for name in (LOOP, SHARD) if name in stored.parameters), None)
    inputs = {name: [originals.get(uri, uri) for uri in uris] for name, uris in stored.inputs.items()}
    return Task(stage=stage, succeeded=stored.succeeded, part=part, inputs=inputs, outputs=stored.outputs)
