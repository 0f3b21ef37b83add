"""Reads what Vertex AI knows of a run: what it was given, what its stages read and wrote."""

import argparse
import contextlib
import re
from collections.abc import Mapping
from typing import Any

from launch.backends.base import stage_of
from launch.backends.cluster.records import ClusterRecord, ClusterTask, as_declared, defaults_of, plain
from launch.backends.vertex.client import END_STATES, JOB_ID, place_of, state_of, talking_to
from launch.runs.parameters import LOOP, SHARD

RESOURCE = re.compile(r"projects/[^/]+/locations/[^/]+/pipelineJobs/[^/]+")
PARAMETERS = (f"input:{LOOP}", f"input:{SHARD}")  # in the metadata of a task's execution
METRIC = re.compile(r"fold_(\d+)_")  # how train names its scores
GOOD = ("SUCCEEDED", "SKIPPED")  # the latter from the cache


def read_record(aiplatform: Any, name: str, flags: argparse.Namespace) -> ClusterRecord:
    """Returns what Vertex AI knows of a run.

    Args:
        aiplatform: as `launch.backends.vertex.client.connect` returns it.
        name: the job's id or resource name.

    Raises:
        ValueError: not such a name.
        FileNotFoundError: no such run.
        BackendError: the service does not answer, or says no.
    """
    job = find_job(aiplatform, name, flags)
    with talking_to(place_of(flags), f"read run {name}"):
        experiment = job.get_associated_experiment()
    resource = job.gca_resource
    state = state_of(resource)
    given = defaults_of(plain(resource.pipeline_spec)) | dict(resource.runtime_config.parameter_values)
    return ClusterRecord(
        run=resource.name.rpartition("/")[2],
        state=state,
        finished=state in END_STATES,
        parameters={name: as_declared(name, value) for name, value in given.items()},
        about=dict(resource.labels),
        experiment=experiment.name if experiment else "",
        tasks=[task_of(each, stage) for each in resource.job_detail.task_details if (stage := stage_of(each.task_name))],
    )


def find_job(aiplatform: Any, name: str, flags: argparse.Namespace) -> Any:
    """Returns a job by its id or resource name; raises as `read_record`."""
    from google.api_core.exceptions import NotFound

    if not (JOB_ID.fullmatch(name) or RESOURCE.fullmatch(name)):
        raise ValueError(
            f"{name}: no id of a run on Vertex AI. Expected lower-case letters, digits and '-', or projects/.../pipelineJobs/ID. "
            "See: python pipeline.py list --target vertex"
        )
    job = None
    with talking_to(place_of(flags), f"read run {name}"), contextlib.suppress(NotFound):
        job = aiplatform.PipelineJob.get(name)
    if job is None:
        raise FileNotFoundError(
            f"{flags.project}, {flags.region} has no run {name}. See: python pipeline.py list --target vertex"
        )
    return job


def task_of(detail: Any, stage: str) -> ClusterTask:
    """Returns a task as lineage wants it."""
    return ClusterTask(
        stage=stage,
        succeeded=detail.state.name in GOOD,
        part=part_of(detail),
        inputs=uris(detail.inputs),
        outputs=uris(detail.outputs),
    )


def part_of(detail: Any) -> int | None:
    """Returns the fold or the shard that a task was told: a parameter of its execution, and in its artifacts' metadata."""
    given = (detail.execution.metadata if detail.execution else None) or {}
    told = [given[name] for name in PARAMETERS if name in given]
    if told:
        return int(told[0])
    written = [artifact.metadata or {} for found in detail.outputs.values() for artifact in found.artifacts]
    folds = (found[1] for metadata in written for name in metadata if (found := METRIC.match(name)))
    shards = (metadata[SHARD] for metadata in written if SHARD in metadata)
    return next((int(part) for part in (*folds, *shards)), None)


def uris(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns name to URIs of a task's inputs or outputs."""
    return {name: [artifact.uri for artifact in each.artifacts] for name, each in found.items() if each.artifacts}
