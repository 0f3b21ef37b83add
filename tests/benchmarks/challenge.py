"""A size and a place enter; TFRecords of the challenge's photos and pairs leave, ours and the winner's from the same JPEGs.

753 train photos in 19 series (14,613 pairs) and 307 test photos (3,960 pairs), as in the challenge. A few photos are drawn, and
stand for all: what an image shows does not change what reading it costs.
"""

from pathlib import Path

import pandas as pd
from PIL import Image

from components.contract import schema
from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.sample_dataset.photo import take_photo
from components.sample_dataset.plan import plan_dataset
from components.sample_dataset.settings import SampleDatasetSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

DRAWN = 24
OURS, WINNERS = "images", "pairs"  # layouts, and the folders of their TFRecords


def write_challenge(root: Path, *, image_size: int, train_pairs: int, test_pairs: int) -> None:
    """Writes `root`/images, of every photo, and `root`/pairs, the winner's TFRecords of some pairs.

    Args:
        root: a folder that is not there yet.
        image_size: width and height of the JPEGs, px.
        train_pairs: how many of the 14,613 the winner's files get; all of them would be 39 times the bytes.
        test_pairs: likewise, of the 3,960.
    """
    folders = {name: root / "sources" / name for name in ("images", "catalog", "pairs", "folded_pairs")}
    some = {name: root / "some" / name for name in ("pairs", "folded_pairs")}
    for folder in (*folders.values(), *some.values()):
        folder.mkdir(parents=True)
    write_catalog(folders["images"], folders["catalog"], image_size)
    generate_pairs(catalog=folders["catalog"], pairs=folders["pairs"], settings=GeneratePairsSettings())
    split_folds(pairs=folders["pairs"], folded_pairs=folders["folded_pairs"], settings=SplitFoldsSettings())
    write_tfrecords(**folders, examples=root / OURS, settings=WriteTfrecordsSettings(layout=OURS))
    for folder, name, count in (
        ("folded_pairs", schema.TRAIN_PAIRS_CSV, train_pairs),
        ("pairs", schema.TEST_PAIRS_CSV, test_pairs),
    ):
        pd.read_csv(folders[folder] / name).head(count).to_csv(some[folder] / name, index=False)
    write_tfrecords(**(folders | some), examples=root / WINNERS, settings=WriteTfrecordsSettings(layout=WINNERS))


def write_catalog(images: Path, catalog: Path, image_size: int) -> None:
    """Draws the photos and writes the two tables of the catalog."""
    draw_photos(images, image_size)
    plan = plan_dataset(SampleDatasetSettings(challenge_counts=True, test_pairs=3960))
    rows = [
        (split, photo.series.species, photo.series.folder, photo.day if split == schema.TRAIN else None, Path(photo.path).stem)
        for split, photos in ((schema.TRAIN, plan.train), (schema.TEST, plan.test))
        for photo in photos
    ]
    table = pd.DataFrame(rows, columns=["split", "species", "series", "day", "stem"]).astype({"day": "Int64"})
    table["image_id"] = table["split"] + "/" + table["series"] + "/" + table["stem"]
    table["path"] = [f"{number % DRAWN}.jpg" for number in range(len(table))]
    table[list(schema.IMAGES_COLUMNS)].to_csv(catalog / schema.IMAGES_CSV, index=False)
    pairs = [(number, before, after) for number, (before, after, *_) in enumerate(plan.test_pairs)]
    columns = ["idx", "before_file_path", "after_file_path"]
    pd.DataFrame(pairs, columns=columns).to_csv(catalog / schema.TEST_DATA_CSV, index=False)


def draw_photos(images: Path, image_size: int) -> None:
    """Writes 0.jpg to 23.jpg, photos of plants of any age as resize_images leaves them."""
    settings = SampleDatasetSettings(challenge_counts=True, width=image_size * 4 // 3, height=image_size)
    photos = plan_dataset(settings).train
    for number, photo in enumerate(photos[:: len(photos) // DRAWN][:DRAWN]):
        Image.fromarray(take_photo(photo, settings)).resize((image_size, image_size)).save(images / f"{number}.jpg")
