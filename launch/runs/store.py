"""Reads the records of the runs in a folder: those that ended, that are going on, and that cannot be read."""

import json
from pathlib import Path
from typing import Any

from launch.runs.record import FAILED, RUN_JSON, RUNNING, UNFINISHED, is_running

BROKEN = "BROKEN"


def read_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """Returns the record of every run, oldest first; a folder without a readable one is a run in state BROKEN."""
    return sorted(map(read_run, run_folders(runs_dir)), key=lambda run: (str(run.get("started", "")), run["name"]))


def run_folders(runs_dir: Path) -> list[Path]:
    """Returns the folders of runs, by name."""
    return sorted(folder for folder in runs_dir.glob("*") if folder.is_dir() and not folder.name.startswith("."))


def read_run(folder: Path) -> dict[str, Any]:
    """Returns the record of one run; RUNNING in place of FAILED where its process is alive."""
    try:
        run = json.loads((folder / RUN_JSON).read_text(encoding="utf-8"))
        complete = {"state": str, "parameters": dict, "metrics": dict, "started": str}
        if not all(isinstance(run[key], kind) for key, kind in complete.items()):
            raise ValueError("a field of another type")
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": folder.name, "state": BROKEN, "parameters": {}, "metrics": {}, "started": ""}
    if run["state"] == FAILED and run.get("error") == UNFINISHED and is_running(folder):
        run["state"] = RUNNING
    return {**run, "name": folder.name}
