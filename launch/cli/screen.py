"""Aligns the tables that commands print."""

from collections.abc import Sequence

from components.contract.shown import one_line


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table as text: each column as wide as its widest cell, each row one line, whatever a cluster calls its runs."""
    rows = [list(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
