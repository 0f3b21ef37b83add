"""What a run on a cluster can be continued from: its tasks go in; parameters, folds and artifacts come out, as of local runs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.settings import STAGES
from launch.again import FOLDS, key
from launch.lineage import RERUN, RecordedRun
from launch.parameters import LOOP, fields
from launch.remote_runs import parent_of
from launch.wiring import Source, Wiring

ORDER = list(STAGES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A stage that a cluster ran.

    Attributes:
        stage: its name.
        succeeded: whether it ended well, or came from the cache.
        fold: what it was told as its fold; only train is.
        inputs: name to the URIs of the artifacts that it read.
        outputs: name to the URIs of the artifacts that it wrote.
    """

    stage: str
    succeeded: bool
    fold: int | None
    inputs: Mapping[str, Sequence[str]]
    outputs: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteRecord:
    """A run as its cluster knows it.

    Attributes:
        run: its id, by which it is found again.
        state: the target's own word.
        finished: whether it has ended, well or not.
        parameters: what the pipeline was given.
        about: the words that `submit` said of it: preset, accelerator and, where it has one, parent, kind, stage.
        experiment: the name of its experiment; empty for none.
        tasks: its stages.
    """

    run: str
    state: str
    finished: bool
    parameters: dict[str, Any]
    about: Mapping[str, str]
    experiment: str
    tasks: Sequence[Task]


def recorded_run(record: RemoteRecord, read: Callable[[str], RemoteRecord], wiring: Wiring) -> RecordedRun:
    """Returns a run to go on from, with what it took over from its parent where it is a rerun itself.

    Args:
        read: returns the record of a run by its id.

    Raises:
        ValueError: it has not ended, or its record lacks something.
        FileNotFoundError: its parent is gone.
    """
    if not record.finished:
        raise ValueError(f"{record.run}: the run is {record.state}. Expected one that has ended: wait for it, or end it there.")
    parent = parent_of(record.about)
    items = [item for item in record.parameters.get(FOLDS, []) if isinstance(item, dict)]
    own = artifacts_of(record, items, wiring)
    parameters, taken_over = record.parameters, dict[tuple[Source, int | None], str]()
    if parent and parent["kind"] == RERUN:
        older = recorded_run(read(parent["run"]), read, wiring)
        folds = [item[LOOP] for item in items] or older.folds
        taken_over = older.without(wiring.onward(parent["stage"]), folds)
        parameters = older.record["parameters"] | {name: value for name, value in parameters.items() if name != FOLDS}
    elif not parent:
        missing = [name for name in fields() if name not in parameters]
        if missing:
            raise ValueError(
                f"{record.run}: no {', '.join(missing)} among its parameters, which this pipeline has. Expected a run of this "
                "version of verdelta; submit a new one: python pipeline.py submit"
            )
    content: dict[str, Any] = {"parameters": parameters, "stages": [], "parent": parent, "preset": record.about.get("preset")}
    return RecordedRun(record.run, content, taken_over | own)


def artifacts_of(
    record: RemoteRecord, items: Sequence[Mapping[str, Any]], wiring: Wiring
) -> dict[tuple[Source, int | None], str]:
    """Returns what a run's stages read and, where they succeeded, wrote.

    Train knows its fold; another stage of the loop has the fold of what it reads: a URI is of one fold only.

    Args:
        items: what the loop of a rerun got: for each fold its number and the artifacts that were imported for it.

    Raises:
        ValueError: an artifact whose fold cannot be told.
    """
    fold_of = {value: item[LOOP] for item in items for name, value in item.items() if name in keys(wiring)}
    found: dict[tuple[Source, int | None], str] = {}
    for task in sorted(record.tasks, key=lambda task: ORDER.index(task.stage)):
        fold = task.fold
        if task.stage in wiring.per_fold and fold is None:
            fold = next((fold_of[uri] for uris in task.inputs.values() for uri in uris if uri in fold_of), None)
            if fold is None and task.outputs:
                raise ValueError(
                    f"{record.run}: one of its tasks {task.stage} wrote {next(iter(task.outputs.values()))[0]}, and nothing "
                    "that it read says of which fold. Expected the model of one fold; rerun from train with --downstream."
                )
        for name, source in wiring.inputs[task.stage].items():
            for uri in task.inputs.get(name, ()):
                of = fold_of.get(uri) if source.stage in wiring.per_fold else None
                if of is not None or source.stage not in wiring.per_fold:
                    found[source, of] = uri
        for name, uris in task.outputs.items() if task.succeeded else ():
            of = fold if task.stage in wiring.per_fold else None
            found[Source(task.stage, name), of] = uris[0]
            if of is not None:
                fold_of[uris[0]] = of
    return found


def keys(wiring: Wiring) -> set[str]:
    """Returns the names that artifacts have in the items of a rerun's loop."""
    return {key(source) for inputs in wiring.inputs.values() for source in inputs.values()}
