"""Reads the tables that people made, which the catalog holds as they came: nothing in them is trusted."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.tables.stage_tables import refuse_missing_columns
from components.contract.verified import is_there, read_bytes

TEST_DATA_COLUMNS = ("idx", "before_file_path", "after_file_path")


def read_test_data(catalog: Path) -> pd.DataFrame:
    """Returns test_data.csv with `idx` as int64 and the two paths as str; raises as `read_user_table`, or FileNotFoundError."""
    path = catalog / schema.TEST_DATA_CSV
    if not is_there(path):
        raise FileNotFoundError(f"{path}: missing. Expected a copy of the raw data's {schema.RAW_TEST_DATA}.")
    return read_user_table(path, TEST_DATA_COLUMNS)


def read_user_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Returns `columns` of a CSV file that a person made, in the file's order: `idx` as int64, the others as str.

    Further columns, blank lines, rows of commas alone, a byte order mark and blanks around names do not matter, and a whole
    number may be written 12.0, as spreadsheets do.

    Raises:
        ValueError: no UTF-8, no CSV, no row; a column is missing or there twice; a row of more or fewer fields than the first
            line; an idx that is no whole number >= 0, or is there twice. Names the file and, where there is one, the line.
    """
    lines, header, rows = read_cells(read_bytes(path), path, columns)
    table = pd.DataFrame({name: [row[header.index(name)] for row in rows] for name in columns}, dtype=str)
    table["idx"] = check_idx(table["idx"].str.strip(), lines, path)
    return table


def read_cells(content: bytes, place: object, columns: Sequence[str]) -> tuple[list[int], list[str], list[tuple[str, ...]]]:
    """Returns the rows of a CSV file below the first: the line of each, the names of all columns, and the cells.

    Raises as `read_user_table`, but for what `idx` has to be; `place` is what people call the file.
    """
    lines, rows = read_rows(content, place)
    expected = ",".join(columns)
    if not rows:
        raise ValueError(f"{place}: the file is empty. Expected {expected} in its first line, and a row for each below.")
    header = [name.strip().lower() for name in rows[0]]
    refuse_other_separators(rows[0], place)
    refuse_missing_columns(header, columns, place)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise ValueError(
                f"{place}, line {line}: {len(row)} fields, {','.join(row)}. Expected {len(header)}, as in the first line "
                f"({','.join(header)}); remove the comma too many (numbers have a decimal point) or add what is missing."
            )
    if len(rows) == 1:
        raise ValueError(f"{place}: no row. Expected at least one below {','.join(header)}.")
    return lines[1:], header, rows[1:]


def read_rows(content: bytes, place: object) -> tuple[list[int], list[tuple[str, ...]]]:
    """Returns numbers, from 1, and fields of the lines that are not blank. Raises ValueError: no UTF-8, or an open quote."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{place}, line {line}: byte 0x{error.object[error.start]:02x} is no UTF-8. Expected a CSV file in UTF-8; save it as "
            "UTF-8 (spreadsheets may save in a local encoding such as cp949)."
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    lines, rows = list[int](), list[tuple[str, ...]]()
    try:
        for row in reader:
            if any(cell.strip() for cell in row):  # spreadsheets end a table with rows of commas
                lines.append(reader.line_num)
                rows.append(tuple(row))  # garbage collection lets go of tuples of text, and walks over lists again and again
    except csv.Error as error:
        raise ValueError(
            f"{place}, line {reader.line_num}: {error}. Expected comma-separated fields, quotes in pairs; correct the quotes."
        ) from error
    return lines, rows


def check_idx(idx: pd.Series, lines: Sequence[int], path: Path) -> pd.Series:
    """Returns `idx` as int64. Raises ValueError: an idx that is no whole number >= 0, or is there twice."""
    idx = idx.str.replace(r"\.0*$", "", regex=True)
    wrong = ~idx.str.fullmatch("[0-9]{1,18}").to_numpy(dtype="bool")
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{path}, line {lines[row]}: idx={idx[row]!r}{hint_of(idx[row])}. Expected a whole number of at least 0, such as 12; "
            "correct the row."
        )
    whole = idx.astype("int64")
    twice = whole.duplicated().to_numpy()
    if twice.any():
        row = int(np.argmax(twice))
        raise ValueError(
            f"{path}, line {lines[row]}: idx={whole[row]} is there twice. Expected each idx once; remove one of the rows."
        )
    return whole


def refuse_other_separators(header: Sequence[str], place: object) -> None:
    """Raises ValueError where fields are parted by something else than commas, or the first line is a spreadsheet's own."""
    line = ",".join(header)
    if line.lower().startswith("sep="):
        raise ValueError(
            f"{place}: its first line, {line!r}, is for a spreadsheet. Expected the names of columns; remove the line."
        )
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in line and len(header) == 1:
            raise ValueError(f"{place}: {name} between fields, {line!r}. Expected commas; save the file as CSV with commas.")


def hint_of(text: str) -> str:
    """Returns what is wrong with a number as spreadsheets write it, in words; nothing where that is not known."""
    if text.lstrip().startswith("="):
        return ", a formula"
    if re.fullmatch(r"\s*-?[0-9]+,[0-9]+\s*", text):
        return ", with a decimal comma"
    return ", with a unit" if re.fullmatch(r"\s*-?[0-9.]+\s*[A-Za-z]+\s*", text) else ""
