"""Names that a spreadsheet would run are written so that it does not, and come back as they were; nothing else changes."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contract.tables.cells import guarded, unguarded
from components.contract.tables.pair_csv import write_pairs
from components.contract.tables.stage_tables import read_table

COLUMNS = ("pair_id", "series", "days")
NASTY = [
    "=1+1",
    "+1",
    "-3.5",
    "@SUM(A1)",
    "\t=1",
    "'=1",
    "'",
    "''",
    "'a",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
    "a=1",
    "",
]


def table_of(names: list[str], days: list[float]) -> pd.DataFrame:
    columns = {"pair_id": [f"comb_{number}" for number in range(len(names))], "series": names, "days": days}
    return pd.DataFrame(columns).astype({"series": str})


@pytest.mark.parametrize("quick", [True, False], ids=["write_pairs", "to_csv"])
def test_no_cell_of_text_begins_like_a_formula_and_all_come_back(tmp_path: Path, quick: bool) -> None:
    path, table = tmp_path / "train_pairs.csv", table_of(NASTY, [-3.5] * len(NASTY))
    write_pairs(path, table) if quick else guarded(table).to_csv(path, index=False)
    with path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    assert not [row[1] for row in rows if row[1][:1] in list("=+-@\t\r\n")]
    assert {row[2] for row in rows} == {"-3.5"}  # a number stays one
    assert read_table(path, COLUMNS)["series"].tolist() == NASTY


def test_ordinary_tables_are_written_as_pandas_writes_them(tmp_path: Path) -> None:
    table = table_of(["LT_01", "0010", "NA", "a-b", "x='y"], [1, -2, 3, 4.5, 5])
    write_pairs(tmp_path / "ours.csv", table)
    table.to_csv(tmp_path / "pandas.csv", index=False)
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "pandas.csv").read_bytes()
    assert guarded(table).equals(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(st.sampled_from("=+-@'\t\n,\"aé"), max_size=4), min_size=1, max_size=6))
def test_any_name_comes_back(tmp_path: Path, names: list[str]) -> None:
    table = table_of(names, [1.0] * len(names))
    assert unguarded(guarded(table)["series"]).tolist() == names
    assert all(name[:1] not in list("=+-@\t\r\n") for name in guarded(table)["series"] if name)
    write_pairs(tmp_path / "train_pairs.csv", table)
    assert read_table(tmp_path / "train_pairs.csv", COLUMNS)["series"].tolist() == names
