"""Writes pair tables: the bytes of `DataFrame.to_csv`, in less time."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract.tables.cells import guarded

QUOTED = (",", '"', "\r", "\n")  # a field that holds one of these may have to be quoted
ROWS_AT_A_TIME = 16384


def write_pairs(path: Path, table: pd.DataFrame, order: np.ndarray | None = None) -> None:
    """Writes what `guarded(table).take(order).to_csv(path, index=False)` does, `order` being positions of rows, None for all.

    That function looks at each character of each cell. Here a column is searched once, as one text, and its cells are joined as
    they are; a table with a name that may need quotes is left to that function. Joined before they are put in order, the cells of
    a row are read where they lie side by side: with a million rows, going from row to row is what costs. Written some rows at a
    time, they need no memory for the file as a whole, which it takes longer to get than to fill.
    """
    table = guarded(table)
    columns = [cells(table[name]) for name in table]
    if any(mark in text for text in map("".join, columns) for mark in QUOTED):
        (table if order is None else table.take(order)).to_csv(path, index=False)
        return
    lines = map(",".join, zip(*columns, strict=True))
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(table.columns) + "\n")
        for some in in_pieces(lines, order):
            file.write("\n".join([*some, ""]))


def in_pieces(lines: Iterable[str], order: np.ndarray | None) -> Iterator[list[str]]:
    """Yields the lines in order, some at a time; all of them are held only where the order is not their own."""
    if order is None:
        lines = iter(lines)
        while some := list(itertools.islice(lines, ROWS_AT_A_TIME)):
            yield some
        return
    held = np.fromiter(lines, dtype=object, count=len(order))
    for start in range(0, len(order), ROWS_AT_A_TIME):
        yield held[order[start : start + ROWS_AT_A_TIME]].tolist()


def cells(column: pd.Series) -> list[str]:
    """A column's cells as text; equal numbers, of which there are few, are one text."""
    values = column.to_numpy(object).tolist()
    if not pd.api.types.is_numeric_dtype(column):
        return values
    texts = {number: str(number) for number in set(values)}
    return [texts[number] for number in values]
