"""Puts on the terminal what a command prints, and keeps names that come from data from commanding it; aligns tables."""

import contextlib
import sys
from collections.abc import Iterator, Sequence

from components.contract.shown import Screen, one_line


@contextlib.contextmanager
def safe_screen() -> Iterator[None]:
    """Within the block standard output and error are such streams."""
    with contextlib.redirect_stdout(Screen(sys.stdout)), contextlib.redirect_stderr(Screen(sys.stderr)):
        yield


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as text: each column as wide as its widest cell, each row one line, whatever a cluster calls its runs."""
    rows = [list(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
