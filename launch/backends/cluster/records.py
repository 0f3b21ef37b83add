"""Works out what a run on a cluster can be continued from, from what its tasks read and wrote."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.settings import STAGES
from launch.backends.base import stage_of
from launch.runs.dag.replay import imported_in_loops, shards_of
from launch.runs.dag.wiring import Artifacts, Wiring
from launch.runs.lineage import RERUN, Parent, RecordedRun, Task, artifacts_of, taken_over
from launch.runs.parameters import FOLDS, LOOP, SHARD, SHARDS, default, fields

END_STATES = {"SUCCEEDED": True, "FAILED": False, "SKIPPED": False, "CANCELED": False, "CANCELLED": False}  # whether it went well


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterTask:
    """A task as its cluster knows it."""

    name: str  # in the pipeline
    succeeded: bool  # whether it ended well, or came from the cache
    parameters: Mapping[str, Any]  # what it was given, as far as the cluster tells
    inputs: Mapping[str, Sequence[str]]  # name to the URIs of the artifacts that it read
    outputs: Mapping[str, Sequence[str]]  # name to the URIs of the artifacts that it wrote

    @property
    def part(self) -> int | None:
        """What it was told as its fold, as only train is, or as its shard, as the stages that fan out are."""
        return next((int(self.parameters[name]) for name in (LOOP, SHARD) if name in self.parameters), None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterRecord:
    """A run as its cluster knows it."""

    run: str  # its id, by which it is found again
    state: str  # the target's own word
    parameters: dict[str, Any]  # what the pipeline was given
    about: Mapping[str, str]  # the words that `submit` said of it: preset, accelerator and, where it has one, parent, kind, stage
    experiment: str  # the name of its experiment; empty for none
    tasks: Sequence[ClusterTask]  # its stages, and what is none


def recorded_run(record: ClusterRecord, read: Callable[[str], ClusterRecord], wiring: Wiring) -> RecordedRun:
    """Returns a run to go on from, with what it took over from its parent, `read` by its id, where it is a rerun itself.

    Raises:
        ValueError: it has not ended, or its record lacks something.
        FileNotFoundError: its parent is gone.
    """
    if record.state not in END_STATES:
        raise ValueError(f"{record.run}: the run is {record.state}. Expected one that has ended: wait for it, or end it there.")
    parent = parent_of(record.about)
    own = artifacts_of(tasks_of(record, wiring), wiring)
    parameters = complete(record.parameters)
    inherited: Artifacts = {}
    if parent and parent.kind == RERUN:
        older = recorded_run(read(parent.run), read, wiring)
        parent = dataclasses.replace(parent, folds=folds_among(record.parameters) or None)
        inherited = taken_over(parent, older, wiring)
        parameters = older.parameters | {name: value for name, value in parameters.items() if name != FOLDS}
    elif not parent:
        missing = [name for name in fields() if name not in parameters]
        if missing:
            raise ValueError(
                f"{record.run}: no {', '.join(missing)} among its parameters, which this pipeline has. Expected a run of this "
                "version of verdelta; submit a new one: python pipeline.py submit"
            )
    return RecordedRun(
        name=record.run,
        preset=record.about.get("preset"),
        parameters=parameters,
        parent=parent,
        raw=parameters.get("raw"),
        artifacts={**inherited, **own},
        experiment=record.experiment,
        accelerator=record.about.get("accelerator", ""),
    )


def tasks_of(record: ClusterRecord, wiring: Wiring) -> list[Task]:
    """Returns a run's stages with the parts of all that they read and wrote, in data order.

    A cluster tells of an artifact its URI; which fold or shard that is of is known of what was imported for one, and of what a
    stage wrote that knows its own.

    Raises:
        ValueError: an artifact whose fold or shard cannot be told.
    """
    in_parts = wiring.per_fold | wiring.per_shard
    alone = parts_alone(record.parameters, wiring)
    part_of = imported_in_loops(record.parameters)
    found = []
    stages = [(stage, task) for task in record.tasks if (stage := stage_of(task.name))]
    for stage, task in sorted(stages, key=lambda each: list(STAGES).index(each[0])):
        part = alone.get(stage)
        if part is None and stage in in_parts:
            part = part_of_task(stage, task, wiring, part_of, record.run)
        inputs: dict[str, dict[int | None, str]] = {}
        for name, source in wiring.inputs[stage].items():
            uris = task.inputs.get(name, ())
            if source.stage in alone:
                inputs[name] = dict(zip([alone[source.stage]], uris, strict=False))
                continue
            inputs[name] = {part_of.get(uri): uri for uri in uris if source.stage not in in_parts or uri in part_of}
        if part is not None:
            part_of |= {uris[0]: part for uris in task.outputs.values()} if task.succeeded else {}
        outputs = {name: uris[0] for name, uris in task.outputs.items()}
        found.append(Task(stage=stage, part=part, succeeded=task.succeeded, inputs=inputs, outputs=outputs))
    return found


def parts_alone(parameters: Mapping[str, Any], wiring: Wiring) -> dict[str, int]:
    """Returns the fold, or the shard, of each stage that a run has executed for one only: nothing tells it apart there."""
    folds = folds_among(parameters)
    found = dict.fromkeys(wiring.per_fold, folds[0]) if len(folds) == 1 else {}
    sharded = any(len(parameters.get(name, ())) > 1 for name in (SHARDS, *map(shards_of, wiring.per_shard)))
    return found | ({} if sharded else dict.fromkeys(wiring.per_shard, 0))


def complete(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a run, with those that its pipeline lacks because they could have no other value there."""
    known = {"num_shards": default(fields()["num_shards"]), **parameters}
    return known | ({FOLDS: folds_among(parameters)} if LOOP in parameters and FOLDS not in parameters else {})


