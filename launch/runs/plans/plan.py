"""What is to be run, wherever that will be: made by `run`, `submit`, `rerun` and `score`, executed by a backend."""

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.contract import schema
from components.settings import STAGES
from launch.runs.dag.replay import Site
from launch.runs.dag.wiring import Artifacts
from launch.runs.lineage import Parent, RecordedRun
from launch.runs.parameters import default, fields, pipeline_inputs

Built = tuple[Any, dict[str, Any]]  # a kfp pipeline and its arguments


@dataclasses.dataclass(frozen=True)
class Step:
    """One kfp pipeline of a plan, built when it is due."""

    stages: Sequence[str]  # those that it executes
    # returns the pipeline and its arguments. It takes the plan, the site, the inputs `raw` and `raw_digest` where the plan reads
    # raw data, and what the steps before it have written.
    build: Callable[["Plan", Site, Mapping[str, str], Artifacts], Built]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be run."""

    title: str  # what the new run's name begins with where none is given
    name: str | None  # the new run's name, if one was given
    preset: str | None  # the preset that the parameters come from, if any
    parameters: dict[str, Any]  # every parameter of a run, by name
    stages: Sequence[str]  # those that are executed, in data order
    steps: Sequence[Step]  # one kfp pipeline, or one after the other
    raw: str | None = None  # the raw data that is read: a folder, a gs:// address, or SAMPLE; None where no stage reads any
    splits: Sequence[str] = schema.SPLITS  # what the raw data has to hold
    parent: Parent | None = None  # the run that it goes on from, and how
    earlier: RecordedRun | None = None  # that run's record
    summary: str = ""  # what is done, in words, where it goes on from an earlier run

    def with_parameters(self, changed: Mapping[str, Any]) -> "Plan":
        """Returns the plan with some parameters changed."""
        return dataclasses.replace(self, parameters={**self.parameters, **changed})

    def named(self) -> str:
        """Returns the run's name, or its title and the time."""
        return self.name or f"{self.title}-{datetime.datetime.now():%Y%m%d-%H%M%S}"

    def lines(self) -> list[str]:
        """Returns what to say of the plan: what is done, and the parameters that are not the earlier run's, or the defaults."""
        before = self.earlier.parameters if self.earlier else {name: default(field) for name, field in fields().items()}
        changed = [name for name, value in self.parameters.items() if name in before and value != before[name]]
        shown = [
            f"{name}={json.dumps(self.parameters[name])}" + (f"  (was {json.dumps(before[name])})" if self.earlier else "")
            for name in changed
        ]
        return [*filter(None, [self.summary]), *shown] or ["all parameters at their defaults"]


SAMPLE = "sample"  # raw data that is drawn where the plan is executed


def training_plan(pipeline: Any, parameters: dict[str, Any], *, raw: str, preset: str | None, name: str | None) -> Plan:
    """Returns the plan of the whole pipeline, from raw photos to the report."""

    def build(plan: Plan, site: Site, data: Mapping[str, str], _written: Artifacts) -> Built:
        return site.built(pipeline, {**data, **pipeline_inputs(plan.parameters)})

    title, stages = preset or "run", tuple(STAGES)
    return Plan(title=title, name=name, preset=preset, parameters=parameters, stages=stages, steps=[Step(stages, build)], raw=raw)
