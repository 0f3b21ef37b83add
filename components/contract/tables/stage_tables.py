"""Reads the tables that stages write for each other, and refuses those that are not what they should be."""

import io
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.naming import names_first, naming
from components.contract.tables.cells import unguarded
from components.contract.verified import is_there, read_bytes, reading

MOST_DAYS = 2**53 - 1  # beyond, numbers with fractions do not tell one day from the next
NAMES = {"image_id", "split", "species", "series", "path", "pair_id", *schema.PHOTO_IDS}


@names_first
def read_table(
    path: Path, columns: Sequence[str], *, names: Collection[str] = NAMES, repeated: Collection[str] = ()
) -> pd.DataFrame:
    """Returns `columns` of a CSV file, in this order; the first tells rows apart, unless it is `repeated`.

    Args:
        names: columns that stay text, also where one looks like a number or is NA. All others are finite numbers, exact.
        repeated: those of them that become categories, as they say the same in many rows: a fifth of the memory.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a column is missing, a row is there twice, a number is none or not finite; as `reading`.
    """
    text = dict.fromkeys([name for name in columns if name in names and name not in repeated], str)
    alike = dict.fromkeys([name for name in columns if name in repeated], sys.intern)  # a name in many rows is held once
    with reading(require_table(path)) as file:
        refuse_missing_columns(header(file.peek().partition(b"\n")[0]), columns, path)
        table = pd.read_csv(file, usecols=list(columns), dtype=text, converters=alike, keep_default_na=False)[list(columns)]
    key = columns[0]
    twice = table[key][table[key].duplicated()]
    if key not in repeated and len(twice):
        raise ValueError(f"{path}: {key} {twice.iloc[0]} is there twice. Expected each once; run the stage that wrote it again.")
    for name in columns:
        if name in repeated:
            table[name] = table[name].astype("category")
            table[name] = table[name].cat.rename_categories(unguarded(pd.Series(table[name].cat.categories, dtype=str)).array)
        else:
            table[name] = unguarded(table[name]) if name in text else finite_numbers(table[name], table[key], path)
    return table


@names_first
def columns_of(path: Path) -> list[str]:
    """Returns the names of a table's columns; raises as `read_table`."""
    return header(read_bytes(require_table(path)))


def header(content: bytes) -> list[str]:
    """Returns the names of the columns of a CSV file."""
    return list(pd.read_csv(io.BytesIO(content), nrows=0).columns)


def require_table(path: Path) -> Path:
    """Returns `path`; raises FileNotFoundError where there is no such table, and says which stage writes it."""
    if not is_there(path):
        raise FileNotFoundError(f"{path}: missing. Expected what {schema.WRITERS[path.name]} writes; run that stage first.")
    return path


def finite_numbers(column: pd.Series, key: pd.Series, path: Path) -> pd.Series:
    """Returns a column as numbers. Raises ValueError: one is none or not finite; names the first such row by `key`."""
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = ~np.isfinite(numbers.to_numpy(dtype="float64"))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{path}: {column.name} of {key.name} {key[row]} is {str(column[row])!r} ({wrong.sum()} such rows). Expected finite "
            "numbers. Where a training diverged: lower learning_rate or use mixed_precision=float32."
        )
    return numbers


def read_images(catalog: Path) -> pd.DataFrame:
    """Returns images.csv: text columns as str (a series may be called 0010 or NA), `day` as Int64 (with fractions, Float64).

    Raises:
        FileNotFoundError: the catalog has no images.csv.
        ValueError: as `read_table`, or a train photo has no day, or a day is farther away than numbers tell days apart.
    """
    path = catalog / schema.IMAGES_CSV
    images = read_table(path, schema.IMAGES_COLUMNS, names=schema.IMAGES_COLUMNS)
    with naming(path):
        images["day"] = whole_where_all_are(images["day"])
    far = images[images["day"].abs() > MOST_DAYS]
    if len(far):
        raise ValueError(
            f"{path}: photo {far['image_id'].iloc[0]} is of day {far['day'].iloc[0]} ({len(far)} such photos). Expected at most "
            f"{MOST_DAYS}; correct the name, or the table, that the day is read from."
        )
    dayless = images[(images["split"] == schema.TRAIN) & images["day"].isna()]
    if len(dayless):
        raise ValueError(f"{path}: train photo {dayless['image_id'].iloc[0]} has no day. Expected a number in column day.")
    return images


def whole_where_all_are(days: pd.Series) -> pd.Series:
    """Returns a column of days as Int64, or as Float64 where any has a fraction, or is too large; empty text is missing."""
    numbers = pd.to_numeric(days.replace("", None)).astype("Float64")
    known = numbers.dropna()
    return numbers.astype("Int64") if bool(((known % 1 == 0) & (known.abs() <= MOST_DAYS)).all()) else numbers


def refuse_missing_columns(found: Sequence[str], expected: Sequence[str], place: object) -> None:
    """Raises ValueError, naming both lists, where one of the expected columns is missing or there twice."""
    if any(found.count(name) != 1 for name in expected):
        raise ValueError(
            f"{place}: columns {', '.join(found)}. Expected {', '.join(expected)}, each once; correct the first line."
        )
