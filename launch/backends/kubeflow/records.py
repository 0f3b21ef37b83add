"""Turns what Kubeflow Pipelines and its ML Metadata know of a run into what every cluster tells of one."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from launch.backends.cluster.records import ClusterRecord, ClusterTask, defaults_of, listed_parameters, parent_of
from launch.backends.kubeflow.copying import ADDRESS, COPY, copy_artifact
from launch.runs.summary import RunSummary, local_time

RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def record_of(run: Any, experiment: str, spec: Any, stored: Sequence[ClusterTask]) -> ClusterRecord:
    """Returns a run, as kfp's client has it, for going on from it: with its experiment's name, its pipeline, its stored tasks."""
    copies = (each for each in stored if each.name.startswith(copy_artifact.component_spec.name))  # of what a rerun reads
    originals = {uri: each.parameters[ADDRESS] for each in copies for uri in each.outputs.get(COPY, ())}
    read = [{name: [originals.get(uri, uri) for uri in uris] for name, uris in each.inputs.items()} for each in stored]
    return ClusterRecord(
        run=run.run_id,
        state=run.state or "PENDING",
        parameters=defaults_of(spec) | given_to(run),
        about=words_of(run),
        experiment=experiment,
        tasks=[dataclasses.replace(each, inputs=inputs) for each, inputs in zip(stored, read, strict=True)],
    )


def summary_of(run: Any) -> RunSummary:
    """Returns what a list shows of a run."""
    about = words_of(run)
    return RunSummary(
        name=run.display_name,
        state=run.state or "PENDING",
        preset=about.get("preset"),
        started=local_time(run.created_at),
        parent=parent_of(about),
        parameters=listed_parameters(given_to(run)),
    )


def given_to(run: Any) -> dict[str, Any]:
    """Returns what a run was given."""
    return (run.runtime_config.parameters if run.runtime_config else None) or {}


def words_of(run: Any) -> dict[str, str]:
    """Returns the words about a run that are its description, such as preset=fast."""
    return dict(word.split("=", 1) for word in (run.description or "").split() if "=" in word)
