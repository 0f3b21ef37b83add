"""Builds the pipeline that executes some stages of a recorded run again: importers of its artifacts, and these stages.

It is an ordinary kfp pipeline: kfp.local runs it, and it compiles for a cluster. An importer has no name but its task's own:
Kubeflow Pipelines 2.17 would record it under another, and look for it under its task's.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kfp import dsl

from launch.runs.dag.loops import collected, each, list_of_one, number_of, without_loops_of_one
from launch.runs.dag.signatures import declared, scalars_of, with_parameters
from launch.runs.dag.wiring import Artifacts, Source, Wiring
from launch.runs.parameters import FOLDS, LOOP, SHARD, SHARDS

CONTENT = "_content"  # ends the name of what tells an artifact's content apart, in an item of a loop


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """What only the place where a plan is executed can say of the artifacts that it imports."""

    # tells the URIs of different content apart; it is in the cache keys, which the content itself is not
    content: Callable[[str], str]
    # returns the channels of the artifacts of one fold or shard, by the item of the loop that they are in
    in_loop: Callable[[Any, Sequence[Source]], dict[Source, Any]]
    loops_of_one: bool = False  # whether a loop is kept that is gone through once

    def built(self, pipeline: Any, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Returns a pipeline, and its arguments, with the loops that the place needs."""
        return (pipeline, dict(values)) if self.loops_of_one else without_loops_of_one(pipeline, values)


def pipeline_of(
    wiring: Wiring,
    stages: Sequence[str],
    *,
    folds: Sequence[int],
    parameters: Mapping[str, Any],
    artifacts: Artifacts,
    site: Site,
    name: str = "",
    description: str | None = None,
    fixed: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Any, dict[str, Any]]:
    """Returns a pipeline that executes `stages` and nothing else, and its arguments.

    Artifacts that stages read and none before them writes are imported. Those of one of several folds are imported in the loop
    over the folds, those of several shards in loops of their own, because a list of artifacts can only be collected from a loop.

    Args:
        stages: what to execute, in data order.
        folds: the folds that stages of the loop are executed for, and that lists are collected over.
        parameters: a value for each parameter of `stages`; others are left out. Stages that fan out do so num_shards times, the
            artifacts of one are imported as many times as it was executed.
        name, description: of the pipeline; the name is made of that of its first stage if empty.
        fixed: what stages are given beside, where they have defaults that are not a run's parameters.
    """
    kinds = {name: kind for stage in stages for name, kind in scalars_of(face_of(stage)).items()}
    imports = wiring.read_by(stages)
    whole = [source for source in imports if source.stage not in wiring.per_fold | wiring.per_shard]
    by_fold = [source for source in imports if source.stage in wiring.per_fold]
    by_shard = {
        stage: [source for source in imports if source.stage == stage] for stage in wiring.inputs if stage in wiring.per_shard
    }
    shards = {
        stage: sorted(part for source, part in artifacts if source == sources[0] and part is not None)
        for stage, sources in by_shard.items()
        if sources
    }
    alone = {source: 0 for stage, found in shards.items() if len(found) == 1 for source in by_shard[stage]}
    if len(folds) == 1:
        alone |= dict.fromkeys(by_fold, folds[0])
    in_loop = [source for source in by_fold if source not in alone]
    shards = {stage: found for stage, found in shards.items() if len(found) > 1}
    before, looped, after = wiring.around_loop(stages)
    arguments = {name: parameters[name] for name in kinds if name not in (LOOP, SHARD)}
    lists: dict[str, list[Any]] = {}
    if looped or by_fold:
        lists[FOLDS] = [loop_item(LOOP, fold, by_fold, artifacts, site.content) for fold in folds]
    if wiring.per_shard.intersection(stages):
        lists[SHARDS] = list(range(parameters["num_shards"]))
    for stage, found in shards.items():
        lists[shards_of(stage)] = [loop_item(SHARD, shard, by_shard[stage], artifacts, site.content) for shard in found]
    arguments |= lists
    kinds |= dict.fromkeys(lists, list) | {SHARDS: list[int]}  # the others' items are dicts

    def replayed(*values: Any) -> None:
        given = {**fixed, **dict(zip(arguments, values, strict=True))}
        known = {source: imported(uri := artifacts[source, None], site.content(uri), source) for source in whole}
        single = {source: imported(uri := artifacts[source, part], site.content(uri), source) for source, part in alone.items()}
        of_only_fold = {source: single[source] for source in by_fold if source in single}  # no list in the loop
        parts: dict[Source, tuple[Any, Any]] = {}  # what was written or imported in loops that have ended, and their lists

        def readable() -> dict[Source, Any]:  # kfp wants new lists for each stage
            ones = {source: list_of_one(channel) for source, channel in single.items()}
            return known | ones | {source: collected(channel, items) for source, (channel, items) in parts.items()}

        def ended(channels: Mapping[Source, Any], items: Any) -> None:
            parts.update({source: (channel, items) for source, channel in channels.items()})

        for stage in shards:
            with each(items := given[shards_of(stage)], f"each shard of {stage}") as item:
                channels = site.in_loop(item, by_shard[stage])
            ended(channels, items)
        for stage in before:
            if stage in wiring.per_shard:
                with each(items := given[SHARDS], f"each shard of {stage}") as shard:
                    channels = called(stage, wiring, readable(), given | {SHARD: number_of(shard)})
                ended(channels, items)
            else:
                known |= called(stage, wiring, readable(), given)
        if looped or in_loop:
            with each(items := given[FOLDS], "each fold") as item:
                by_loop = site.in_loop(item, in_loop)
                for stage in looped:
                    by_loop |= called(stage, wiring, readable() | of_only_fold | by_loop, given | {LOOP: number_of(item, LOOP)})
            ended(by_loop, items)
        for stage in after:
            known |= called(stage, wiring, readable(), given)

    function = with_parameters(replayed, [declared(each, kinds[each]) for each in arguments])
    name = name or f"verdelta-again-{stages[0].replace('_', '-')}"
    pipeline = dsl.pipeline(name=name, description=description)(function)
    return site.built(pipeline, arguments)


