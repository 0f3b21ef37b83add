"""Pairs against plain loops over file names, written as the winner's recipe tells it."""

import itertools
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kfp import dsl

from components.contract.tables.by_idx import read_labels
from components.contract.tables.user_tables import read_user_table
from components.generate_pairs import generate
from components.generate_pairs.component import generate_pairs as face
from components.generate_pairs.settings import GeneratePairsSettings

# photos per series, 753 in 19: the sum of n(n-1)/2 is the challenge's 14,613 pairs
BC = (40, 38, 39, 40, 39, 40, 38, 40, 39)
LT = (43, 35, 43, 42, 35, 43, 38, 43, 35, 43)
TEST_STEMS = ("idx_LT_1003_00341", "idx_LT_1003_00112", "idx_LT_1088_00007", "idx_LT_1088_00500")


def train_files() -> dict[tuple[str, str], list[str]]:
    """File names by (species, series); each third series misses day 5."""
    files = {}
    for species, sizes in (("LT", LT), ("BC", BC)):
        for number, size in enumerate(sizes, start=1):
            days = [day for day in range(1, size + 2) if day != (5 if number % 3 == 0 else size + 1)]
            files[species, f"{species}_{number:02d}"] = [f"DAT{day:02d}" for day in days]
    return files


def write_catalog(folder: Path, files: dict[tuple[str, str], list[str]], rows: str = "0,{0},{1}\n7,{2},{3}\n") -> Path:
    """images.csv without images, as resize_images would write it, and test_data.csv."""
    images = []
    for (species, series), stems in sorted(files.items()):
        for stem in sorted(stems, key=lambda stem: int(re.findall("[0-9]+$", stem)[0])):
            day = re.findall("[0-9]+$", stem)[0]
            images.append(
                (f"train/{series}/{stem}", "train", species, series, int(day), f"train_dataset/{species}/{series}/{stem}.jpg")
            )
    for stem in sorted(TEST_STEMS):
        series = stem[4:11]
        images.append((f"test/{series}/{stem}", "test", "LT", series, "", f"test_dataset/LT/{series[3:]}/{stem}.jpg"))
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(images, columns=["image_id", "split", "species", "series", "day", "path"]).to_csv(
        folder / "images.csv", index=False
    )
    (folder / "test_data.csv").write_text("idx,before_file_path,after_file_path\n" + rows.format(*TEST_STEMS))
    return folder


def run(catalog: Path) -> dict:
    return generate.generate_pairs(catalog=catalog, pairs=catalog.parent / "pairs", settings=GeneratePairsSettings())


