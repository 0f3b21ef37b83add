"""Keeps the runs of an MLflow server equal to the folder of runs on this machine.

MLflow's server does all the writing. It gets no copy of a run's files: what its UI shows are hard links to them.
"""

import hashlib
import io
import json
import os
import shutil
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from components.contract import schema
from components.contract.verdict import VERDICT, in_short
from components.contract.verified import read_bytes
from components.report.mlflow_log import EXPERIMENT, TrackedRun, experiment_id, log_run
from launch.runs.record import BROKEN, RESULTS, RUN_JSON, RUNNING, SUCCEEDED, read_runs
from launch.runs.summary import differing_parameters, headline

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Names that begin with "mlflow." are MLflow's own, which its UI does not show.
KEY, SYNCED = "mlflow.verdelta.key", "mlflow.verdelta.synced"
GONE = "the run's folder is gone"
SHOWN = (*(name for names in RESULTS.values() for name in names), RUN_JSON, "logs/*.log")
STATUS = {SUCCEEDED: "FINISHED", RUNNING: "RUNNING"}  # all others: FAILED
PAGE = 1000  # runs that MLflow lists at once, at most
VIEW = "scores"  # MLflow's name, in addresses, of the table with the columns of `list`
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"


class Mirror:
    """Keeps the runs of an MLflow server equal to a folder of runs.

    A run deleted in the UI stays deleted there, and its folder as it is; a run whose folder is deleted is deleted in the UI.
    """

    def __init__(self, client: "MlflowClient", runs_dir: Path, artifacts: Path) -> None:
        """Args: the server's client, the folder of runs, and the folder that the server serves artifacts from."""
        self.client, self.runs_dir, self.artifacts = client, runs_dir, artifacts
        # A location that names no folder: the runs can be moved.
        self.experiment = experiment_id(client, artifact_location=f"mlflow-artifacts:/{EXPERIMENT}")
        self.seen: dict[str, str] = {}

    def sync(self) -> list[str]:
        """Brings MLflow up to date, returns what could not be shown of runs. Raises MlflowException: no answer."""
        records = {run_key(run): run for run in read_runs(self.runs_dir)}
        versions = {key: version(run) for key, run in records.items()}
        if versions == self.seen:
            return []
        known = {run.data.tags[KEY]: run for run in self.all_runs() if KEY in run.data.tags}
        problems = [problem for key, run in records.items() for problem in self.sync_run(run, versions[key], known.get(key))]
        for key, there in known.items():
            if key not in records and there.info.lifecycle_stage == "active":
                self.delete(there)
        self.client.set_experiment_tag(self.experiment, VIEW_TAG, json.dumps(table_view(list(records.values()))))
        self.seen = versions
        return problems

    def sync_run(self, run: dict[str, Any], now: str, there: "Run | None") -> list[str]:
        """Brings one run, whose record's hash is `now`, up to date and returns what could not be shown of it."""
        from mlflow.exceptions import MlflowException

        there = there or self.create(run)
        if there.data.tags.get(SYNCED) == GONE:
            self.client.restore_run(there.info.run_id)
        elif there.info.lifecycle_stage == "deleted" or there.data.tags.get(SYNCED) == now:
            return []
        try:
            problems = self.update(there, run)
            self.client.set_tag(there.info.run_id, SYNCED, now)
        except (OSError, MlflowException) as error:  # its folder, or the run in the UI, was deleted meanwhile
            return [f"{run['name']}: {error}"]
        return problems

    def all_runs(self) -> Iterator["Run"]:
        """Yields every run of the experiment, deleted ones too."""
        from mlflow.entities import ViewType

        token: str | None = None
        while token != "":
            page = self.client.search_runs([self.experiment], run_view_type=ViewType.ALL, max_results=PAGE, page_token=token)
            yield from page
            token = page.token or ""

    def create(self, run: dict[str, Any]) -> "Run":
        """Makes and returns an empty MLflow run."""
        started = datetime.fromisoformat(run["started"]) if run["started"] else datetime.now()
        return self.client.create_run(
            self.experiment, start_time=int(1000 * started.timestamp()), tags={KEY: run_key(run)}, run_name=run["name"]
        )

    def update(self, there: "Run", run: dict[str, Any]) -> list[str]:
        """Logs what is new of a run, links its files, and returns what could not be read of it."""
        folder, run_id = self.runs_dir / run["name"], there.info.run_id
        histories, problems = read_histories(run)
        tracked = TrackedRun(
            parameters=run["parameters"],
            scores=headline(run["metrics"]),
            histories=histories,
            tags=tags_of(run),
            description=description(folder, run),
        )
        log_run(self.client, run_id, tracked)
        link_files(folder, self.view(there))
        status = STATUS.get(run["state"], "FAILED")
        if status == "RUNNING":
            self.client.update_run(run_id, status=status)
        else:
            record = folder / RUN_JSON  # written last: when that was is when the run ended, in ms since 1970
            self.client.set_terminated(run_id, status, int(1000 * record.stat().st_mtime) if record.is_file() else None)
        return [f"{run['name']}: {problem}" for problem in problems]

    def delete(self, there: "Run") -> None:
        """Deletes a run whose folder is gone; it comes back with its folder."""
        self.client.set_tag(there.info.run_id, SYNCED, GONE)
        self.client.delete_run(there.info.run_id)
        shutil.rmtree(self.view(there).parent, ignore_errors=True)

    def view(self, there: "Run") -> Path:
        """Returns the folder that the server shows as the artifacts of a run."""
        return self.artifacts / urllib.parse.urlparse(there.info.artifact_uri).path.lstrip("/")


