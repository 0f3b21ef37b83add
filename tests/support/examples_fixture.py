"""A small `examples/` artifact, written by the real stages from discs that grow by the day."""

from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw

from components.contract import schema
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

PHOTO_SIZE = 48  # px


def write_examples(root: Path, *, num_folds: int = 2, layout: str = "images", days: tuple[int, ...] = (1, 3, 4, 8, 9)) -> Path:
    """Writes catalog, pairs, folded_pairs and examples below `root`: four train series, one test series of three photos."""
    rows = [
        (f"train/{species}_{n:02d}/DAT{day:02d}", "train", species, f"{species}_{n:02d}", day, f"{species}{n}_{day}.jpg")
        for species in ("BC", "LT")
        for n in (1, 2)
        for day in days
    ]
    rows += [(f"test/LT_1003/idx_LT_1003_{n}", "test", "LT", "LT_1003", None, f"test_{n}.jpg") for n in range(3)]
    (root / "images").mkdir(parents=True)
    (root / "catalog").mkdir()
    for _, _, species, series, day, path in rows:
        draw_disc(root / "images" / path, species, series, day or 5)
    catalog = pd.DataFrame(rows, columns=list(schema.IMAGES_COLUMNS)).astype({"day": "Int64"})
    catalog.to_csv(root / "catalog" / schema.IMAGES_CSV, index=False)
    stems = [f"idx_LT_1003_{n}" for n in range(3)]
    test_data = pd.DataFrame({"idx": [0, 1, 2], "before_file_path": stems, "after_file_path": stems[1:] + stems[:1]})
    test_data.to_csv(root / "catalog" / schema.TEST_DATA_CSV, index=False)
    generate_pairs(catalog=root / "catalog", pairs=root / "pairs", settings=GeneratePairsSettings())
    split_folds(pairs=root / "pairs", folded_pairs=root / "folded_pairs", settings=SplitFoldsSettings(num_folds=num_folds))
    write_tfrecords(
        images=root / "images",
        catalog=root / "catalog",
        pairs=root / "pairs",
        folded_pairs=root / "folded_pairs",
        examples=root / "examples",
        settings=WriteTfrecordsSettings(layout=layout),
    )
    return root / "examples"


def draw_disc(path: Path, species: str, series: str, day: int) -> None:
    """A green disc whose radius is the day, off centre so that every transform shows."""
    photo = Image.new("RGB", (PHOTO_SIZE, PHOTO_SIZE), (90, 60 + 5 * int(series[-1]), 40))
    draw = ImageDraw.Draw(photo)
    draw.circle((20, 28), 2 * day, fill=(60, 160, 50) if species == "BC" else (150, 210, 60))
    photo.save(path)
