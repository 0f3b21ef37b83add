"""What a run on a cluster can be continued from: its tasks go in; parameters, folds and artifacts come out, as of local runs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.settings import STAGES
from launch.backends.cluster.remote_runs import parent_of
from launch.runs.lineage import RERUN, RecordedRun
from launch.runs.parameters import FOLDS, LOOP, SHARD, fields
from launch.runs.replay import key, shards_of
from launch.runs.wiring import Source, Wiring

ORDER = list(STAGES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A stage that a cluster ran.

    Attributes:
        stage: its name.
        succeeded: whether it ended well, or came from the cache.
        part: what it was told as its fold, as only train is, or as its shard, as the stages that fan out are.
        inputs: name to the URIs of the artifacts that it read.
        outputs: name to the URIs of the artifacts that it wrote.
    """

    stage: str
    succeeded: bool
    part: int | None
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
    items = {name: [item for item in record.parameters.get(name, []) if isinstance(item, dict)] for name in lists(wiring)}
    own = artifacts_of(record, [item for each in items.values() for item in each], wiring)
    parameters, taken_over = record.parameters, dict[tuple[Source, int | None], str]()
    if parent and parent["kind"] == RERUN:
        older = recorded_run(read(parent["run"]), read, wiring)
        folds = [item[LOOP] for item in items[FOLDS]] or older.folds
        taken_over = older.without(wiring.onward(parent["stage"]), folds, wiring)
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
    """Returns what a run's stages read and, where they succeeded, wrote; of a stage that fans out, where all its shards did.

    Args:
        items: what the loops of a rerun got: for each fold or shard its number and the artifacts that were imported for it.

    Raises:
        ValueError: an artifact whose fold or shard cannot be told.
    """
    in_parts = wiring.per_fold | wiring.per_shard
    part_of = {value: item.get(LOOP, item.get(SHARD)) for item in items for name, value in item.items() if name in keys(wiring)}
    failed = {task.stage for task in record.tasks if not task.succeeded and task.stage in wiring.per_shard}
    found: dict[tuple[Source, int | None], str] = {}
    for task in sorted(record.tasks, key=lambda task: ORDER.index(task.stage)):
        part = told_part(task, wiring, part_of, record.run) if task.stage in in_parts else None
        for name, source in wiring.inputs[task.stage].items():
            for uri in task.inputs.get(name, ()):
                if source.stage not in in_parts:
                    found[source, None] = uri
                elif uri in part_of:
                    found[source, part_of[uri]] = uri
        for name, uris in task.outputs.items() if task.succeeded and task.stage not in failed else ():
            found[Source(task.stage, name), part] = uris[0]
            if part is not None:
                part_of[uris[0]] = part
    return found


def told_part(task: Task, wiring: Wiring, part_of: Mapping[str, int], run: str) -> int | None:
    """Returns the fold or the shard of a task, or None where it wrote nothing.

    Train knows its fold, a stage that fans out its shard; another stage of the loop over the folds has the fold of what it reads:
    a URI is of one fold only.

    Args:
        part_of: the fold or shard of each URI that is known.

    Raises:
        ValueError: it cannot be told.
    """
    if task.part is not None or not task.outputs:
        return task.part
    wrote = f"{run}: one of its tasks {task.stage} wrote {next(iter(task.outputs.values()))[0]}, and nothing"
    if task.stage in wiring.per_shard:
        raise ValueError(f"{wrote} says which shard that is. Expected a run of this version of verdelta; submit a new one.")
    names = [name for name, source in wiring.inputs[task.stage].items() if source.stage in wiring.per_fold]
    fold = next((part_of[uri] for name in names for uri in task.inputs.get(name, ()) if uri in part_of), None)
    if fold is None:
        raise ValueError(
            f"{wrote} that it read says of which fold. Expected the model of one fold; rerun from train with --downstream."
        )
    return fold


def lists(wiring: Wiring) -> list[str]:
    """Returns the names of the lists that the loops of a rerun are over and that say what was imported."""
    return [FOLDS, *(shards_of(stage) for stage in wiring.inputs if stage in wiring.per_shard)]


def keys(wiring: Wiring) -> set[str]:
    """Returns the names that artifacts have in the items of a rerun's loop."""
    return {key(source) for inputs in wiring.inputs.values() for source in inputs.values()}
