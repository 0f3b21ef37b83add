"""Runs a command that works in a folder again and again, kills it at random moments until it ends by itself, and looks around."""

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from components.images import ROOT

MARK = "VERDELTA_KILLED_JOB"  # the variable by which the processes of a job are known, whatever they are
SECONDS_TO_END = 2.0
TEMPORARY = ("runs/*/.lock", "**/.partial-*", "**/*.partial-*", "**/.kfp_cache_*.tmp")


@dataclasses.dataclass
class Job:
    """A job that was killed until it was done.

    Attributes:
        kills: how often.
        last: the name of the run that came to its end.
        wrong: what was not as it should be.
    """

    kills: int
    last: str
    wrong: list[str]


def run_until_done(
    command: Callable[[str], Sequence[str]], place: Path, longest_seconds: float, seed: int, tree: Path = ROOT
) -> Job:
    """Starts a command, until it succeeds, and kills it after a random time, or one of its stages.

    Args:
        command: makes the command of a run from its name; its folder of runs is `place`/runs.
        place: gets tmp, the folder of temporary files.
        longest_seconds: a kill comes within this time; it gets longer with each, so that the job is done some day.
        seed: of the moments.
        tree: the source.
    """
    moments, wrong = random.Random(seed), []
    (place / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tree), "TMPDIR": str(place / "tmp"), MARK: str(place)}
    for kills in range(1000):
        name = f"try-{kills}"
        with (place / "output").open("w") as output:
            process = subprocess.Popen(command(name), cwd=tree, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            status = process.wait(moments.uniform(0.1, longest_seconds * (1 + kills / 5)))
        except subprocess.TimeoutExpired:
            stages = [each for each in processes_of(place) if each != process.pid]
            if stages and moments.random() < 0.3:
                send_kill(moments.choice(stages))  # the launcher says so, and ends
            else:
                process.kill()
            process.wait()
            time.sleep(SECONDS_TO_END)
            wrong += [f"alive after kill {kills + 1}: process {each}" for each in processes_of(place)]
            continue
        if status == 0:
            wrong += [f"left: {path.relative_to(place)}" for path in left_behind(place)]
            return Job(kills, name, wrong)
        wrong.append(f"try {kills} ended with {status}: {(place / 'output').read_text()[-2000:]}")
        if len(wrong) > 5:
            return Job(kills, name, wrong)
    raise AssertionError("a job that is never done")


def send_kill(process: int) -> None:
    """Kills a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def processes_of(place: Path) -> list[int]:
    """The processes that are alive and have the job's mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{MARK}={place}\0".encode() in (folder / "environ").read_bytes() + b"\0"
            if marked and (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def left_behind(place: Path) -> list[Path]:
    """The temporary files and folders below a place."""
    return [*(place / "tmp").iterdir(), *(path for pattern in TEMPORARY for path in place.glob(pattern))]
