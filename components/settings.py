"""The list of stages, and how each declares its parameters: type, default, unit, bounds and help, once, in its own settings.py.

A stage's settings are one frozen dataclass; an instance that exists is valid. The command line (`--set NAME=VALUE`) and the
pipeline's parameters are made from these classes. Only the signatures of the KFP faces are written by hand, as KFP ships
their text; tests/launch/runs/test_parameters.py holds them to the classes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

MOST_SEED, SEED_BITS = 4_000_000_000, "random generators take 32 bits"
LONGEST_TEXT = 4096  # characters of a text; Linux's longest path
STAGES = {
    "resize_images": "data",
    "generate_pairs": "data",
    "split_folds": "data",
    "write_tfrecords": "data",
    "train": "tensorflow",
    "predict": "tensorflow",
    "calibrate": "data",
    "report": "data",
}  # in data order, each with the flavour of its image


def parameter(
    default: Any,
    help: str,
    *,
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    why: str = "",
    choices: tuple[str, ...] = (),
) -> Any:
    """Declares one field of a settings class; the keywords after `help` are what `Settings` checks.

    Args:
        default: the value where none is given; a list is copied for each instance.
        help: one sentence for the command line and docs/parameters.md.
        unit: "px", "days", ...; empty for a pure number or a name.
        at_least, at_most: the bounds, inclusive.
        why: what a larger one would do, for the error that refuses it.
        choices: the allowed names, for a parameter that is one of a few.
    """
    metadata = {"help": help, "unit": unit, "at_least": at_least, "at_most": at_most, "why": why, "choices": choices}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: refuses a value of the wrong type or out of bounds, by name."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Returns the settings whose fields are in `values`, among others: a run's parameters, or a function's locals()."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """Returns `value` as the field's type. Raises ValueError: names the parameter, the value received and what was expected."""
    expected = field.type
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if expected is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON, and so KFP, has one kind of number
    if not isinstance(value, expected) or (expected is not bool and isinstance(value, bool)):  # type: ignore[arg-type]
        raise ValueError(f"{field.name}={shortened(value)}: expected {expected.__name__}, got {type(value).__name__}.")  # type: ignore[union-attr]
    low, high, why, choices = (field.metadata[key] for key in ("at_least", "at_most", "why", "choices"))
    if low is not None and not value >= low:
        raise ValueError(f"{field.name}={value!r}: expected at least {plain(low)}.")
    if high is not None and not value <= high:
        raise ValueError(f"{field.name}={shortened(value)}: expected at most {plain(high)}{f', as {why}' if why else ''}.")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ValueError(f"{field.name}={shortened(value)}: expected at most {LONGEST_TEXT} characters, as no path has more.")
    if choices and value not in choices:
        raise ValueError(f"{field.name}={shortened(value)}: expected one of {', '.join(choices)}.")
    return value


def plain(bound: float) -> str:
    """Returns a bound as people write it: 1e-09, 0.5, 1000000."""
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"


def shortened(value: Any, most: int = 80) -> str:
    """Returns a value for a message, of at most so many characters."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**most else f"a number of {value.bit_length()} bits"
    return text if len(text) <= most else f"{text[: most - 1]}…"