def part_of_task(stage: str, task: ClusterTask, wiring: Wiring, part_of: Mapping[str, int], run: str) -> int | None:
    """Returns the fold or the shard of a stage's task, or None where it wrote nothing. Raises ValueError: it cannot be told.

    Train knows its fold, a stage that fans out its shard; another stage of the loop over the folds has the fold of what it reads:
    a URI is of one fold only, by `part_of` where it is known.
    """
    if task.part is not None or not task.outputs:
        return task.part
    wrote = f"{run}: one of its tasks {stage} wrote {next(iter(task.outputs.values()))[0]}, and nothing"
    if stage in wiring.per_shard:
        raise ValueError(f"{wrote} says which shard that is. Expected a run of this version of verdelta; submit a new one.")
    names = [name for name, source in wiring.inputs[stage].items() if source.stage in wiring.per_fold]
    fold = next((part_of[uri] for name in names for uri in task.inputs.get(name, ()) if uri in part_of), None)
    if fold is None:
        raise ValueError(
            f"{wrote} that it read says of which fold. Expected the model of one fold; rerun from train with --downstream."
        )
    return fold


def parent_of(about: Mapping[str, str]) -> Parent | None:
    """Returns the run that a run was made from, and how, by the words that its target keeps."""
    return Parent(about["parent"], about.get("stage"), about.get("kind", RERUN)) if "parent" in about else None


def as_declared(name: str, value: Any) -> Any:
    """Returns a parameter's value as its settings declare it: Vertex has one kind of number, and lists of its own."""
    declared = fields().get(name)
    return float(value) if declared is not None and declared.type is float else plain(value)


def plain(value: Any) -> Any:
    """Returns a value of protobuf's Struct as what JSON can write; a number without a fraction is a whole one."""
    if hasattr(value, "items"):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return [plain(each) for each in value]


def defaults_of(spec: Any) -> dict[str, Any]:
    """Returns the defaults in a run's pipeline, which are what a run got that was started in the UI and gave none."""
    spec = (spec or {}).get("pipeline_spec", spec) or {}
    declared = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    return {name: each["defaultValue"] for name, each in declared.items() if "defaultValue" in each}


def listed_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a run's parameters as a list of runs shows them, in data order: those that a person can set.

    The others say what the launcher made of these: addresses of what is imported, their digests, lists for loops.
    """
    found = {FOLDS: folds_among(given)} if {FOLDS, LOOP} & given.keys() else {}
    return found | {name: as_declared(name, given[name]) for name in fields() if name in given and name != FOLDS}


def folds_among(values: Mapping[str, Any]) -> list[int]:
    """Returns the folds of a run by its parameters: `fold` where there is one; in a rerun, items with what is imported."""
    items = values.get(FOLDS, [values[LOOP]] if LOOP in values else [])
    return [int(item[LOOP] if isinstance(item, Mapping) else item) for item in items]
