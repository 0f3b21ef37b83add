"""Logs a finished run to the MLflow server that MLFLOW_TRACKING_URI names, if it names one.

Kubeflow Pipelines can be told to make an MLflow run for each pipeline run, and one below it for each task, which it names in
MLFLOW_RUN_ID. What is logged here concerns the whole pipeline run, so it goes to the upper one. Elsewhere a new MLflow run is
made, in the experiment that MLFLOW_EXPERIMENT_ID or MLFLOW_EXPERIMENT_NAME names, else in "verdelta".
"""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract import schema
from components.report.mlflow_log import EXPERIMENT, TrackedRun, connect, experiment_id, log_run, without_password
from components.report.page import Page
from components.report.read import Run
from components.report.scores import headline_scores
from components.report.settings import ReportSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT_TAG = "mlflow.parentRunId"


def track(run: Run, page: Page, settings: ReportSettings, html: str, summary: str, submission: Path) -> None:
    """Logs a run; says so on standard output if the server does not take it, and goes on: the report does not depend on it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return
    try:
        client = connect(uri)
        run_id, is_ours = run_to_log_to(client)
        log_run(client, run_id, tracked_run(run, page, settings, summary))
        client.log_text(run_id, html, "report.html")
        client.log_text(run_id, summary, "summary.md")
        for name in (schema.SUBMISSION_RAW_CSV, schema.SUBMISSION_CALIBRATED_CSV, schema.INTERVALS_CSV):
            if (submission / name).exists():  # a calibration of an earlier version has no intervals
                client.log_artifact(run_id, str(submission / name))
        if is_ours:
            client.set_terminated(run_id)
        print(f"logged to MLflow at {without_password(uri)}, run {run_id}")
    except Exception as error:  # of MLflow, of HTTP or of the server's artifact store
        print(
            without_password(f"NOT LOGGED to MLflow at {uri} ({type(error).__name__}: {error}). The report itself is complete.")
        )


def run_to_log_to(client: "MlflowClient") -> tuple[str, bool]:
    """Returns the id of the MLflow run to log to, and whether it was made for that."""
    given = os.environ.get("MLFLOW_RUN_ID")
    if given:
        return client.get_run(given).data.tags.get(PARENT_TAG, given), False
    experiment = os.environ.get("MLFLOW_EXPERIMENT_ID") or experiment_id(
        client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    )
    return client.create_run(experiment).info.run_id, True


def tracked_run(run: Run, page: Page, settings: ReportSettings, summary: str) -> TrackedRun:
    """Returns what is logged of a run; its parameters are those in its stages' records."""
    parameters: dict[str, Any] = {"folds": run.folds, **dataclasses.asdict(settings)}
    for record in run.records:
        parameters |= {name: value for name, value in record["settings"].items() if name != "fold"}
    return TrackedRun(
        parameters=parameters,
        scores=headline_scores(page.validation.overall, page.test.overall if page.test else None),
        histories=run.histories,
        tags={},
        description=summary,
    )
