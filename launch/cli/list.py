"""`list`: lists the runs of this machine, or of a cluster, oldest first: state, the parameters in which they differ, RMSE in
days."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from components.contract import schema
from components.contract.shown import one_line
from components.contract.verdict import VERDICT
from launch.cli.options import add_place, add_runs_dir, backend_from
from launch.runs.parameters import cut
from launch.runs.summary import RunSummary, differing_parameters

HELP = "list the runs, the parameters in which they differ, and their scores"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_runs_dir(parser)
    add_place(parser, "list the runs there (default: those of this machine)", "the experiment")
    parser.set_defaults(command=list_runs)


def list_runs(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Prints the table of runs and returns the exit status."""
    backend = backend_from(arguments, pipeline)
    runs = backend.runs()
    if not runs:
        place = "there" if arguments.target else f"in {arguments.runs_dir}"
        print(f"No runs {place}. Start one: {backend.hint}")
        return 0
    print("\n\n".join(filter(None, [runs_table(runs), backend.note])))
    return 0


def runs_table(runs: Sequence[RunSummary]) -> str:
    """Returns the table: one line per run, one column per parameter that differs and per headline metric that any run has.

    Where any run was made from another one, a column names it; where any model learned nothing, the last column says so.
    """
    differing = differing_parameters(run.parameters for run in runs)
    metrics = [name for name in schema.HEADLINE_METRICS if any(name in run.scores for run in runs)]
    related, judged = any(run.parent for run in runs), any(run.verdict for run in runs)
    about = ["name", "state", "preset", "started", *(["parent"] if related else [])]
    rows = [[*about, *differing, *(name.replace("_rmse_days", "") for name in metrics)]]
    rows[0] += [VERDICT] if judged else []
    for run in runs:
        values = [json.dumps(run.parameters[name]) if name in run.parameters else "-" for name in differing]
        scores = [f"{run.scores[name]:.2f}" if run.scores.get(name) is not None else "-" for name in metrics]
        about = [run.name, run.state, run.preset or "-", run.started[:16].replace("T", " ") or "-"]
        rows.append([*about, *([str(run.parent or "-")] if related else []), *(cut(value, 24) for value in values), *scores])
        rows[-1] += [run.verdict or "-"] if judged else []
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as text: each column as wide as its widest cell, each row one line, whatever a cluster calls its runs."""
    rows = [list(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
