"""`list`: the folder of runs goes in; a table comes out, with the parameters in which the listed runs differ."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from launch.backends.cluster.remote_runs import add_target_options, check_target_options, remote_runs
from launch.backends.follow import RemoteError
from launch.runs.record import FAILED, RUN_JSON, RUNNING, UNFINISHED, is_running

BROKEN = "BROKEN"


def add_parser(commands: Any) -> None:
    """Adds `list` to the command line."""
    parser = commands.add_parser(
        "list",
        help="list the runs, the parameters in which they differ, and their scores",
        description="Lists the runs of this machine, or of a cluster, oldest first: state, the parameters in which they differ, "
        "RMSE in days.",
    )
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")
    add_target_options(parser)
    parser.set_defaults(command=list_runs)


def list_runs(arguments: argparse.Namespace, _pipeline: Callable[..., Any]) -> int:
    """Prints the table of runs and returns the exit status.

    Raises:
        ValueError: a flag that cannot be.
    """
    if arguments.target:
        return list_remote_runs(arguments)
    check_target_options(arguments)
    runs = read_runs(arguments.runs_dir)
    none = f"No runs in {arguments.runs_dir}. Start one: python pipeline.py run --sample --preset smoke"
    print(runs_table(runs) if runs else none)
    return 0


def list_remote_runs(arguments: argparse.Namespace) -> int:
    """Prints the table of a cluster's runs and returns the exit status."""
    try:
        runs, note = remote_runs(arguments)
    except RemoteError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    none = f"No runs there. Start one: python pipeline.py submit --target {arguments.target}"
    print(f"{runs_table(runs)}\n\n{note}" if runs else none)
    return 0


def read_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """Returns the record of every run, oldest first; a folder without a readable one is a run in state BROKEN."""
    folders = [folder for folder in runs_dir.glob("*") if folder.is_dir() and not folder.name.startswith(".")]
    return sorted((read_run(folder) for folder in folders), key=lambda run: (str(run.get("started", "")), run["name"]))


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


def runs_table(runs: Sequence[dict[str, Any]]) -> str:
    """Returns the table: one line per run, one column per parameter that differs and per headline metric that any run has.

    Where any run was made from another one, a column names it.
    """
    differing = differing_parameters(runs)
    metrics = [name for name in schema.HEADLINE_METRICS if any(name in run["metrics"] for run in runs)]
    related = any(parent_of(run) for run in runs)
    about = ["name", "state", "preset", "started", *(["parent"] if related else [])]
    header = [*about, *differing, *(name.replace("_rmse_days", "") for name in metrics)]
    rows = [header]
    for run in runs:
        values = [json.dumps(run["parameters"][name]) if name in run["parameters"] else "-" for name in differing]
        scores = [score(run["metrics"].get(name)) for name in metrics]
        about = [run["name"], run["state"], run.get("preset") or "-", run["started"][:16].replace("T", " ") or "-"]
        rows.append([*about, *([parent_of(run) or "-"] if related else []), *(cut(value) for value in values), *scores])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def parent_of(run: dict[str, Any]) -> str:
    """Returns the run that a run was made from and what of it was run again, or nothing."""
    parent = run.get("parent")
    return f"{parent['run']}: {parent['stage'] or parent['kind']}" if parent else ""


def differing_parameters(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Returns the names of the parameters that do not have one value in all readable runs."""
    readable = [run["parameters"] for run in runs if run["state"] != BROKEN]
    names = dict.fromkeys(name for parameters in readable for name in parameters)
    return [name for name in names if any(parameters.get(name) != readable[0].get(name) for parameters in readable)]


def score(value: Any) -> str:
    """Returns a metric with two decimals, or "-"."""
    return f"{value:.2f}" if isinstance(value, int | float) else "-"


def cut(text: str, width: int = 24) -> str:
    """Returns `text`, shortened to `width` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"
