"""Writes pair tables: the bytes of `DataFrame.to_csv`, in less time and memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract.tables.cells import guarded

QUOTED = (",", '"', "\r", "\n")  # a field that holds one of these may have to be quoted
ROWS_AT_A_TIME = 16384


def write_pairs(path: Path, table: pd.DataFrame | Iterable[pd.DataFrame], order: np.ndarray | None = None) -> None:
    """Writes what `guarded(table).take(order).to_csv(path, index=False)` does.

    That function looks at each character of each cell. Here a column is searched once, as one text, and its cells are joined as
    they are; rows with a name that may need quotes are left to that function. Some rows are held as text at a time.

    Args:
        table: columns of text without missing values, as categories or not, and of numbers; or one such table after the other,
            of the same columns.
        order: positions of the rows of a single table, in the file's order; None for all as they are.
    """
    pieces = in_pieces(table, order) if isinstance(table, pd.DataFrame) else table
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, piece in enumerate(pieces):
            if number == 0:
                file.write(",".join(piece.columns) + "\n")
            file.write(plain_lines(piece) or guarded(piece).to_csv(index=False, header=False))


def in_pieces(table: pd.DataFrame, order: np.ndarray | None) -> Iterator[pd.DataFrame]:
    """Yields the rows in order, some at a time; of no rows one piece without any."""
    for start in range(0, max(1, len(table)), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        yield as_text(table.iloc[rows] if order is None else table.take(order[rows]))


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table whose categories are text."""
    return table.astype(dict.fromkeys(table.columns[table.dtypes == "category"], str))


def plain_lines(table: pd.DataFrame) -> str | None:
    """Returns the lines of a table's rows, or None where any field may need quotes."""
    table = guarded(table)
    columns = [cells(table[name]) for name in table]
    if any(mark in text for text in map("".join, columns) for mark in QUOTED):
        return None
    return "\n".join([*map(",".join, zip(*columns, strict=True)), ""])


def cells(column: pd.Series) -> list[str]:
    """A column's cells as text; equal numbers, of which there are few, are one text."""
    values = column.to_numpy(object).tolist()
    if not pd.api.types.is_numeric_dtype(column):
        return values
    texts = {number: str(number) for number in set(values)}
    return [texts[number] for number in values]
