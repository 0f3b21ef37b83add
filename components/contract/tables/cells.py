"""Writes cells of text so that a spreadsheet shows them and does not compute them, and reads them back as they were.

A name that begins like a formula gets an apostrophe before it, and so does one that begins with an apostrophe itself: what is
read has one taken off where such a character follows it. All other cells, and all numbers, are written as they are.
"""

import pandas as pd

BEGINS_A_FORMULA = "=+-@\t\r\n"  # https://owasp.org/www-community/attacks/CSV_Injection
MARK = "'"
GUARDED = [MARK, *BEGINS_A_FORMULA]


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table for `to_csv` whose columns of text run nothing in a spreadsheet; numbers stay numbers."""
    text = [
        name
        for name in map(str, table)
        if not pd.api.types.is_numeric_dtype(table[name]) and may_begin_with(GUARDED, table[name])
    ]
    return table.assign(**{name: table[name].mask(table[name].str[:1].isin(GUARDED), MARK + table[name]) for name in text})


def unguarded(column: pd.Series) -> pd.Series:
    """Returns a column of text as it was before `guarded`."""
    if not may_begin_with([MARK], column):
        return column
    return column.mask(column.str.startswith(MARK) & column.str[1:2].isin(GUARDED), column.str[1:])


def may_begin_with(characters: list[str], column: pd.Series) -> bool:
    """Whether any cell may begin with one of the characters: one search of one text, as looking at each cell takes seconds."""
    text = "\n".join(["", *map(str, column.to_numpy(object))])
    return any(f"\n{character}" in text for character in characters)
