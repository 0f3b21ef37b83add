"""The challenge's layout gives the catalog, pairs, folds and JPEGs that it gave before days, profiles and the rest were read."""

import hashlib
from pathlib import Path

from stored_photos import stored_photos

from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds

WRITTEN = {
    "images": "b4c9498b23b20aff7018376757c9c656de5c97b76d123e9fe576ecc0ab3377d8",
    "catalog": "a64b5a82dca80dda2f8be59cc4553d3ff4470b6faaa0752fb9f4781c5e5b0119",
    "pairs": "fd33131bbc3643c4f331ddd1648fce54579f4885ac032eae2c2c704da7e9849a",
    "folded_pairs": "d79f08124a2dbb3bd7d8b0cf360e357b96139a1cf75701d9ccff09263964a7c1",
}  # by the code before, 9b6a49c, of these photos


def digest(folder: Path) -> str:
    """Of names and bytes of all files but the stage's record and manifest."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".zip":
            for name, content in sorted(stored_photos(path.parent).items()):
                found.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        elif path.is_file() and path.name not in ("stage.json", "manifest.json"):
            found.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def test_the_recipes_files_keep_their_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_sample_dataset(raw, SampleDatasetSettings(series_per_species=3, days=9, width=66, height=50, test_pairs=20), workers=1)
    (raw / "test_dataset/test_oracle.csv").unlink()  # which the challenge's layout does not have
    images, catalog, pairs, folded = (tmp_path / name for name in ("images", "catalog", "pairs", "folded_pairs"))
    resize_images(raw=raw, images=images, catalog=catalog, settings=ResizeImagesSettings(image_size=32))
    generate_pairs(catalog=catalog, pairs=pairs, settings=GeneratePairsSettings())
    split_folds(pairs=pairs, folded_pairs=folded, settings=SplitFoldsSettings(num_folds=3))
    assert {folder.name: digest(folder) for folder in (images, catalog, pairs, folded)} == WRITTEN
