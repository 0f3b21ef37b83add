"""The pair tables' writer against `DataFrame.to_csv`, byte for byte."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contract.tables.pair_csv import ROWS_AT_A_TIME, write_pairs

PLAIN = pd.DataFrame({"pair_id": ["comb_000000", "comb_000001"], "series": ["0010", "NA"], "days": [0, -7]})
NAMES = st.text(st.sampled_from(",\"'\r\n\t ;aé葉"), max_size=4) | st.text(max_size=4)


def written(tmp_path: Path, table: pd.DataFrame, order: np.ndarray | None = None) -> bytes:
    write_pairs(tmp_path / "pairs.csv", table, order)
    return (tmp_path / "pairs.csv").read_bytes()


def expected(tmp_path: Path, table: pd.DataFrame) -> bytes:
    table = table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and re.match("[=+@'\t\r\n-]", cell) else cell)
    table.to_csv(tmp_path / "expected.csv", index=False)
    return (tmp_path / "expected.csv").read_bytes()


def test_the_bytes_of_a_plain_table(tmp_path: Path) -> None:
    assert written(tmp_path, PLAIN) == b"pair_id,series,days\ncomb_000000,0010,0\ncomb_000001,NA,-7\n"


def test_rows_come_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    assert written(tmp_path, PLAIN, np.array([1, 0])) == b"pair_id,series,days\ncomb_000001,NA,-7\ncomb_000000,0010,0\n"


@pytest.mark.parametrize("odd", ["", 'a "quoted" name, of two parts'])
def test_pieces_make_the_bytes_of_the_whole_and_names_may_be_categories(tmp_path: Path, odd: str) -> None:
    rows = 2 * ROWS_AT_A_TIME + 5
    names = [f"\N{SEEDLING} {number % 7}" for number in range(rows)]
    names[rows - 3] = odd or names[rows - 3]
    table = pd.DataFrame({"series": names, "days": np.arange(rows) / 2})
    order = np.random.default_rng(0).permutation(rows)
    whole, shuffled = expected(tmp_path, table), expected(tmp_path, table.take(order))
    table["series"] = table["series"].astype("category")
    assert written(tmp_path, table) == whole
    assert written(tmp_path, table, order) == shuffled
    table["series"] = table["series"].astype(str)
    write_pairs(tmp_path / "parts.csv", (table.iloc[start : start + 9000] for start in range(0, rows, 9000)))
    assert (tmp_path / "parts.csv").read_bytes() == whole


@pytest.mark.parametrize("rows", [0, 1])
def test_short_tables(tmp_path: Path, rows: int) -> None:
    assert written(tmp_path, PLAIN.head(rows)) == expected(tmp_path, PLAIN.head(rows))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(NAMES, NAMES, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=5), data=st.data())
def test_any_name_is_written_as_pandas_writes_it_but_for_its_guard(
    tmp_path: Path, rows: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    table = pd.DataFrame(rows, columns=["series", "image_id", "days"]).astype({"series": str, "image_id": str, "days": "int64"})
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    assert written(tmp_path, table) == expected(tmp_path, table)
    assert written(tmp_path, table, order) == expected(tmp_path, table.take(order))