def table_view(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the view of MLflow's table that `list` prints: state, the parameters that differ, the scores."""
    differing = differing_parameters(run["parameters"] for run in runs)
    kinds = {"tags": ["state", "preset"], "params": differing, "metrics": schema.HEADLINE_METRICS}
    return {"selectedColumns": [f"{kind}.`{name}`" for kind, names in kinds.items() for name in names]}


def run_key(run: dict[str, Any]) -> str:
    """Returns what tells a run from all others, a later one of the same name too."""
    return f"{run['name']} {run['started']}"


def version(run: dict[str, Any]) -> str:
    """Returns a hash of all that a run's record says."""
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    """Returns a run's preset, state, what is wrong with its model and, if it has a parent, that run, its stage and the kind."""
    parent = run.get("parent") or {}
    tags = {"state": run["state"], "preset": run.get("preset"), "parent": parent.get("run")}
    tags |= {"parent_stage": parent.get("stage"), "kind": parent.get("kind"), VERDICT: in_short(run.get(VERDICT, []))}
    return {name: str(value) for name, value in tags.items() if value}


def description(folder: Path, run: dict[str, Any]) -> str:
    """Returns a finished run's summary, or how it stands with any other run."""
    summary = folder / "summary.md"
    if run["state"] == SUCCEEDED and summary.is_file():
        return summary.read_text(encoding="utf-8")
    if run["state"] == BROKEN:
        return f"{RUN_JSON} is missing or cannot be read."
    return run["state"] if run["state"] == RUNNING else f"{run['state']}: {run.get('error') or 'no reason recorded'}"


def read_histories(run: dict[str, Any]) -> tuple[list[tuple[int, pd.DataFrame]], list[str]]:
    """Returns (fold, history) of each model that the run has trained, and what could not be read, in words."""
    found, problems = [], []
    for entry in run.get("stages", []):
        if entry["stage"] == "train" and "history" in entry["outputs"]:
            path = Path(entry["outputs"]["history"], schema.HISTORY_CSV)
            try:
                history = pd.read_csv(io.BytesIO(read_bytes(path)))
                found.append((entry["fold"], history.assign(epoch=range(1, len(history) + 1))))
            except (OSError, ValueError) as error:
                problems.append(f"no training curve of fold {entry['fold']}, {path}: {error}")
    return found, problems


def link_files(folder: Path, view: Path) -> None:
    """Links the files of a run that its page in MLflow shows, copies where the file system has no links; drops others."""
    sources = {path.relative_to(folder): path for pattern in SHOWN for path in folder.glob(pattern)}
    for name, source in sources.items():
        target = view / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            continue
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
