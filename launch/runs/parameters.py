"""Knows the parameters of a run: reads NAME=VALUE texts, resolves presets, checks all values together.

Nothing is declared here but `folds`, which belongs to no stage; all others are the fields of the stages' settings classes.
"""

import dataclasses
import difflib
import importlib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from components.settings import STAGES, Settings, parameter, plain

LOOP, FOLDS = "fold", "folds"  # train's own field: the pipeline gives it each of `folds` in turn
SHARD, SHARDS = "shard", "shards"  # what a stage that fans out gets, in turn, and the pipeline's list of all
RUN = "run"
PLACEHOLDER = "{{$"
PLACEHOLDER_HINT = f"Kubeflow Pipelines would put something else in the place of {PLACEHOLDER}"
LONGEST_VALUE = 100_000  # characters of --set NAME=VALUE; Linux hands over 131,071 in one argument
DEEPEST_VALUE = 8  # the deepest parameter, a list of rules, has 2
SETTINGS: dict[str, type[Settings]] = {
    stage: getattr(importlib.import_module(f"components.{stage}.settings"), f"{stage.title().replace('_', '')}Settings")
    for stage in STAGES
}  # in data order


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """What concerns the whole run."""

    folds: list = parameter([0], "Folds to train a model for, each validated on its own fold; their predictions are averaged.")

    def __post_init__(self) -> None:
        super().__post_init__()
        whole = all(isinstance(fold, int) and not isinstance(fold, bool) and fold >= 0 for fold in self.folds)
        if not self.folds or not whole or len(set(self.folds)) != len(self.folds):
            raise ValueError(f"folds={self.folds!r}: expected different whole numbers from 0, such as [0] or [0,1,2,3,4].")


def fields() -> dict[str, dataclasses.Field[Any]]:
    """Returns the field of every parameter of a run by name, in data order, `folds` first."""
    return {field.name: field for settings in groups().values() for field in settings}


def groups() -> dict[str, list[dataclasses.Field[Any]]]:
    """Returns the fields of each stage that has any, in data order, those of the whole run first."""
    owners: dict[str, type[Settings]] = {RUN: RunSettings, **SETTINGS}
    found = {owner: [field for field in dataclasses.fields(cls) if field.name != LOOP] for owner, cls in owners.items()}
    return {owner: declared for owner, declared in found.items() if declared}


def default(field: dataclasses.Field[Any]) -> Any:
    """Returns the value that a field has when none is given."""
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def parse(texts: Iterable[str]) -> dict[str, Any]:
    """Returns the values of NAME=VALUE texts, each read as its parameter's type; lists are JSON, booleans true or false.

    Raises:
        ValueError: no "=", no such parameter (the nearest name is proposed), given twice, or not a value of its type.
    """
    known, values = fields(), dict[str, Any]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: expected NAME=VALUE, such as --set epochs=2.")
        if name not in known:
            raise ValueError(f"--set {name}: no such parameter.{did_you_mean(name, known)} Known: {', '.join(known)}.")
        if name in values:
            raise ValueError(f"--set {name}: given twice; give it once.")
        values[name] = read(known[name], value)
    return values


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Returns a question for a message, after a space: whether the known name nearest to `name` was meant; else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" Did you mean {near[0]}?" if near else ""


def read(field: dataclasses.Field[Any], text: str, option: str = "--set ") -> Any:
    """Returns `text` as a value of the field's type, unbounded. Raises ValueError: names `option`, text and what was expected."""
    if len(text) > LONGEST_VALUE:
        raise ValueError(
            f"{option}{field.name}={text[:40]}…: {len(text)} characters. At most {LONGEST_VALUE} fit on a command line."
        )
    expected = {int: "a whole number", float: "a number", bool: "true or false", list: 'a JSON list, such as [0,1] or ["a"]'}
    try:
        if field.type is str:
            return text
        if field.type is float or field.type is int:
            return field.type(text)
        # brackets that are open at once, those in the JSON text's strings too; its parser fails at 1000
        open_at = itertools.accumulate((character in "[{") - (character in "]}") for character in text)
        if max(open_at, default=0) > DEEPEST_VALUE:
            raise ValueError("deeper than any parameter is")
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, field.type):  # type: ignore[arg-type]
        deepest = f", of at most {DEEPEST_VALUE} brackets within one another" if field.type is list else ""
        raise ValueError(f"{option}{field.name}={cut(text)}: expected {expected[field.type]}{deepest}.")  # type: ignore[index]
    return value


def cut(text: str, most: int = 80) -> str:
    """Returns a text for a message, of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def resolve(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns every parameter of a run: the defaults, the preset over them, what was given over both; all checked together.

    They are as the settings classes hold them: 1 as 1.0 where a number is meant.

    Raises:
        ValueError: a value that its settings class refuses, or a fold that num_folds does not have.
    """
    values = {name: default(field) for name, field in fields().items()} | dict(preset) | dict(given)
    run = RunSettings(folds=values["folds"])
    beyond = [fold for fold in run.folds if fold >= values["num_folds"]]
    if beyond:
        raise ValueError(
            f"folds={run.folds}: {beyond[0]} is not one of the num_folds={values['num_folds']} folds, 0 to "
            f"{values['num_folds'] - 1}; change folds or num_folds."
        )
    if values["cadence_days"] and values["head"] != "dates":
        raise ValueError(
            f"cadence_days={values['cadence_days']:g} needs the date of each photo, which head={values['head']} does not give; "
            "set head=dates, or cadence_days=0."
        )
    if odd := [name for name, value in values.items() if PLACEHOLDER in str(value)]:
        raise ValueError(f"{odd[0]}={values[odd[0]]}: {PLACEHOLDER_HINT}; give it another name.")
    checked = dataclasses.asdict(run)
    for settings in SETTINGS.values():
        names = [field.name for field in dataclasses.fields(settings) if field.name != LOOP]
        stage = settings(**{name: values[name] for name in names})
        checked |= {name: getattr(stage, name) for name in names}
    return checked


def pipeline_inputs(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the pipeline gets for the parameters of a run: these, and the list that num_shards stands for."""
    return {**parameters, SHARDS: list(range(parameters["num_shards"]))}


def table() -> str:
    """Returns the parameters for people: name, default, unit, bounds and help, grouped by stage."""
    return "\n".join(line for owner, declared in groups().items() for line in (f"{owner}:", *map(entry, declared)))


def entry(field: dataclasses.Field[Any]) -> str:
    """Returns the lines of such a table about a field."""
    shown = json.dumps(default(field)) if field.type is not str else default(field)
    return f"  {field.name}={shown}{describe(field)}\n      {field.metadata['help']}"


def describe(field: dataclasses.Field[Any]) -> str:
    """Returns a field's unit and bounds, such as "  [px, at least 16]", or nothing."""
    low, high, choices = (field.metadata[key] for key in ("at_least", "at_most", "choices"))
    bounds = [field.metadata["unit"]] if field.metadata["unit"] else []
    if low is not None and high is not None:
        bounds.append(f"{plain(low)} to {plain(high)}")
    elif low is not None:
        bounds.append(f"at least {plain(low)}")
    return f"  [{', '.join([*bounds, *(['one of ' + ', '.join(choices)] if choices else [])])}]" if bounds or choices else ""
