"""Makes the signatures of pipelines, where kfp reads their parameters, from the settings of the stages."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.settings import STAGES
from launch.runs.parameters import LOOP, SETTINGS, default

Parameter = inspect.Parameter


def with_settings(stages: Sequence[str] = tuple(STAGES)) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Returns a decorator: `**settings` of a pipeline's function become all parameters of `stages`, with types and defaults."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        fields = [field for stage in stages for field in dataclasses.fields(SETTINGS[stage]) if field.name != LOOP]
        of_stages = [declared(field.name, field.type, default(field)) for field in fields]  # type: ignore[arg-type]

        @functools.wraps(function)
        def pipeline(*values: Any) -> None:
            function(**dict(zip((each.name for each in (*own, *of_stages)), values, strict=True)))

        return with_parameters(pipeline, [*own, *of_stages])

    return decorate


def with_parameters(function: Callable[..., None], parameters: Sequence[Parameter]) -> Callable[..., None]:
    """Returns `function`, declared to take `parameters`."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def declared(name: str, kind: type, value: Any = Parameter.empty) -> Parameter:
    """Returns the parameter `name` of a pipeline, of type `kind` and with `value` as its default."""
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=kind, default=value)


def chosen_for(face: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of `settings` that the component `face` takes."""
    return {name: settings[name] for name in scalars_of(face) if name in settings}


def scalars_of(face: Any) -> dict[str, type]:
    """Returns the parameters that a component has to be given, with their types."""
    found = [each for each in inspect.signature(face.python_func).parameters.values() if each.default is Parameter.empty]
    return {each.name: each.annotation for each in found if each.annotation in (int, float, bool, str, list)}
