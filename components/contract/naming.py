"""Gives whatever is raised while one file is handled the file's name, in the one place where that may happen."""

import contextlib
from collections.abc import Iterator


class FileError(ValueError):
    """Something went wrong with one file; the message begins with its name, and its row or record where it has some."""


@contextlib.contextmanager
def naming(name: object) -> Iterator[None]:
    """Within the block an exception that does not name the file becomes one that does.

    Raises:
        FileError: for whatever was raised, but for what names the file already.
    """
    try:
        yield
    except Exception as error:
        if str(name) in str(error):
            raise
        raise FileError(f"{name}: {type(error).__name__}: {error}") from error
