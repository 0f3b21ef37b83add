"""What every place of execution implements, and what all of them share: following a run, and saying how it ended.

A further target is a folder beside local/, kubeflow/ and vertex/ with a class like theirs, and a line in table.py.
"""

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from components.settings import STAGES
from launch.runs.dag.wiring import Wiring
from launch.runs.lineage import RecordedRun
from launch.runs.plans.plan import Plan
from launch.runs.summary import RunSummary

POLL_SECONDS = 15.0
TRIES = 6  # questions in a row that may go unanswered, each followed by a longer pause
WAITING, WAITED = "pending", 20  # the state of a stage that waits, and after how many answers it is said what to look at
WIDTH = max(map(len, STAGES))


class BackendError(Exception):
    """A place of execution that cannot be talked to, or says no; `passing` says whether it may answer the same question later."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Backend(Protocol):
    """A place where plans are executed."""

    note: str  # what to say below a list of its runs
    hint: str  # how to start a first run there
    wiring: Wiring  # of the pipeline that is run there

    def check(self, plan: Plan) -> Any:
        """Asks all that can be asked before anything runs or is sent, and returns what `submit` takes.

        Raises:
            ValueError: something about the plan that cannot be there.
            FileNotFoundError: something that it needs is missing; the message has the command that mends it.
            BackendError: the place does not answer, or says no.
        """

    def submit(self, checked: Any) -> Any:
        """Makes a run of a plan that was checked, says where it is to be seen, and returns what `follow` follows."""

    def follow(self, handle: Any) -> int:
        """Tells each change of a run until it ends, and how it ended; returns the exit status."""

    def runs(self) -> Sequence[RunSummary]:
        """Returns the runs there, oldest first."""

    def read(self, name: str) -> RecordedRun:
        """Returns a run to go on from.

        Raises:
            FileNotFoundError: no such run.
            ValueError: one that cannot be gone on from.
        """


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag of the command line that only some places of execution have."""

    name: str  # without the dashes
    metavar: str  # what its value is called
    help: str  # one sentence
    repeatable: bool = False  # whether it can be given several times
    required: bool = False  # whether the place needs it to be talked to, or only to run something there
    connects: bool = True  # whether it says how the place is talked to; else it is about the machines there

    @property
    def destination(self) -> str:
        """Its name among the parsed arguments."""
        return self.name.replace("-", "_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """What starts a run again and again."""

    id: str  # by which its place knows it
    name: str  # of its runs
    cron: str  # minute, hour, day of the month, month, day of the week
    state: str  # the place's own word


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run is."""

    state: str  # the target's own word
    succeeded: bool | None  # None while the run goes on
    # task to (stage, state), in data order; a stage has a task for each fold, and then bears it as train[2]
    stages: Mapping[str, tuple[str, str]]
    error: str = ""  # what the target says of a failure


@dataclasses.dataclass(frozen=True, kw_only=True)
class FollowedRun:
    """A run whose progress can be asked for."""

    link: str  # where it is to be seen
    progress: Callable[[], Progress]  # asks the target; raises BackendError where it does not answer
    if_failed: str = ""  # what to do to see why it failed; empty where its errors say so
    if_waiting: str  # what to look at where a stage waits for long


def execute(backend: Backend, plan: Plan, *, wait: bool = True) -> int:
    """Checks and submits a plan, follows it where that is wanted, and returns the exit status."""
    handle = backend.submit(backend.check(plan))
    return backend.follow(handle) if wait else 0


def follow(run: FollowedRun) -> int:
    """Prints every change of a run's stages until it ends and returns the exit status; raises as `ask`."""
    shown: dict[str, tuple[str, str]] = {}
    waited: collections.Counter[str] = collections.Counter()
    try:
        while True:
            progress = ask(run)
            for task, (stage, state) in progress.stages.items():
                if shown.get(task) != (stage, state):
                    print(f"{stage:<{WIDTH}}   {state.lower()}", flush=True)
                waited[task] = waited[task] + 1 if state.lower() == WAITING else 0
                if waited[task] == WAITED:
                    print(f"{stage:<{WIDTH}}   still {WAITING}: {run.if_waiting}", flush=True)
            shown |= progress.stages
            if progress.succeeded is not None:
                return say_end(run, progress)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        print(f"\nNo longer followed; the run goes on: {run.link}")
        raise


def ask(run: FollowedRun) -> Progress:
    """Returns the run's progress, asking TRIES times, after a longer pause each. Raises BackendError: no answer, or a refusal."""
    for attempt in range(1, TRIES + 1):
        try:
            return run.progress()
        except BackendError as error:
            if not error.passing or attempt == TRIES:
                raise BackendError(f"{error} The run may well go on: {run.link}") from error
            print(f"no answer ({attempt} of {TRIES}): {error}", flush=True)
            time.sleep(POLL_SECONDS * attempt)
    raise AssertionError("the last try returns or raises")


def say_end(run: FollowedRun, progress: Progress) -> int:
    """Says how a run ended and returns the exit status."""
    if progress.succeeded:
        print(f"\nSUCCEEDED\n  {run.link}")
        return 0
    failed = [stage for stage, state in progress.stages.values() if "FAIL" in state.upper()]
    where = f" in {', '.join(dict.fromkeys(failed))}" if failed else ""
    print(f"\n{progress.state}{where}{': ' + progress.error if progress.error else ''}\n  {run.link}")
    if run.if_failed:
        print(f"  {run.if_failed}")
    return 1


def stage_of(task: str) -> str | None:
    """Returns the stage that a task of this name runs, or None: loops and what targets add are tasks, too."""
    name = task.replace("-", "_").replace(" ", "_")
    return name if name in STAGES else None
