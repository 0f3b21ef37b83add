"""KFP face of write_tfrecords for new photos, on which nothing is trained: resized photos and test pairs in, TFRecords out."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("write_tfrecords"), install_kfp_package=False)
def write_tfrecords(
    images: dsl.Input[dsl.Dataset],
    catalog: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    examples: dsl.Output[dsl.Dataset],
    layout: str,
    num_shards: int,
) -> None:
    """Writes the photos of all test pairs as TFRecords.

    Args:
        images: resized photos.
        catalog: images.csv.
        pairs: test_pairs.csv.
        examples: TFRecords, tables and dataset.json, of the test set alone.
        layout: one record per image, or the winner's one per pair.
        num_shards: files.
    """
    from pathlib import Path

    from components.settings import WriteTfrecordsSettings
    from components.write_tfrecords.write import write_tfrecords

    record = write_tfrecords(
        images=Path(images.path),
        catalog=Path(catalog.path),
        pairs=Path(pairs.path),
        folded_pairs=None,
        examples=Path(examples.path),
        settings=WriteTfrecordsSettings(layout=layout, num_shards=num_shards),
    )
    examples.metadata.update(record["counts"])
