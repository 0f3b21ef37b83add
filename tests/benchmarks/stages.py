"""A raw dataset enters; the folders that the data stages leave, one after another, leave: images to examples."""

from pathlib import Path

from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.write_tfrecords.settings import WriteTfrecordsSettings


def make_folded_pairs(root: Path, image_size: int) -> None:
    """Makes images, catalog, pairs and folded_pairs below `root`, where raw is."""
    settings = ResizeImagesSettings(image_size=image_size)
    resize_images(raw=root / "raw", images=root / "images", catalog=root / "catalog", settings=settings)
    generate_pairs(catalog=root / "catalog", pairs=root / "pairs", settings=GeneratePairsSettings())
    split_folds(pairs=root / "pairs", folded_pairs=root / "folded_pairs", settings=SplitFoldsSettings())


def make_examples(root: Path, layout: str) -> Path:
    """Makes the TFRecords of one layout below `root`, and returns their folder."""
    from components.write_tfrecords.write import write_tfrecords  # TensorFlow takes seconds to import

    examples = root / f"examples_{layout}"
    write_tfrecords(
        images=root / "images", catalog=root / "catalog", pairs=root / "pairs", folded_pairs=root / "folded_pairs",
        examples=examples, settings=WriteTfrecordsSettings(layout=layout),
    )  # fmt: skip
    return examples
