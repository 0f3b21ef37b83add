"""Loops over folds and shards, left out where there is one, which on a cluster costs minutes; and the lists that they make."""

import contextlib
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from kfp import dsl

from launch.runs.dag.kfp_internals import PipelineArtifactChannel
from launch.runs.dag.signatures import declared, with_parameters
from launch.runs.parameters import FOLDS, LOOP, SHARDS


class CollectedArtifacts(dsl.Collected, PipelineArtifactChannel):
    """What dsl.Collected is, and an artifact channel by its type, too.

    kfp 2.17 takes a dsl.Collected that goes into another loop for a list of parameters, whatever it holds, and fails on the
    type of the artifacts; it asks first whether a channel is one of artifacts. What it then writes down is an ordinary input
    of the loop, a list of artifacts.
    """

    def __init__(self, output: Any) -> None:
        PipelineArtifactChannel.__init__(self, output.name, output.channel_type, output.task_name, is_artifact_list=True)
        self.output, self.is_artifact_channel = output, True


def list_of_one(output: Any) -> PipelineArtifactChannel:
    """Returns the channel by which a task reads an artifact outside of loops as a list.

    kfp collects lists from loops only; an importer in a loop is something that not every release of Kubeflow takes.
    """
    return PipelineArtifactChannel(output.name, output.channel_type, output.task_name, is_artifact_list=True)


@dataclasses.dataclass(frozen=True)
class Alone:
    """The list that a loop which is left out would be over: one fold or shard, by its number."""

    number: Any


@contextlib.contextmanager
def each(items: Any, name: str) -> Iterator[Any]:
    """A loop, named so on pages, over the items of a list that is a parameter of the pipeline, or its body alone for `Alone`."""
    if isinstance(items, Alone):
        yield items
        return
    with dsl.ParallelFor(items, name=name) as item:
        yield item


def number_of(item: Any, name: str = "") -> Any:
    """Returns the number of a fold or shard by what `each` has yielded: an item that is a number or has it as `name`."""
    if isinstance(item, Alone):
        return item.number
    return getattr(item, name) if name else item


def collected(output: Any, items: Any) -> Any:
    """Returns the channel by which a task reads, as a list, what a task in the loop over `items` wrote each time."""
    return list_of_one(output) if isinstance(items, Alone) else CollectedArtifacts(output)


def without_loops_of_one(pipeline: Any, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Returns a pipeline, and its arguments, without the loops of `each` over `folds` and `shards` that these go through once.

    In place of `folds` it has a parameter `fold`. It has neither `shards` nor `num_shards`: a run of several needs the loop.
    """
    alone = [name for name in (FOLDS, SHARDS) if len(values.get(name, ())) == 1]
    if not alone:
        return pipeline, dict(values)
    inner = pipeline.pipeline_func
    parameters = list(inspect.signature(inner).parameters.values())
    fixed: dict[str, Any] = {SHARDS: Alone(0), "num_shards": 1} if SHARDS in alone else {}
    kept = [each for each in parameters if each.name not in fixed and each.name not in alone]
    changed = {name: value for name, value in values.items() if name not in fixed and name not in alone}
    if FOLDS in alone:
        (item,) = values[FOLDS]
        changed[LOOP] = item[LOOP] if isinstance(item, Mapping) else item
        kept.append(declared(LOOP, int, 0))
    kept.sort(key=lambda each: each.default is not inspect.Parameter.empty)

    def function(*given: Any) -> None:
        known = dict(zip((each.name for each in kept), given, strict=True)) | fixed
        known |= {FOLDS: Alone(known[LOOP])} if FOLDS in alone else {}
        inner(*(known[each.name] for each in parameters))

    function.__doc__ = inner.__doc__
    made = dsl.pipeline(name=pipeline.name, description=pipeline.description)(with_parameters(function, kept))
    return made, changed
