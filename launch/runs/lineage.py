"""Tells what a recorded run can be continued from, wherever it ran: its parameters, its folds, and its artifacts.

An artifact is known by the stage and output that wrote it and by its part: its fold, or its shard where the stage fans out, or
None where it is of the whole run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.runs.dag.wiring import Artifacts, Source, Wiring

RERUN, SCORE = "rerun", "score"  # the kinds of parents: what a run with a parent did with it


@dataclasses.dataclass(frozen=True)
class Parent:
    """The run that a run was made from."""

    run: str  # its name or id
    stage: str | None  # the stage that was run again first; None for a run of score
    kind: str  # RERUN or SCORE
    folds: list[int] | None = None  # those that were run again; None where the record does not say

    def __str__(self) -> str:
        return f"{self.run}: {self.stage or self.kind}"

    def as_dict(self) -> dict[str, Any]:
        """Returns what a record holds of it."""
        folds = {} if self.folds is None else {"folds": self.folds}
        return {"run": self.run, "stage": self.stage, "kind": self.kind} | folds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A stage as a run executed it."""

    stage: str  # its name
    part: int | None  # its fold or shard, or None
    succeeded: bool  # whether it ended well, or came from the cache
    inputs: Mapping[str, Mapping[int | None, str]]  # name to the artifacts that it read, by part
    outputs: Mapping[str, str]  # name to the URI of what it wrote


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A run to go on from."""

    name: str  # by which its backend finds it again
    preset: str | None  # the preset that it was started with, if any
    parameters: dict[str, Any]  # those of the whole pipeline
    parent: Parent | None  # the run that it was made from, if any
    raw: str | None  # where its raw data lies; None where it ended before it read any
    artifacts: Artifacts  # of all that it wrote, read, or took over from its parent unchanged
    experiment: str = ""  # on a cluster, the experiment that it is of
    accelerator: str = ""  # on a cluster, what it computed on

    @property
    def folds(self) -> list[int]:
        """The folds that the run is of."""
        return list(self.parameters["folds"])

    def require_trained(self) -> None:
        """Raises ValueError for a run of score, from which nothing can be continued."""
        if self.parent and self.parent.kind == SCORE:
            raise ValueError(
                f"{self.name}: a run of score, which trained nothing. Expected a run of the whole pipeline, or a rerun, such as "
                f"{self.parent.run}."
            )

    def without(self, outdated: Sequence[str], folds: Sequence[int], wiring: Wiring) -> Artifacts:
        """Returns the artifacts but those that `outdated` stages wrote, for `folds` where they are run by fold."""
        return {
            (source, part): uri
            for (source, part), uri in self.artifacts.items()
            if source.stage not in outdated or (source.stage in wiring.per_fold and part not in folds)
        }

    def shards(self, source: Source) -> list[int]:
        """Returns the shards of an artifact; none where the stage that fans out did not succeed in all of them."""
        return sorted(part for known, part in self.artifacts if known == source and part is not None)

    def first_missing(self, stage: str, wiring: Wiring) -> str:
        """Returns the first of the stages that lead to `stage` of which the record has nothing, or `stage` where it has all."""
        known = {source.stage for source, _ in self.artifacts}
        return next(name for name in wiring.inputs if name == stage or (stage in wiring.onward(name) and name not in known))

    def require(self, sources: Sequence[Source], folds: Sequence[int], wiring: Wiring) -> None:
        """Raises an error where an artifact is not in the record, or is no longer where the record says.

        Raises:
            ValueError: the stage that writes it did not succeed in this run, or was of a version that wrote none.
            FileNotFoundError: it was deleted. Only artifacts on this machine are looked for.
        """
        for source in sources:
            for part in wiring.parts_of(source.stage, folds, self.shards(source) or [0]):
                of_fold = f" of fold {part}" if source.stage in wiring.per_fold else ""
                uri = self.artifacts.get((source, part))
                if uri is None:
                    wrote_others = any(known.stage == source.stage and of == part for known, of in self.artifacts)
                    first = source.stage if wrote_others else self.first_missing(source.stage, wiring)
                    why = f"{first} was of an earlier version" if wrote_others else f"{first} did not succeed there"
                    raise ValueError(
                        f"{self.name}: no {source.output}{of_fold} in its record, because {why}. "
                        f"Expected it as an input; begin there: python pipeline.py rerun {self.name} {first} --downstream"
                    )
                if "://" not in uri and not Path(uri).exists():
                    raise FileNotFoundError(
                        f"{uri}: missing. {self.name} recorded it as {source.output}{of_fold} of {source.stage}; if it is gone "
                        f"for good, begin there: python pipeline.py rerun {self.name} {source.stage} --downstream"
                    )


def artifacts_of(tasks: Sequence[Task], wiring: Wiring) -> Artifacts:
    """Returns what tasks read and, where they succeeded, wrote; of a stage that fans out, where all its shards did."""
    found: dict[tuple[Source, int | None], str] = {}
    for task in tasks:
        for name, by_part in task.inputs.items():
            found |= {(wiring.inputs[task.stage][name], part): uri for part, uri in by_part.items()}
    failed = {task.stage for task in tasks if not task.succeeded and task.stage in wiring.per_shard}
    for task in tasks:
        if task.succeeded and task.stage not in failed:
            found |= {(Source(task.stage, name), task.part): uri for name, uri in task.outputs.items()}
    return found


def taken_over(parent: Parent, older: RecordedRun, wiring: Wiring) -> Artifacts:
    """Returns the artifacts of its parent that a rerun took over: but those of the stage it reran and of what depends on it."""
    if parent.stage is None:
        return {}
    return older.without(wiring.onward(parent.stage), older.folds if parent.folds is None else parent.folds, wiring)
