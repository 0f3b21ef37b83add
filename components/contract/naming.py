"""Gives whatever is raised while one file is handled the file's name, in the one place where that may happen."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

Name = TypeVar("Name")
Result = TypeVar("Result")
Rest = ParamSpec("Rest")


class FileError(ValueError):
    """Something went wrong with one file; the message begins with its name, and its row or record where it has some."""


@contextlib.contextmanager
def naming(name: object) -> Iterator[None]:
    """Within the block an exception that does not name the file becomes a FileError that does."""
    try:
        yield
    except Exception as error:
        if str(name) in str(error):
            raise
        raise FileError(f"{name}: {type(error).__name__}: {error}") from error


def names_first(handle: Callable[Concatenate[Name, Rest], Result]) -> Callable[Concatenate[Name, Rest], Result]:
    """Decorates a function whose first argument is a file: whatever it raises has the file's name, as within `naming`."""

    @functools.wraps(handle)
    def named(name: Name, *rest: Rest.args, **others: Rest.kwargs) -> Result:
        with naming(name):
            return handle(name, *rest, **others)

    return named
