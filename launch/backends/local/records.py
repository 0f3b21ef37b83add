"""Reads what a run on this machine wrote, so that it can be continued from."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.runs.dag.wiring import Artifacts, Wiring
from launch.runs.lineage import RERUN, Parent, RecordedRun, Task, artifacts_of, taken_over
from launch.runs.record import BROKEN, STAGE_FAILED, read_run, run_folders


def read_recorded_run(runs_dir: Path, name: str, wiring: Wiring) -> RecordedRun:
    """Returns the run called `name` below `runs_dir`.

    Raises:
        FileNotFoundError: no such run; names the nearest ones.
        ValueError: its record cannot be read.
    """
    folder = runs_dir / name
    if not folder.is_dir():
        names = [path.name for path in run_folders(runs_dir)]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[-3:]
        known = f"Did you mean {' or '.join(near)}?" if near else "There is no run yet."
        raise FileNotFoundError(f"{folder}: no such run. {known} See: python pipeline.py list")
    record = read_run(folder)
    if record["state"] == BROKEN:
        raise ValueError(f"{folder}: its run.json is missing or cannot be read. Choose another run: python pipeline.py list")
    parent = Parent(**record["parent"]) if record.get("parent") else None
    older: Artifacts = {}
    if parent and parent.kind == RERUN and (runs_dir / parent.run).is_dir():
        older = taken_over(parent, read_recorded_run(runs_dir, parent.run, wiring), wiring)
    return RecordedRun(
        name=name,
        preset=record.get("preset"),
        parameters=record["parameters"],
        parent=parent,
        raw=next((str(entry["inputs"]["raw"]) for entry in record["stages"] if entry["stage"] == "resize_images"), None),
        artifacts={**older, **artifacts_of(recorded_tasks(record, wiring), wiring)},
    )


def recorded_tasks(record: Mapping[str, Any], wiring: Wiring) -> list[Task]:
    """Returns the stages of a record as tasks; those of other pipelines are left out."""
    folds = record["parameters"].get("folds", [])
    return [task_of(entry, folds, wiring) for entry in record["stages"] if entry["stage"] in wiring.inputs]


def task_of(entry: Mapping[str, Any], folds: list[int], wiring: Wiring) -> Task:
    """Returns an entry of a record as a task.

    A list was collected over the run's folds or over all shards, in order; a single artifact of a loop is of the task's own
    part. Records of runs before there were shards do not say that theirs is the first.
    """
    own = (entry.get("shard") or 0) if entry["stage"] in wiring.per_shard else entry["fold"]
    inputs: dict[str, dict[int | None, str]] = {}
    for name, source in wiring.inputs[entry["stage"]].items():
        value = entry["inputs"].get(name)
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        parts = wiring.parts_of(source.stage, folds if isinstance(value, list) else [own or 0], range(len(values)))
        inputs[name] = dict(zip(parts, values, strict=False))
    return Task(stage=entry["stage"], part=own, succeeded=entry["state"] != STAGE_FAILED, inputs=inputs, outputs=entry["outputs"])