def read(catalog: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(catalog.parent / "pairs" / name, dtype={"series": str}, keep_default_na=False)


def test_pairs_of_the_challenges_size_equal_the_winners(tmp_path: Path) -> None:
    files = train_files()
    assert (len(files), sum(BC), sum(LT)) == (19, 353, 400)
    expected = []
    for (species, series), stems in sorted(files.items()):
        for before, after in itertools.combinations(sorted(stems), 2):
            delta = int(after[3:]) - int(before[3:])
            expected.append(
                (f"comb_{len(expected):06d}", species, series, f"train/{series}/{before}", f"train/{series}/{after}", delta)
            )
    record = run(write_catalog(tmp_path / "catalog", files))
    table = read(tmp_path / "catalog", "train_pairs.csv")
    assert list(table.columns) == ["pair_id", "species", "series", "before_image_id", "after_image_id", "time_delta_days"]
    assert len(table) == record["counts"]["train_pairs"] == 14_613
    assert list(table.itertuples(index=False, name=None)) == expected


def test_unpadded_days_are_in_order_of_time(tmp_path: Path) -> None:
    run(write_catalog(tmp_path / "catalog", {("BC", "BC_01"): ["DAT10", "DAT7", "DAT8"]}))
    table = read(tmp_path / "catalog", "train_pairs.csv")
    assert [
        (before[-2:], after[-2:]) for before, after in zip(table["before_image_id"], table["after_image_id"], strict=True)
    ] == [
        ("T7", "T8"),
        ("T7", "10"),
        ("T8", "10"),
    ]
    assert list(table["time_delta_days"]) == [1, 3, 2]


def test_species_come_before_series_whatever_the_series_are_called(tmp_path: Path) -> None:
    run(write_catalog(tmp_path / "catalog", {("LT", "A"): ["DAT1", "DAT2"], ("BC", "Z"): ["DAT1", "DAT2"]}))
    assert list(read(tmp_path / "catalog", "train_pairs.csv")["series"]) == ["Z", "A"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["BC", "LT", "NA"]), st.sampled_from(["01", "2", "10", "NA", "a b", 'q"u', "x,y"])),
        st.sets(st.integers(0, 400), min_size=1, max_size=9),
        min_size=1,
    )
)
def test_pairs_never_cross_series(tmp_path: Path, series: dict[tuple[str, str], set[int]]) -> None:
    files = {(species, f"{species}_{name}"): [f"DAT{day}" for day in days] for (species, name), days in series.items()}
    catalog = write_catalog(tmp_path / "catalog", files)
    if all(len(days) == 1 for days in series.values()):
        with pytest.raises(ValueError, match="make no pair"):
            run(catalog)
        return
    run(catalog)
    table = read(catalog, "train_pairs.csv")
    seen = set()
    for row in table.itertuples():
        (_, before_series, before), (_, after_series, after) = row.before_image_id.split("/"), row.after_image_id.split("/")
        assert before_series == after_series == row.series
        assert row.series.startswith(row.species + "_")
        assert row.time_delta_days == int(after[3:]) - int(before[3:]) > 0
        seen.add((row.before_image_id, row.after_image_id))
    assert len(seen) == len(table) == sum(len(days) * (len(days) - 1) // 2 for days in series.values())
    assert list(table["pair_id"]) == [f"comb_{number:06d}" for number in range(len(table))]


def test_a_series_of_one_photo_is_skipped_counted_and_reported(tmp_path: Path) -> None:
    files = {("BC", "BC_01"): ["DAT01", "DAT02"], ("BC", "BC_02"): ["DAT01"], ("LT", "LT_01"): ["DAT01", "DAT05"]}
    record = run(write_catalog(tmp_path / "catalog", files))
    assert record["skipped"] == [{"what": "BC_02", "why": "a series of one photo makes no pair"}]
    assert record["counts"] == {"train_pairs": 2, "train_series": 2, "test_pairs": 2, "test_series": 2, "skipped_series": 1}
    table = read(tmp_path / "catalog", "train_pairs.csv")
    assert list(table["pair_id"]) == ["comb_000000", "comb_000001"]
    assert list(table["series"]) == ["BC_01", "LT_01"]
    assert json.loads((tmp_path / "pairs/stage.json").read_text()) == record


def test_only_series_of_one_photo_is_an_error(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", {("BC", "BC_01"): ["DAT01"], ("BC", "BC_02"): ["DAT01"]})
    with pytest.raises(ValueError, match=r"2 train series, each of one photo \(BC_01, BC_02\).*one folder"):
        run(catalog)


TWO_PHOTOS = {("BC", "BC_01"): ["DAT01", "DAT02"]}


@pytest.mark.parametrize(
    "rows",
    [
        "0,{0},{1}\n7,{2},{3}\n",
        "0,test_dataset/LT/1003/{0}.png,{1}.JPG\n7,LT\\1088\\{2}.jpeg, {3} \n",
        '"0","{0}","{1}"\r\n"7","{2}","{3}"\r\n',
    ],
    ids=["stems", "folders and suffixes", "quoted, CRLF"],
)
def test_test_pairs_are_the_rows_of_test_data(tmp_path: Path, rows: str) -> None:
    run(write_catalog(tmp_path / "catalog", TWO_PHOTOS, rows))
    table = read(tmp_path / "catalog", "test_pairs.csv")
    assert list(table.columns) == ["pair_id", "idx", "species", "series", "before_image_id", "after_image_id"]
    assert list(table.itertuples(index=False, name=None)) == [
        ("comb_000000", 0, "LT", "LT_1003", "test/LT_1003/idx_LT_1003_00341", "test/LT_1003/idx_LT_1003_00112"),
        ("comb_000007", 7, "LT", "LT_1088", "test/LT_1088/idx_LT_1088_00007", "test/LT_1088/idx_LT_1088_00500"),
    ]


def test_test_data_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    content = (catalog / "test_data.csv").read_bytes()
    (catalog / "test_data.csv").write_bytes(b"\xef\xbb\xbf" + content)
    assert run(catalog)["counts"]["test_pairs"] == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "0,{0},{1}\n3,idx_LT_9_9,{1}\n",
            ["idx 3", "before_file_path", "'idx_LT_9_9'", "on_bad_photo|left the photo out", "remove"],
        ),
        ("3,{0},\n", ["idx 3", "after_file_path", "''"]),
        ("5,{0},{2}\n", ["idx 5", "LT_1003", "LT_1088", "one plant", "remove the row"]),
        ("1,{0},{1}\n1,{2},{3}\n", ["line 3", "idx=1 is there twice"]),
        ("x,{0},{1}\n", ["line 2", "idx='x'", "whole number"]),
        ("-1,{0},{1}\n", ["line 2", "idx='-1'"]),
        ("", ["no row"]),
    ],
    ids=["missing photo", "no name", "two series", "idx twice", "idx no number", "idx below zero", "empty"],
)
def test_rows_that_do_not_name_two_photos_of_a_series_are_errors(tmp_path: Path, rows: str, words: list[str]) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS, rows)
    with pytest.raises(ValueError) as error:
        run(catalog)
    for word in ["test_data.csv", *words]:
        assert any(part in str(error.value) for part in word.split("|")), error.value
    assert not (tmp_path / "pairs/stage.json").exists()


