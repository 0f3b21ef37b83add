"""The KFP face of generate_pairs."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("generate_pairs"), install_kfp_package=False)
def generate_pairs(
    catalogs: dsl.Input[list[dsl.Dataset]],
    catalog: dsl.Output[dsl.Dataset],
    pairs: dsl.Output[dsl.Dataset],
    splits: list = ["train", "test"],  # noqa: B006 - KFP reads the default, nobody changes it
) -> None:
    """Pairs up the photos of each train series with their days apart, and the photos that test_data.csv names.

    Args:
        catalogs: images.csv and test_data.csv, one folder per shard of resize_images.
        catalog: what one shard would have written.
        pairs: train_pairs.csv and test_pairs.csv.
        splits: both, or test alone where nothing is trained: then there is no train_pairs.csv.
    """
    from pathlib import Path

    from components.generate_pairs.catalogs import merge_catalogs
    from components.generate_pairs.generate import generate_pairs
    from components.generate_pairs.settings import GeneratePairsSettings

    merge_catalogs(catalogs=[Path(part.path) for part in catalogs], catalog=Path(catalog.path), splits=splits)
    record = generate_pairs(
        catalog=Path(catalog.path), pairs=Path(pairs.path), settings=GeneratePairsSettings.of(locals()), splits=splits
    )
    pairs.metadata.update(record["counts"])
