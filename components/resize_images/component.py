"""The KFP face of resize_images."""

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
    days_from: str,
    on_equal_photos: str,
    shard: int,
    num_shards: int,
    splits: list = ["train", "test"],  # noqa: B006 - KFP reads the default, nobody changes it
) -> None:
    """Writes a shard of the raw photos as JPEGs of one size, and their catalog: one row per photo; in the first, the tables, too.

    Args:
        images: JPEGs, laid out as the raw photos.
        catalog: images.csv and the tables test_data, sample_submission, test_labels, few_labels.
        raw: folder or gs:// address in the challenge's layout. No artifact: KFP would download it first, file by file.
        raw_digest: a digest of what lies there, for the cache key, which cannot see it; kept with the artifacts.
        image_size: width and height of the JPEGs in pixels.
        jpeg_quality: 1 to 95.
        on_bad_photo: fail or skip.
        days_from: name, exif or table.
        on_equal_photos: fail or report.
        shard: which of the tasks that share the photos this is, from 0.
        num_shards: how many they are.
        splits: both, or test alone where nothing is trained: then train photos are neither needed nor looked at.
    """
    from pathlib import Path

    from components.contract.shards import Shard
    from components.resize_images.resize import resize_images
    from components.resize_images.settings import ResizeImagesSettings

    record = resize_images(
        raw=raw,
        images=Path(images.path),
        catalog=Path(catalog.path),
        settings=ResizeImagesSettings.of(locals()),
        splits=splits,
        shard=Shard(shard=shard, num_shards=num_shards),
        raw_digest=raw_digest,
    )
    images.metadata.update(record["counts"], raw_digest=raw_digest, shard=shard)
    catalog.metadata.update(record["counts"], raw_digest=raw_digest, shard=shard)