HEADER = b"idx,before_file_path,after_file_path"
MALFORMED = [
    pytest.param(HEADER + b"\n0,a,b,\n1,c,d,\n", ["line 2", "4 fields, 0,a,b,", "Expected 3", "remove the comma"], id="comma"),
    pytest.param(HEADER + b"\n\n0,a,b\n1,c,d,e\n", ["line 4", "4 fields, 1,c,d,e", "Expected 3"], id="extra field"),
    pytest.param(HEADER + b"\n0,a,b\n1,c\n", ["line 3", "2 fields, 1,c", "Expected 3", "add what is missing"], id="short row"),
    pytest.param(b"", ["the file is empty", "idx,before_file_path,after_file_path"], id="empty"),
    pytest.param(b"\n \n", ["the file is empty"], id="blank"),
    pytest.param(HEADER + "\n0,a,b\n1,상추,d\n".encode("cp949"), ["line 3", "0xbb", "save it as UTF-8"], id="cp949"),
    pytest.param((HEADER + b"\n0,a,b\n").decode().encode("utf-16"), ["line 1", "save it as UTF-8"], id="UTF-16"),
    pytest.param(HEADER + b'\n0,a,b\n1,"c,d\n', ["line 3", "quotes in pairs"], id="open quote"),
    pytest.param(b"idx," + HEADER + b"\n0,1,a,b\n", ["columns idx, idx,", "each once", "first line"], id="column twice"),
    pytest.param(HEADER + b"\n0,a,b\n0.5,c,d\n", ["line 3", "idx='0.5'", "whole number", "correct the row"], id="half"),
    pytest.param(HEADER + b"\n0,a,b\n\n,c,d\n", ["line 4", "idx=''", "whole number"], id="no idx"),
    pytest.param(HEADER + b"\n0,a,b\n\n00,c,d\n", ["line 4", "idx=0 is there twice", "remove one"], id="idx twice"),
]


