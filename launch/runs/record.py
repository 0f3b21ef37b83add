"""Keeps the record of one run on this machine, run.json, up to date while it goes on, and reads those of all.

The state says FAILED until everything has succeeded, so that a run that was killed never looks complete.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from components.contract import schema
from components.contract.artifacts import write_json
from components.contract.full_disk import naming_full_disk
from components.contract.verdict import VERDICT, Finding
from components.settings import STAGES

RUN_JSON = "run.json"
LOCK = ".lock"
SCRATCH = "verdelta-"  # how the names of temporary folders begin
SUCCEEDED, FAILED, RUNNING = "SUCCEEDED", "FAILED", "RUNNING"
BROKEN = "BROKEN"  # the state of a run whose record cannot be read
EXECUTED, CACHED, STAGE_FAILED = "executed", "cached", "failed"
UNFINISHED = "the run did not come to its end"
RESULTS = {  # stage, output: the files of it that a run's folder shows
    ("calibrate", "submission"): (schema.SUBMISSION_RAW_CSV, schema.SUBMISSION_CALIBRATED_CSV, schema.INTERVALS_CSV),
    ("report", "html"): ("report.html",),
    ("report", "summary"): ("summary.md",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageEntry:
    """One stage of a run."""

    stage: str  # its name
    fold: int | None  # the fold it worked on, or None for a stage of the whole run
    shard: int | None  # the shard it was, or None for a stage that does not fan out
    state: str  # executed, cached or failed
    seconds: float  # from its start to its end
    inputs: dict[str, Any]  # parameters by name, and artifacts as URI or list of URIs
    outputs: dict[str, Any]  # artifact name to URI


class RunRecord:
    """Keeps runs/<name>/run.json up to date; every version of the file is whole.

    While the object is open it holds a lock in the folder, by which `list` tells a run that is going on from one that died. The
    file of the lock says where its temporary folders are, so that the next command can remove those of a run that died.
    """

    def __init__(
        self, folder: Path, preset: str | None, parameters: dict[str, Any], parent: dict[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.lock, self.begun = threading.Lock(), time.monotonic()
        self.stages: list[StageEntry] = []
        self.content: dict[str, Any] = {
            "name": folder.name,
            "preset": preset,
            "state": FAILED,
            "error": UNFINISHED,
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "parameters": parameters,
            "stages": [],
            "metrics": {},
        } | ({"parent": parent} if parent else {})
        self.alive: IO[str] = (folder / LOCK).open("w")
        fcntl.flock(self.alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.save()

    def add(self, entry: StageEntry) -> None:
        """Adds a stage that has ended."""
        with self.lock:
            self.stages.append(entry)
            order = list(STAGES)
            known = sorted(
                self.stages,
                key=lambda each: (order.index(each.stage) if each.stage in order else -1, each.fold or 0, each.shard or 0),
            )
            self.content["stages"] = [dataclasses.asdict(each) for each in known]
            self.save()

    def finish(
        self, state: str, error: str | None, metrics: Mapping[str, Any] | None = None, verdict: Sequence[Finding] = ()
    ) -> None:
        """Writes how the run ended, and what is wrong with a model that learned nothing."""
        with self.lock:
            self.content |= {"state": state, "error": error, "metrics": dict(metrics or {})}
            self.content |= {VERDICT: list(verdict)} if verdict else {}
            self.save()

    def save(self) -> None:
        """Puts the file down, whole."""
        write_json(self.folder / RUN_JSON, self.content)

    @property
    def age_seconds(self) -> float:
        """The seconds since the record was begun."""
        return time.monotonic() - self.begun

    def close(self) -> None:
        """Lets go of the lock."""
        (self.folder / LOCK).unlink(missing_ok=True)
        self.alive.close()

    @contextlib.contextmanager
    def scratch(self, parent: Path) -> Iterator[Path]:
        """Yields a new temporary folder in `parent`, which is gone after the block, or else when the next command runs."""
        path = parent / f"{SCRATCH}{uuid.uuid4().hex}"
        with naming_full_disk(self.folder / LOCK):
            os.write(self.alive.fileno(), f"{path}\n".encode())  # before it is there, and at once
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def is_running(folder: Path) -> bool:
    """Whether the process that runs in `folder` is alive."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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
