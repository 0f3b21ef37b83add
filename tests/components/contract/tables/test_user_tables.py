"""Tables as spreadsheets make them: what does not matter is read, what may mean something else is refused with one hint."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from components.contract.tables.by_idx import read_few_labels, read_labels, read_order
from components.contract.tables.user_tables import read_test_data, read_user_table
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings

STEMS = ("idx_LT_1003_00007", "Pflanze_Größe_2", "idx_LT_1003_00500")
PAIRS = [(0, 0, 1), (1, 0, 2), (2, 1, 2)]
TABLE = "idx,before_file_path,after_file_path\n" + "".join(f"{idx},{STEMS[a]},{STEMS[b]}\n" for idx, a, b in PAIRS)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Of three test photos of one series, and a train series."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    rows = [(f"test/LT_1003/{stem}", "test", "LT", "LT_1003", None, f"{stem}.jpg") for stem in STEMS]
    rows += [(f"train/LT_01/DAT0{day}", "train", "LT", "LT_01", day, f"DAT0{day}.jpg") for day in (1, 2)]
    columns = ["image_id", "split", "species", "series", "day", "path"]
    pd.DataFrame(rows, columns=columns).astype({"day": "Int64"}).to_csv(folder / "images.csv", index=False)
    return folder


def paired(catalog: Path, content: bytes) -> list[tuple[int, str, str]]:
    """The test pairs that a test_data.csv of this content gives."""
    (catalog / "test_data.csv").write_bytes(content)
    generate_pairs(catalog=catalog, pairs=catalog.parent / "pairs", settings=GeneratePairsSettings())
    table = pd.read_csv(catalog.parent / "pairs/test_pairs.csv")
    return list(table[["idx", "before_image_id", "after_image_id"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "text",
    [
        TABLE + ",,\n,,\n",
        TABLE + "\n   \n, ,\n",
        TABLE.replace("\n0,", "\n0.0,").replace("\n2,", "\n2.,"),
        TABLE.replace("idx,", "idx ,", 1),
        TABLE.replace("idx,before_file_path", "IDX , Before_File_Path", 1),
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r"),
        TABLE.replace("\n", "\r\n"),
        TABLE.rstrip("\n"),
        TABLE.replace(STEMS[0], f" {STEMS[0]}  "),
        TABLE.replace(STEMS[0], f"{STEMS[0]}\u200b").replace(STEMS[2], f"\ufeff{STEMS[2]}"),
        TABLE.replace(STEMS[0], f"{STEMS[0]}.PNG").replace(STEMS[2], f"{STEMS[2]}.jpeg"),
        TABLE.replace(STEMS[0], f"test_dataset/LT/1003/{STEMS[0]}.png").replace(STEMS[2], f"C:\\photos\\{STEMS[2]}"),
        TABLE.replace(STEMS[0], STEMS[0].upper()).replace(STEMS[1], STEMS[1].lower()),
        unicodedata.normalize("NFD", TABLE),
        TABLE.replace(STEMS[1], f'"{STEMS[1]}"'),
        TABLE.replace("\n", ",\n"),
    ],
    ids=[
        "rows of commas", "blank rows", "idx as a decimal", "blank in a header", "capitals in a header", "byte order mark", "CR",
        "CRLF", "no last line end", "blanks around names", "signs nobody sees", "endings", "folders", "other case", "decomposed",
        "quotes", "a column of nothing",
    ],
)  # fmt: skip
def test_what_spreadsheets_do_to_a_table_does_not_matter(catalog: Path, text: str) -> None:
    expected = [(idx, f"test/LT_1003/{STEMS[a]}", f"test/LT_1003/{STEMS[b]}") for idx, a, b in PAIRS]
    assert paired(catalog, text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (TABLE.replace(",", ";"), "semicolons between fields"),
        (TABLE.replace(",", "\t"), "tabs between fields"),
        (TABLE.replace(",", "|"), "bars between fields"),
        ("sep=,\n" + TABLE, "'sep=,', is for a spreadsheet"),
        ("sep=;\n" + TABLE.replace(",", ";"), "'sep=;', is for a spreadsheet"),
        (TABLE.replace("\n1,", "\n=A2+1,"), "line 3: idx='=A2+1', a formula"),
        (TABLE.replace("\n1,", '\n"1,0",'), "line 3: idx='1,0', with a decimal comma"),
        (TABLE.replace("\n1,", "\n1,0,"), "line 3: 4 fields"),
        (TABLE.replace("\n1,", "\n1 pair,"), "line 3: idx='1 pair', with a unit"),
        (TABLE.replace("\n1,", "\n#REF!,"), "line 3: idx='#REF!'"),
        (TABLE.replace("\n1,", "\n1e0,"), "line 3: idx='1e0'"),
        (TABLE.replace(STEMS[2], "idx_LT_1003_00501"), "nearest: idx_LT_1003_00500"),
        (TABLE.replace(STEMS[1], "Pflanze Größe 2"), "nearest: Pflanze_Größe_2"),
    ],
)
def test_what_may_mean_something_else_is_refused_with_one_hint(catalog: Path, text: str, hint: str) -> None:
    with pytest.raises(ValueError) as error:
        paired(catalog, text.encode())
    assert f"{catalog}/test_data.csv" in str(error.value)
    assert str(error.value).count(hint) == 1


@pytest.mark.parametrize(
    ("days", "hint"),
    [
        ("3.5 d", "time_delta='3.5 d', with a unit"),
        ("7days", "time_delta='7days', with a unit"),
        ('"3,5"', "time_delta='3,5', with a decimal comma"),
        ("=B2-A2", "time_delta='=B2-A2', a formula"),
        ("3,5", "line 3: 3 fields, 1,3,5"),
        ("", "idx 1 has no days"),
        ("#N/A", "idx 1 has no days"),
    ],
)
def test_labels_that_are_no_numbers_are_refused_with_one_hint(catalog: Path, days: str, hint: str) -> None:
    (catalog / "test_labels.csv").write_text(f"idx,time_delta\n0,2\n1,{days}\n2,4\n")
    with pytest.raises(ValueError, match=f"^{catalog}/test_labels.csv") as error:
        read_labels(catalog, pd.Series([0, 1, 2]))
    assert hint in str(error.value)


def test_labels_may_be_fractions_zero_and_below(catalog: Path) -> None:
    (catalog / "test_labels.csv").write_text("idx,time_delta\n0, -2.5 \n1.0,0\n2,4\n,\n")
    assert read_labels(catalog, pd.Series([2, 0, 1])).tolist() == [4.0, -2.5, 0.0]


def test_the_order_of_a_submission_survives_a_spreadsheet(catalog: Path) -> None:
    (catalog / "test_data.csv").write_text(TABLE)
    (catalog / "sample_submission.csv").write_bytes("\ufeffidx ,Time_Delta\r\n2.0,0\r\n0.0,0\r\n1.0,0\r\n,\r\n".encode())
    order, path = read_order(catalog)
    assert order.tolist() == [2, 0, 1]
    assert path.name == "sample_submission.csv"


def test_a_photo_with_itself_and_a_pair_that_is_there_twice_are_said(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = f"7,{STEMS[0]},{STEMS[0]}\n8,{STEMS[0]},{STEMS[1]}\n9,{STEMS[1]},{STEMS[0]}\n"  # two orders are two pairs
    (catalog / "test_data.csv").write_text(TABLE + rows)
    record = generate_pairs(catalog=catalog, pairs=catalog.parent / "pairs", settings=GeneratePairsSettings())
    assert record["noticed"] == [
        {"what": "idx 7", "why": "a pair of a photo with itself"},
        {"what": "idx 8", "why": "a pair that is there twice"},
    ]
    assert "idx 7: a pair of a photo with itself" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["test_data.csv", "table.csv"])
def test_the_table_itself_is_not_changed(catalog: Path, name: str) -> None:
    content = ("\ufeff" + TABLE.replace("\n", "\r\n") + ",,\r\n").encode()
    (catalog / name).write_bytes(content)
    table = read_test_data(catalog) if name == "test_data.csv" else read_user_table(catalog / name, ("idx", "after_file_path"))
    assert table["idx"].tolist() == [0, 1, 2]
    assert (catalog / name).read_bytes() == content


def test_a_few_labels_may_be_a_copy_of_the_pairs_filled_in_here_and_there(catalog: Path) -> None:
    (catalog / "few_labels.csv").write_text("idx,before_file_path,after_file_path,time_delta\n0,a,b,\n1,b,c, 3.5 \n2,a,c,\n")
    assert read_few_labels(catalog, pd.Series([2, 0, 1])).to_dict() == {1: 3.5}
    assert read_few_labels(catalog / "nowhere", pd.Series([0])) is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("9,3", r"idx 9 is not in test_data.csv \(1 such\)"),
        ("1,soon", "idx 1: time_delta='soon'.*number of days above 0"),
        ("1,0", "idx 1: time_delta='0'"),
        ("1,-2", "idx 1: time_delta='-2'"),
        ("1,inf", "idx 1: time_delta='inf'"),
        ("1,3\n1,4", "idx=1 is there twice"),
    ],
)
def test_a_few_labels_that_cannot_be_are_refused(catalog: Path, rows: str, words: str) -> None:
    (catalog / "few_labels.csv").write_text(f"idx,time_delta\n{rows}\n")
    with pytest.raises(ValueError, match=f"few_labels.csv.*{words}"):
        read_few_labels(catalog, pd.Series([0, 1, 2]))