@pytest.mark.parametrize(("content", "words"), MALFORMED)
def test_a_malformed_table_is_an_error_that_names_line_and_fix(tmp_path: Path, content: bytes, words: list[str]) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    (catalog / "test_data.csv").write_bytes(content)
    with pytest.raises(ValueError) as error:
        run(catalog)
    assert type(error.value) is ValueError  # pandas' and Python's own parse errors are ValueErrors too
    assert all(word in str(error.value) for word in ["test_data.csv", *words]), error.value


def test_further_columns_and_blank_lines_of_a_table_do_not_matter(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    run(catalog)
    expected = (tmp_path / "pairs/test_pairs.csv").read_bytes()
    rows = f'"a note, quoted",{TEST_STEMS[0]},{TEST_STEMS[1]}, 0,\n\n,{TEST_STEMS[2]},{TEST_STEMS[3]},7 ,\n  \n'
    (catalog / "test_data.csv").write_text("note, before_file_path, after_file_path, idx,\n" + rows)
    run(catalog)
    assert (tmp_path / "pairs/test_pairs.csv").read_bytes() == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"idx,time_delta\n" + content)
    try:
        table = read_user_table(path, ("idx", "time_delta"))
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith(str(path))
    else:
        assert (table["idx"] >= 0).all()
        assert len(table) == table["idx"].nunique() > 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("sample_submission.csv", "idx,days\n0,3\n", "columns idx, days. Expected idx, time_delta"),
        ("sample_submission.csv", "idx,time_delta\n0,0\n7,0\n9,0\n", r"idx 9 is not in test_data\.csv \(1 such\)"),
        ("sample_submission.csv", "idx,time_delta\n7,0\n", r"idx 0 is not in the file \(1 such\)"),
        ("test_labels.csv", "idx,days\n0,3\n", "columns idx, days. Expected idx, time_delta"),
        ("test_labels.csv", "idx,time_delta\n0,3\n", r"idx 7 has no days \(1 such test pairs\)"),
        ("test_labels.csv", "idx,time_delta\n0,3\n7,\n", "idx 7 has no days"),
        ("test_labels.csv", "idx,time_delta\n0,inf\n7,2\n", "idx 0 has no days"),
    ],
)
def test_a_table_that_only_calibrate_needs_is_refused_before_anybody_trains(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    (catalog / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}: {words}"):
        run(catalog)
    assert not (tmp_path / "pairs/train_pairs.csv").exists()


def test_labels_of_pairs_that_nobody_asks_for_do_not_matter(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    (catalog / "sample_submission.csv").write_text("idx,time_delta\n7,0\n0,0\n")
    (catalog / "test_labels.csv").write_text("idx,time_delta\n7,2\n8,unknown\n0,3\n")
    run(catalog)
    assert read_labels(catalog, pd.Series([0, 7])).tolist() == [3.0, 2.0]


def test_missing_columns_and_files_are_errors(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    (catalog / "test_data.csv").write_text("idx,before,after\n0,a,b\n")
    with pytest.raises(ValueError, match=r"test_data\.csv: columns idx, before, after\. Expected idx, before_file_path, after"):
        run(catalog)
    (catalog / "test_data.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_data\.csv: missing"):
        run(catalog)
    (catalog / "images.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"images\.csv: missing.*resize_images"):
        run(catalog)


def test_component_writes_the_same_and_logs_counts(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", TWO_PHOTOS)
    pairs, copied = (dsl.Dataset(uri=str(tmp_path / f"out/{name}")) for name in ("pairs", "catalog"))
    face.python_func(catalogs=[dsl.Dataset(uri=str(catalog))], catalog=copied, pairs=pairs)
    run(catalog)
    written = ["manifest.json", "stage.json", "test_pairs.csv", "train_pairs.csv"]
    assert sorted(path.name for path in (tmp_path / "out/pairs").iterdir()) == written
    for path in (tmp_path / "pairs").iterdir():
        assert path.read_bytes() == (tmp_path / "out/pairs" / path.name).read_bytes()
    assert pairs.metadata == {"train_pairs": 1, "train_series": 1, "test_pairs": 2, "test_series": 2, "skipped_series": 0}
