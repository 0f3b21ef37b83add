"""KFP face of resize_images for new photos, on which nothing is trained: as component.py, but the test set alone."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("resize_images"), install_kfp_package=False)
def resize_images(
    images: dsl.Output[dsl.Dataset],
    catalog: dsl.Output[dsl.Dataset],
    raw: str,
    raw_digest: str,
    image_size: int,
    jpeg_quality: int,
    on_bad_photo: str,
    shard: int,
    num_shards: int,
) -> None:
    """Writes a shard of the test photos as JPEGs of one size, and their catalog; train photos are neither needed nor looked at.

    Args:
        images: JPEGs, laid out as the raw photos.
        catalog: images.csv and the tables test_data, sample_submission, test_labels.
        raw: folder or gs:// address that holds test_dataset and its test_data.csv.
        raw_digest: a digest of what lies there, for the cache key, which cannot see it; kept with the artifacts.
        image_size: width and height of the JPEGs in pixels.
        jpeg_quality: 1 to 95.
        on_bad_photo: fail or skip.
        shard: which of the tasks that share the photos this is, from 0.
        num_shards: how many they are.
    """
    from pathlib import Path

    from components.contract import schema
    from components.contract.shards import Shard
    from components.resize_images import resize
    from components.resize_images.settings import ResizeImagesSettings

    record = resize.resize_images(
        raw=raw,
        images=Path(images.path),
        catalog=Path(catalog.path),
        settings=ResizeImagesSettings.of(locals()),
        splits=(schema.TEST,),
        shard=Shard(shard=shard, num_shards=num_shards),
    )
    images.metadata.update(record["counts"], raw_digest=raw_digest, shard=shard)
    catalog.metadata.update(record["counts"], raw_digest=raw_digest, shard=shard)
