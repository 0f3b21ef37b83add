"""What a list of runs shows of each, wherever it ran, and the parameters in which the listed runs differ."""

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

from components.contract import schema
from launch.runs.lineage import Parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run in a list of runs."""

    name: str  # as its backend calls it
    state: str  # the backend's own word
    preset: str | None = None  # the preset that it was started with, if any
    started: str = ""  # in the time of this machine, ISO 8601; empty where it is not known
    parent: Parent | None = None  # the run that it was made from, if any
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # by name; empty where the record cannot be read
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)  # the headline metrics that it has, in days
    verdict: str = ""  # what is wrong with its model, in short; empty where nothing is, or nobody knows


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the headline metrics among `metrics` that are numbers, in their order; earlier versions wrote NaN, too."""
    found = {name: metrics.get(name) for name in schema.HEADLINE_METRICS}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and math.isfinite(value)}


def local_time(moment: datetime.datetime | None) -> str:
    """Returns a moment as `RunSummary.started` has it."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else ""


def differing_parameters(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the names of the parameters that do not have one value in all the runs that have them: a rerun has few."""
    values: dict[str, list[Any]] = {}
    for parameters in runs:
        for name, value in parameters.items():
            values.setdefault(name, []).append(value)
    return [name for name, found in values.items() if any(value != found[0] for value in found)]
