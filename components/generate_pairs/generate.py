"""Pairs up photos: every (earlier, later) pair of each train series, and the test pairs."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.artifacts import atomic_write, write_record
from components.contract.tables.by_idx import read_few_labels, read_labels, read_order
from components.contract.tables.pair_csv import ROWS_AT_A_TIME, write_pairs
from components.contract.tables.stage_tables import read_images
from components.contract.tables.user_tables import read_test_data
from components.generate_pairs.settings import GeneratePairsSettings
from components.raw.layout import PHOTO_SUFFIXES

INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")  # zero-width signs, which spreadsheets and chats leave in names
SHOWN_ODD = 5


def generate_pairs(
    *, catalog: Path, pairs: Path, settings: GeneratePairsSettings, splits: Sequence[str] = schema.SPLITS
) -> dict[str, Any]:
    """Writes train_pairs.csv, unless `splits` is test alone, test_pairs.csv and, last, stage.json; returns the record.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: no train series has two photos; a row of test_data.csv that does not name two photos of one test series; as
            `read_order` and `read_labels`.
    """
    images = read_images(catalog).drop(columns="path")
    tables, counts, single = dict[str, Any](), dict[str, int](), list[str]()
    if schema.TRAIN in splits:
        photos = images[images["split"] == schema.TRAIN].sort_values(
            ["species", "series", "day"], kind="stable", ignore_index=True
        )
        series = series_of(photos)
        tables[schema.TRAIN_PAIRS_CSV] = train_pairs(photos, series)
        counts = {"train_pairs": int(series["pairs"].sum()), "train_series": int((series["pairs"] > 0).sum())}
        single = [str(name) for _, name in series.index[series["pairs"] == 0]]
    test = make_test_pairs(images[images["split"] == schema.TEST], read_test_data(catalog), catalog)
    read_order(catalog)  # calibrate needs these, hours later: what is wrong with them is said now
    for name in (schema.TEST_LABELS_CSV, schema.TEST_ORACLE_CSV):
        read_labels(catalog, test["idx"], name)
    read_few_labels(catalog, test["idx"])
    pairs.mkdir(parents=True, exist_ok=True)
    for name, table in (tables | {schema.TEST_PAIRS_CSV: test}).items():
        with atomic_write(pairs / name) as path:
            write_pairs(path, table)
    counts |= {"test_pairs": len(test), "test_series": test["series"].nunique(), "skipped_series": len(single)}
    skipped = [(series, "a series of one photo makes no pair") for series in single]
    odd = odd_pairs(test)
    for what, why in odd[:SHOWN_ODD]:
        print(f"{schema.TEST_DATA_CSV}, {what}: {why}")
    return write_record(pairs, "generate_pairs", settings, counts, skipped, odd)


def series_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Returns by (species, series) the row that a series starts in, how many photos it has, and how many pairs they make.

    Args:
        photos: the train rows of the catalog, sorted by species, series and day.

    Raises:
        ValueError: no series has two photos.
    """
    sizes = photos.groupby(["species", "series"], sort=False).size()
    if (sizes < 2).all():
        single = [str(series) for _, series in sizes.index]
        raise ValueError(
            f"{len(single)} train series, each of one photo ({', '.join(single[:5])}), make no pair. Expected at least one "
            f"series of two photos; photos of one plant belong in one folder, {schema.TRAIN_FOLDER}/<species>/<series>/."
        )
    return pd.DataFrame({"start": sizes.cumsum() - sizes, "photos": sizes, "pairs": sizes * (sizes - 1) // 2})


def train_pairs(photos: pd.DataFrame, series: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yields TRAIN_PAIRS_COLUMNS, some series at a time: all pairs of many photos take ten times the memory of the photos.

    Series come in (species, series) order; within one, pairs come as `itertools.combinations` of its photos in day order.

    Args:
        photos, series: as `series_of` takes and returns them.
    """
    day = photos["day"].to_numpy(dtype="int64" if photos["day"].dtype == "Int64" else "float64")
    first = series["pairs"].cumsum() - series["pairs"]
    for _, some in series[series["pairs"] > 0].groupby(first // ROWS_AT_A_TIME):
        # row by row: the order of itertools.combinations
        places = zip(some["start"].tolist(), some["photos"].tolist(), strict=True)
        corners = [start + np.array(np.triu_indices(number, 1)) for start, number in places]
        before, after = np.concatenate(corners, axis=1)
        table = photos[["species", "series"]].take(before).reset_index(drop=True)
        numbers = range(first[some.index[0]], first[some.index[0]] + len(before))
        table.insert(0, "pair_id", list(map(schema.PAIR_ID.format, numbers)))
        table["before_image_id"] = photos["image_id"].array.take(before)
        table["after_image_id"] = photos["image_id"].array.take(after)
        table["time_delta_days"] = np.round(day[after] - day[before], schema.DAY_DECIMALS)
        yield table[list(schema.TRAIN_PAIRS_COLUMNS)]


def make_test_pairs(images: pd.DataFrame, test_data: pd.DataFrame, catalog: Path) -> pd.DataFrame:
    """Returns TEST_PAIRS_COLUMNS of the catalog's test rows, one row per row of test_data.csv and in its order.

    A folder before a stem in test_data.csv, and an image suffix after it, do not matter.

    Raises:
        ValueError: a photo that is not there, or two photos of different series.
    """
    by_stem = images.set_index(images["image_id"].str.rsplit("/", n=1).str[-1])
    stems = {side: known_stems(read_stems(test_data[f"{side}_file_path"]), by_stem.index) for side in ("before", "after")}
    for side, stem in stems.items():
        missing = ~stem.isin(by_stem.index)
        if missing.any():
            row = int(np.argmax(missing))
            near = nearest(stem[row], by_stem.index)
            raise ValueError(
                f"{catalog / schema.TEST_DATA_CSV}, idx {test_data['idx'][row]}: {side}_file_path names {stem[row]!r}, and the "
                f"test set has no such photo ({missing.sum()} such rows){near}. "
                f"Add the photo under {schema.TEST_FOLDER}/, correct "
                f"the row or remove it; if resize_images left the photo out as a bad one ({catalog / schema.STAGE_RECORD}), "
                "replace the photo."
            )
    before, after = (by_stem.loc[stem].reset_index(drop=True) for stem in stems.values())
    apart = before["series"] != after["series"]
    if apart.any():
        row = int(np.argmax(apart))
        raise ValueError(
            f"{catalog / schema.TEST_DATA_CSV}, idx {test_data['idx'][row]}: {stems['before'][row]!r} is of series "
            f"{before['series'][row]} and {stems['after'][row]!r} of {after['series'][row]}. Expected two photos of one plant; "
            "correct or remove the row."
        )
    table = before[["species", "series"]].copy()
    table["idx"] = test_data["idx"].to_numpy()
    table["pair_id"] = table["idx"].map(schema.PAIR_ID.format)
    table["before_image_id"], table["after_image_id"] = before["image_id"], after["image_id"]
    return table[list(schema.TEST_PAIRS_COLUMNS)]


def known_stems(stems: pd.Series, photos: pd.Index) -> pd.Series:
    """Returns the stems as the photos have them, also where a table writes them in other case or Unicode form."""
    strange = ~stems.isin(photos)
    if not strange.any():
        return stems
    forms = Counter(map(same_form, photos))
    photo_of = {same_form(photo): photo for photo in photos if forms[same_form(photo)] == 1}
    return stems.where(~strange, stems.map(lambda stem: photo_of.get(same_form(stem), stem)))


def same_form(name: str) -> str:
    """Returns what names are compared by that differ in case, in Unicode form, or in signs that nobody sees."""
    return unicodedata.normalize("NFC", INVISIBLE.sub("", name)).casefold()


def nearest(stem: str, photos: pd.Index) -> str:
    """Returns which photos have almost that name, in words."""
    close = difflib.get_close_matches(stem, list(photos), n=2)
    return f"; nearest: {', '.join(close)}" if close else ""


def odd_pairs(test: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the test pairs of a photo with itself, and those that are there twice, with the reason."""
    ids = [*schema.PHOTO_IDS]
    itself, twice = test[ids[0]] == test[ids[1]], test.duplicated(ids)
    found = [(f"idx {idx}", "a pair of a photo with itself") for idx in test["idx"][itself]]
    return found + [(f"idx {idx}", "a pair that is there twice") for idx in test["idx"][twice]]


def read_stems(names: pd.Series) -> pd.Series:
    """Returns the stems that file paths name: without folder (either slash) and without a photo's suffix (in any case)."""
    suffix = "|".join(re.escape(suffix) for suffix in PHOTO_SUFFIXES)
    return (
        names.str.replace(INVISIBLE, "", regex=True)
        .str.strip()
        .str.replace(r"^.*[/\\]", "", regex=True)
        .str.replace(rf"(?i:{suffix})$", "", regex=True)
    )
