"""Logs what a run was and how it went to MLflow, alike from a laptop and from a cluster.

`launch.tracking.mirror` logs local runs with this, and the report stage its own run where the cluster has an MLflow server.
MLflow takes seconds to import, so it is imported where it is needed.
"""

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "verdelta"
DESCRIPTION_TAG = "mlflow.note.content"  # shown, as Markdown, on the run's page
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}  # MLflow's own: many minutes
# What one request of MLflow's REST API may hold.
MOST_PARAMETERS, MOST_METRICS, LONGEST_PARAMETER, LONGEST_TAG = 100, 1000, 6000, 5000
WHO = re.compile(r"(?<=://)[^/\s?#]*@")  # user and password in an address


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """What MLflow shows of a run."""

    parameters: Mapping[str, Any]  # name to value
    scores: Mapping[str, float]  # the headline metrics, in days
    # (fold, history.csv) of each model: one row per epoch, with `epoch` counting from 1
    histories: Sequence[tuple[int, pd.DataFrame]]
    tags: Mapping[str, str]  # name to text
    description: str  # Markdown for the top of the run's page


def without_password(text: str) -> str:
    """Returns text without the users and passwords of addresses in it; MLflow's own messages hold them."""
    return WHO.sub("***@", text)


def connect(uri: str) -> "MlflowClient":
    """Returns a client of the tracking server at `uri`; MLflow's telemetry is off, and a server that is gone soon an error."""
    os.environ.update(QUIET)  # read while MLflow is imported
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def experiment_id(client: "MlflowClient", name: str = EXPERIMENT, artifact_location: str | None = None) -> str:
    """Returns the id of the experiment `name`, which is made where there is none."""
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name, artifact_location=artifact_location)


def log_run(client: "MlflowClient", run_id: str, tracked: TrackedRun) -> None:
    """Logs to the MLflow run `run_id`; logging the same again, or more of it later, changes nothing that is there.

    MLflow keeps one point per series, step, time and value, so times are counted from the MLflow run's own start.
    A parameter that has a value keeps it.
    """
    from mlflow.entities import Metric, Param, RunTag

    there = client.get_run(run_id)
    start: int = there.info.start_time
    names = [name for name in tracked.parameters if name not in there.data.params]
    parameters = [Param(name, as_text(tracked.parameters[name])[:LONGEST_PARAMETER]) for name in names]
    metrics = [Metric(name, value, start, 0) for name, value in tracked.scores.items()]
    metrics += [point for fold, history in tracked.histories for point in curve_points(fold, history, start)]
    tags = [RunTag(name, value) for name, value in {**tracked.tags, DESCRIPTION_TAG: tracked.description[:LONGEST_TAG]}.items()]
    for some in chunks(parameters, MOST_PARAMETERS):
        client.log_batch(run_id, params=some)
    for some in chunks(metrics, MOST_METRICS):
        client.log_batch(run_id, metrics=some)
    client.log_batch(run_id, tags=tags)


def curve_points(fold: int, history: pd.DataFrame, start: int) -> Iterator["Metric"]:
    """Yields the finite numbers of a history as points of fold_<fold>/<column> at their epochs; `start` is ms since 1970."""
    from mlflow.entities import Metric

    for row in history.to_dict("records"):
        at = start + round(1000 * row.get("seconds", 0))
        for column, value in row.items():
            if column != "epoch" and math.isfinite(value):
                yield Metric(f"fold_{fold}/{column}", float(value), at, int(row["epoch"]))


def as_text(value: Any) -> str:
    """Writes a parameter as the command line would take it: text bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yields `items` in pieces of at most `size`."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
