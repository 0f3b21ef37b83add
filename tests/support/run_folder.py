"""Folders of finished, running and failed runs, as `run` leaves them: a real report, real histories, made-up scores."""

from pathlib import Path
from typing import Any

from report_fixture import FakeRun

from components.contract.artifacts import write_json
from components.report.report import write_report
from components.report.settings import ReportSettings
from launch.runs.parameters import resolve
from launch.runs.presets import smoke

SCORES = {
    "baseline_rmse_days": 6.497,
    "validation_rmse_days": 1.411,
    "validation_rmse_days_calibrated": 1.462,
    "test_rmse_days_raw": 1.758,
    "test_rmse_days_calibrated": 1.349,
}


def write_run(runs: Path, name: str, *, started: str = "2026-11-22T14:19:39+00:00", scores: dict[str, float] | None = None,
              parent: dict[str, str] | None = None, **changed: Any) -> Path:  # fmt: skip
    """Writes a finished run and returns its folder.

    Args:
        runs: the folder of runs.
        name: the run's name.
        started: when it was started.
        scores: what it scored, SCORES if None.
        parent: the run that it was made from.
        changed: parameters that differ from those of the smoke preset.
    """
    folder = runs / name
    fake = FakeRun(root=folder / "artifacts").write()
    html, summary = folder / "report.html", folder / "summary.md"
    write_report(**{**fake.arguments(), "html": html, "summary": summary}, settings=ReportSettings(strip_pairs=6))
    for file in ("submission_raw.csv", "submission_calibrated.csv"):
        (folder / file).write_bytes((fake.root / "submission" / file).read_bytes())
    (folder / "logs").mkdir()
    (folder / "logs" / "train-0.log").write_text("trained\n")
    stages = [
        {"stage": "train", "fold": fold, "state": "executed", "seconds": 71.0, "inputs": {},
         "outputs": {"history": str(fake.root / f"histories_{fold}"), "model": str(fake.root / f"models_{fold}")}}
        for fold in fake.folds
    ]  # fmt: skip
    write_run_json(folder, started=started, stages=stages, metrics=scores or SCORES, parent=parent, parameters=changed)
    return folder


def write_run_json(folder: Path, *, started: str, state: str = "SUCCEEDED", error: str | None = None, stages: list | None = None,
                   metrics: dict[str, float] | None = None, parent: dict[str, str] | None = None,
                   parameters: dict[str, Any] | None = None) -> None:  # fmt: skip
    """Writes a run's record alone; its parameters are those of the smoke preset but for `parameters`."""
    record = {
        "name": folder.name, "preset": "smoke", "state": state, "error": error, "started": started,
        "parameters": resolve(smoke(), parameters or {}), "stages": stages or [], "metrics": metrics or {},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "run.json", record | ({"parent": parent} if parent else {}))
