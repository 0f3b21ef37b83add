"""The KFP face of write_tfrecords."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("write_tfrecords"), install_kfp_package=False)
def write_tfrecords(
    images: dsl.Input[list[dsl.Dataset]],
    catalog: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    examples: dsl.Output[dsl.Dataset],
    tables: dsl.Output[dsl.Dataset],
    layout: str,
    num_shards: int,
    folded_pairs: dsl.Input[dsl.Dataset] = None,
) -> None:
    """Writes the photos of all pairs as TFRecords: num_shards files per fold and for the test set.

    Args:
        images: resized photos, one folder per shard of resize_images.
        catalog: images.csv.
        pairs: test_pairs.csv.
        examples: TFRecords, dataset.json and the tables.
        tables: these tables alone, and what the stages that made them say of themselves.
        layout: one record per image, or the winner's one per pair.
        num_shards: files per fold and for the test set.
        folded_pairs: train_pairs.csv with folds, in stored order; none where nothing is trained: the test set alone.
    """
    from pathlib import Path

    from components.contract.shards import joined
    from components.write_tfrecords.settings import WriteTfrecordsSettings
    from components.write_tfrecords.tables import write_tables
    from components.write_tfrecords.write import write_tfrecords

    settings = WriteTfrecordsSettings.of(locals())
    sources = {
        "catalog": Path(catalog.path),
        "pairs": Path(pairs.path),
        "folded_pairs": folded_pairs and Path(folded_pairs.path),
    }
    photos = joined([Path(part.path) for part in images])
    record = write_tfrecords(images=photos, **sources, examples=Path(examples.path), settings=settings)
    write_tables(**sources, tables=Path(tables.path), settings=settings, counts=record["counts"])
    examples.metadata.update(record["counts"])
