"""A run on a cluster is followed: its states go in as they are asked for; a line per change, and the exit status, come out."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Protocol

from components.settings import STAGES

POLL_SECONDS = 15.0
TRIES = 6  # questions in a row that may go unanswered, each followed by a longer pause
WIDTH = max(map(len, STAGES))


class RemoteError(Exception):
    """A cluster that cannot be talked to, or says no; the message says which, what it said and what to do.

    Attributes:
        passing: whether the same question may be answered later.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        state: the target's own word.
        succeeded: None while the run goes on.
        stages: task to (stage, state); a stage has a task for each fold.
        error: what the target says of a failure.
    """

    state: str
    succeeded: bool | None
    stages: Mapping[str, tuple[str, str]]
    error: str = ""


class RemoteRun(Protocol):
    """A run that was submitted."""

    link: str

    def progress(self) -> Progress:
        """Asks the target; raises RemoteError where it does not answer."""


def follow(run: RemoteRun) -> int:
    """Prints every change of a run's stages until it ends and returns the exit status.

    Raises:
        RemoteError: the target did not answer for several minutes, or will not.
    """
    shown: dict[str, tuple[str, str]] = {}
    try:
        while True:
            progress = ask(run)
            for task, (stage, state) in progress.stages.items():
                if shown.get(task) != (stage, state):
                    print(f"{stage:<{WIDTH}}   {state.lower()}", flush=True)
            shown |= progress.stages
            if progress.succeeded is not None:
                return told(run, progress)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        print(f"\nNo longer followed; the run goes on: {run.link}")
        raise


def ask(run: RemoteRun) -> Progress:
    """Returns the run's progress; a question that is not answered is asked again, after a longer pause each time.

    Raises:
        RemoteError: not answered in TRIES tries, or refused.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return run.progress()
        except RemoteError as error:
            if not error.passing or attempt == TRIES:
                raise RemoteError(f"{error} The run may well go on: {run.link}") from error
            print(f"no answer ({attempt} of {TRIES}): {error}", flush=True)
            time.sleep(POLL_SECONDS * attempt)
    raise AssertionError("the last try returns or raises")


def told(run: RemoteRun, progress: Progress) -> int:
    """Says how a run ended and returns the exit status."""
    if progress.succeeded:
        print(f"\nSUCCEEDED\n  {run.link}")
        return 0
    failed = [stage for stage, state in progress.stages.values() if "FAIL" in state.upper()]
    where = f" in {', '.join(dict.fromkeys(failed))}" if failed else ""
    print(f"\n{progress.state}{where}{': ' + progress.error if progress.error else ''}\n  {run.link}")
    return 1


def stage_of(task: str) -> str | None:
    """Returns the stage that a task of this name runs, or None: loops and what targets add are tasks, too."""
    name = task.replace("-", "_").replace(" ", "_")
    return name if name in STAGES else None
