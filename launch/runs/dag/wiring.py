"""Tells how the stages hang together: which one reads what of which other one.

It is read from what kfp compiled, so that the DAG is written down once, in pipeline.py.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import json_format

from components.settings import STAGES
from launch.runs.parameters import FOLDS, SHARDS

CHANNEL = "pipelinechannel--"  # how kfp's names of what a loop gets begin


class Source(NamedTuple):
    """An artifact that a stage writes: the stage and the name of the output."""

    stage: str
    output: str


MODEL, SUBMISSION = Source("train", "model"), Source("calibrate", "submission")
Artifacts = Mapping[tuple[Source, int | None], str]  # (what, its fold or shard or None for the whole run) to URI


@dataclasses.dataclass(frozen=True)
class Wiring:
    """A pipeline's artifacts."""

    # stage to the artifacts that it reads: name of the input to where it comes from; stages in data order
    inputs: dict[str, dict[str, Source]]
    per_fold: frozenset[str]  # the stages inside the loop over the folds
    per_shard: frozenset[str]  # the stages inside a loop over the shards, each in one of its own

    def parts_of(self, stage: str, folds: Sequence[int], shards: Sequence[int]) -> list[int | None]:
        """Returns the folds or shards that a stage is executed for, or None alone for a stage of the whole run."""
        return [*folds] if stage in self.per_fold else [*shards] if stage in self.per_shard else [None]

    def onward(self, stage: str) -> list[str]:
        """Returns `stage` and every stage that depends on it, in data order."""
        found = {stage}
        for later, inputs in self.inputs.items():  # in data order: what a stage depends on comes before it
            if any(source.stage in found for source in inputs.values()):
                found.add(later)
        return [name for name in self.inputs if name in found]

    def around_loop(self, stages: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """Returns those of `stages` that come before the loop over the folds, those inside it, those after it."""
        order = list(self.inputs)
        first = min(order.index(stage) for stage in self.per_fold)
        outside = [stage for stage in stages if stage not in self.per_fold]
        return (
            [stage for stage in outside if order.index(stage) < first],
            [stage for stage in stages if stage in self.per_fold],
            [stage for stage in outside if order.index(stage) > first],
        )

    def read_by(self, stages: Sequence[str]) -> list[Source]:
        """Returns what `stages`, in data order, read that none before them writes, each artifact once."""
        read = ((number, source) for number, stage in enumerate(stages) for source in self.inputs[stage].values())
        return list(dict.fromkeys(source for number, source in read if source.stage not in stages[:number]))


def read_wiring(pipeline: Any) -> Wiring:
    """Returns the wiring of a compiled pipeline whose tasks are the stages."""
    spec = json_format.MessageToDict(pipeline.pipeline_spec)
    components = spec["components"]
    inputs: dict[str, dict[str, Source]] = {}
    in_loop: dict[str, set[str]] = {FOLDS: set(), SHARDS: set()}

    def walk(dag: Mapping[str, Any], given: Mapping[str, Source], loop: str | None) -> None:
        for name, task in dag["tasks"].items():
            found = {}
            for key, wire in task.get("inputs", {}).get("artifacts", {}).items():
                output = wire.get("taskOutputArtifact")
                found[key] = (
                    written(components, dag, output["producerTask"], output["outputArtifactKey"])
                    if output
                    else given[wire["componentInputArtifact"]]
                )
            component = components[task["componentRef"]["name"]]
            if "dag" in component:
                items = task["parameterIterator"]["items"]["inputParameter"]
                walk(component["dag"], found, items.removeprefix(CHANNEL))
            else:
                stage = name.replace("-", "_")
                inputs[stage] = found
                if loop:
                    in_loop[loop].add(stage)

    walk(spec["root"]["dag"], {}, None)
    return Wiring({stage: inputs[stage] for stage in STAGES}, frozenset(in_loop[FOLDS]), frozenset(in_loop[SHARDS]))


def written(components: Mapping[str, Any], dag: Mapping[str, Any], task: str, output: str) -> Source:
    """Returns who writes an output of `task`: the task itself or, where it is a loop, one inside it."""
    component = components[dag["tasks"][task]["componentRef"]["name"]]
    if "dag" not in component:
        return Source(task.replace("-", "_"), output)
    selector = component["dag"]["outputs"]["artifacts"][output]["artifactSelectors"][0]
    return written(components, component["dag"], selector["producerSubtask"], selector["outputArtifactKey"])
