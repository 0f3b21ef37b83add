"""The catalog's tables as they lie on disk enter; checked data frames leave."""

from pathlib import Path

import pandas as pd

from components import schema

TEST_DATA_COLUMNS = ("idx", "before_file_path", "after_file_path")


def read_images(catalog: Path) -> pd.DataFrame:
    """Returns images.csv: text columns as str (a series may be called 0010 or NA), `day` as Int64.

    Raises:
        FileNotFoundError: the catalog has no images.csv.
        ValueError: columns are missing, or a train photo has no day.
    """
    path = catalog / schema.IMAGES_CSV
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected the catalog that resize_images writes; run that stage first.")
    images = pd.read_csv(path, dtype=str, keep_default_na=False)
    refuse_missing_columns(images, schema.IMAGES_COLUMNS, path)
    images["day"] = pd.to_numeric(images["day"].replace("", None)).astype("Int64")
    dayless = images[(images["split"] == schema.TRAIN) & images["day"].isna()]
    if len(dayless):
        raise ValueError(f"{path}: train photo {dayless['image_id'].iloc[0]} has no day. Expected an integer in column day.")
    return images


def read_test_data(catalog: Path) -> pd.DataFrame:
    """Returns test_data.csv with `idx` as int64 and the two paths as str.

    Raises:
        FileNotFoundError: the catalog has no test_data.csv.
        ValueError: columns are missing, no row, an idx that is no whole number >= 0, an idx that is there twice.
    """
    path = catalog / schema.TEST_DATA_CSV
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected a copy of the raw data's {schema.RAW_TEST_DATA}.")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    refuse_missing_columns(table, TEST_DATA_COLUMNS, path)
    if table.empty:
        raise ValueError(f"{path}: no row. Expected one row per test pair.")
    idx = table["idx"].str.strip()
    wrong = idx[~idx.str.fullmatch("[0-9]{1,18}")]
    if len(wrong):
        raise ValueError(f"{path}, line {wrong.index[0] + 2}: idx={wrong.iloc[0]!r}. Expected a whole number of at least 0.")
    table["idx"] = idx.astype("int64")
    twice = table[table["idx"].duplicated()]
    if len(twice):
        raise ValueError(f"{path}, line {twice.index[0] + 2}: idx={twice['idx'].iloc[0]} is there twice. Expected each idx once.")
    return table


def refuse_missing_columns(table: pd.DataFrame, expected: tuple[str, ...], path: Path) -> None:
    """Raises ValueError, naming both lists, where `table` lacks one of the expected columns."""
    if not set(expected) <= set(table.columns):
        raise ValueError(f"{path}: columns {', '.join(table.columns)}. Expected {', '.join(expected)}; correct the first line.")