def loop_item(
    name: str, part: int, sources: Sequence[Source], artifacts: Artifacts, content: Callable[[str], str]
) -> dict[str, Any]:
    """Returns what a loop gets for one fold or shard: its number, by `name`, and the artifacts to import."""
    item: dict[str, Any] = {name: part}
    for source in sources:
        uri = artifacts[source, part]
        item |= {key(source): uri, f"{key(source)}{CONTENT}": content(uri)}
    return item


def imported_in_loops(values: Mapping[str, Any]) -> dict[str, int]:
    """Returns, of the arguments of such a pipeline, the URI of each artifact that loops import, and its fold or shard."""
    items = [item for value in values.values() if isinstance(value, list) for item in value if isinstance(item, Mapping)]
    parts = [(item.get(LOOP, item.get(SHARD)), item) for item in items if {LOOP, SHARD} & item.keys()]
    return {
        uri: int(part)
        for part, item in parts
        for name, uri in item.items()
        if name not in (LOOP, SHARD) and not name.endswith(CONTENT)
    }


def imported_item(item: Any, sources: Sequence[Source]) -> dict[Source, Any]:
    """Returns the channels of the artifacts in a loop's item."""
    return {source: imported(getattr(item, key(source)), getattr(item, f"{key(source)}{CONTENT}"), source) for source in sources}


def shards_of(stage: str) -> str:
    """Returns the name of the list of a recorded stage's shards, which is not that of shards to be executed."""
    return f"{stage}_{SHARDS}"


def key(source: Source) -> str:
    """Returns the name of an artifact in the loop's items."""
    return f"{source.stage}_{source.output}"


def imported(uri: Any, content: Any, source: Source) -> Any:
    """Returns the channel of a recorded artifact, of the class that the stage which writes it declares."""
    title = face_of(source.stage).component_spec.outputs[source.output].type  # such as system.Model@0.0.1
    kind = getattr(dsl, title.partition("@")[0].removeprefix("system."))
    return dsl.importer(artifact_uri=uri, artifact_class=kind, reimport=False, metadata={"content": content}).output


def called(stage: str, wiring: Wiring, known: Mapping[Source, Any], given: Mapping[str, Any]) -> dict[Source, Any]:
    """Puts a stage into the pipeline, with those of its parameters that are given, and returns the channels of its outputs."""
    face = face_of(stage)
    artifacts = {name: known[source] for name, source in wiring.inputs[stage].items()}
    scalars = {name: given[name] for name in face.component_spec.inputs if name in given}
    task = face(**artifacts, **scalars)
    return {Source(stage, output): task.outputs[output] for output in face.component_spec.outputs}


def face_of(stage: str) -> Any:
    """Returns the component of a stage."""
    return getattr(importlib.import_module(f"components.{stage}.component"), stage)
