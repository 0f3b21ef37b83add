"""A few tiny series as the stages before write_tfrecords leave them: resized photos, catalog, pairs, folded pairs."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

SERIES_DAYS = {"BC_01": [1, 2, 4, 9], "BC_02": [3, 5, 6], "LT_01": [2, 12, 31], "LT_02": [1, 4]}
FOLDS = {"BC_01": 0, "BC_02": 1, "LT_01": 1, "LT_02": 2}
PAIRS_OF_FOLD = {0: 6, 1: 3 + 3, 2: 1}
TEST_STEMS = ("idx_LT_1003_00341", "idx_LT_1003_00017", "idx_LT_1003_00088")
TEST_PAIRS = ((0, 1), (1, 2))  # positions in TEST_STEMS, by idx
UNUSED = "train/BC_09/DAT01"  # a series of one photo: in the catalog, in no pair


def jpeg(rng: np.random.Generator, width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG with soft shapes and some grain, as photos have."""
    channels = (3,) if mode == "RGB" else ()
    coarse = Image.fromarray(rng.integers(0, 256, (12, 12, *channels), np.uint8)).resize((width, height))
    grain = Image.fromarray(rng.integers(0, 256, (height, width, *channels), np.uint8)).filter(ImageFilter.GaussianBlur(1))
    file = io.BytesIO()
    Image.blend(coarse, grain, 0.2).save(file, "JPEG", **options)
    return file.getvalue()


def write_sources(root: Path) -> dict[str, Path]:
    """Writes the folders images, catalog, pairs and folded_pairs below `root`, and returns them by these names."""
    rng = np.random.default_rng(7)
    folders = {name: root / name for name in ("images", "catalog", "pairs", "folded_pairs")}
    tables = {("catalog", "images.csv"): catalog(), ("pairs", "test_pairs.csv"): challenge_pairs()}
    tables["folded_pairs", "train_pairs.csv"] = train_pairs().sample(frac=1.0, random_state=34)
    for path in catalog()["path"]:
        (folders["images"] / path).parent.mkdir(parents=True, exist_ok=True)
        (folders["images"] / path).write_bytes(jpeg(rng, 48, 48))
    for (folder, file), table in tables.items():
        folders[folder].mkdir(parents=True)
        table.to_csv(folders[folder] / file, index=False)
    return folders


def catalog() -> pd.DataFrame:
    photos: list[tuple[str, str, str, str, int | None]] = [
        ("train", series[:2], series, f"DAT{day:02d}", day) for series, days in SERIES_DAYS.items() for day in days
    ]
    photos += [("train", "BC", "BC_09", "DAT01", 1)]
    photos += [("test", "LT", "LT_1003", stem, None) for stem in TEST_STEMS]
    rows = [
        (f"{split}/{series}/{stem}", split, species, series, day, f"{split}_dataset/{species}/{series}/{stem}.jpg")
        for split, species, series, stem, day in photos
    ]
    return pd.DataFrame(rows, columns=["image_id", "split", "species", "series", "day", "path"]).astype({"day": "Int64"})


def train_pairs() -> pd.DataFrame:
    rows = [
        (series[:2], series, f"train/{series}/DAT{a:02d}", f"train/{series}/DAT{b:02d}", b - a, FOLDS[series])
        for series, days in SERIES_DAYS.items()
        for a, b in itertools.combinations(days, 2)
    ]
    columns = ["species", "series", "before_image_id", "after_image_id", "time_delta_days", "fold"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "pair_id", [f"comb_{number:06d}" for number in range(len(table))])
    return table


def challenge_pairs() -> pd.DataFrame:
    rows = [
        (f"comb_{idx:06d}", idx, "LT", "LT_1003", f"test/LT_1003/{TEST_STEMS[before]}", f"test/LT_1003/{TEST_STEMS[after]}")
        for idx, (before, after) in enumerate(TEST_PAIRS)
    ]
    return pd.DataFrame(rows, columns=["pair_id", "idx", "species", "series", "before_image_id", "after_image_id"])
