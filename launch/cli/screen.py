"""Puts on the terminal what a command prints, and keeps names that come from data from commanding it; aligns tables."""

import re
from collections.abc import Sequence
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


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as text: each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
