"""Turns what Vertex AI knows of a job into what every cluster tells of a run: what it was given, read and wrote; its scores."""

import re
from collections.abc import Mapping
from typing import Any

from components.contract.verdict import VERDICT
from launch.backends.cluster.records import (
    ClusterRecord,
    ClusterTask,
    as_declared,
    defaults_of,
    listed_parameters,
    parent_of,
    plain,
)
from launch.runs.parameters import LOOP, SHARD
from launch.runs.summary import RunSummary, headline, local_time

PARAMETER = "input:"  # begins the names of a task's parameters in the metadata of its execution
METRIC = re.compile(r"fold_(\d+)_")  # how train names its scores
GOOD = ("SUCCEEDED", "SKIPPED")  # the latter from the cache


def record_of(job: Any, experiment: str) -> ClusterRecord:
    """Returns a job, as the service has it, for going on from it; `experiment` is empty for none."""
    given = defaults_of(plain(job.pipeline_spec)) | dict(job.runtime_config.parameter_values)
    return ClusterRecord(
        run=job.name.rpartition("/")[2],
        state=state_of(job),
        parameters={name: as_declared(name, value) for name, value in given.items()},
        about=dict(job.labels),
        experiment=experiment,
        tasks=list(map(task_of, job.job_detail.task_details)),
    )


def state_of(job: Any) -> str:
    """Returns the service's own word for a job's state."""
    return job.state.name.removeprefix("PIPELINE_STATE_")


def summary_of(job: Any) -> RunSummary:
    """Returns what a list shows of a job; its scores are the metadata of calibrate's metrics artifact."""
    metrics: dict[str, Any] = {}
    for task in job.job_detail.task_details:
        if task.task_name == "calibrate" and "metrics" in task.outputs:
            for artifact in task.outputs["metrics"].artifacts:
                metrics |= dict(artifact.metadata)
    about = dict(job.labels)
    return RunSummary(
        name=job.display_name,
        state=state_of(job),
        preset=about.get("preset"),
        started=local_time(job.create_time),
        parent=parent_of(about),
        parameters=listed_parameters(dict(job.runtime_config.parameter_values)),
        scores=headline(metrics),
        verdict=str(metrics.get(VERDICT, "")),
    )


def task_of(detail: Any) -> ClusterTask:
    """Returns a task as every cluster has it."""
    return ClusterTask(
        name=detail.task_name,
        succeeded=detail.state.name in GOOD,
        parameters=part_told(detail),
        inputs=uris(detail.inputs),
        outputs=uris(detail.outputs),
    )


def part_told(detail: Any) -> dict[str, Any]:
    """Returns the fold or the shard that a task was told, by its name: as its execution, or its artifacts' metadata, has it."""
    given = (detail.execution.metadata if detail.execution else None) or {}
    told = {name: given[PARAMETER + name] for name in (LOOP, SHARD) if PARAMETER + name in given}
    if told:
        return told
    written = [artifact.metadata or {} for found in detail.outputs.values() for artifact in found.artifacts]
    folds = [{LOOP: found[1]} for metadata in written for name in metadata if (found := METRIC.match(name))]
    shards = [{SHARD: metadata[SHARD]} for metadata in written if SHARD in metadata]
    return next(iter([*folds, *shards]), {})


def uris(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns name to URIs of a task's inputs or outputs."""
    return {name: [artifact.uri for artifact in each.artifacts] for name, each in found.items() if each.artifacts}
