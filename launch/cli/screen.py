"""Keeps what a command prints from commanding the terminal: names in it come from data."""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from components.contract.shown import shown

OUR_OWN = re.compile(r"\r?(\x1b\[K)?")  # what progress bars begin with: back to the line's start, and clear it


class Screen:
    """A text stream that escapes what is no text; all else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """As the stream's."""
        begin = OUR_OWN.match(text).end()  # type: ignore[union-attr]  # it matches everything
        self.stream.write(text[:begin] + shown(text[begin:]))
        return len(text)


@contextlib.contextmanager
def safe_screen() -> Iterator[None]:
    """Within the block standard output and error are such streams."""
    with contextlib.redirect_stdout(Screen(sys.stdout)), contextlib.redirect_stderr(Screen(sys.stderr)):
        yield
