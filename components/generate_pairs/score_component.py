"""KFP face of generate_pairs for new photos, on which nothing is trained: as component.py, but the test pairs alone."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("generate_pairs"), install_kfp_package=False)
def generate_pairs(
    catalogs: dsl.Input[list[dsl.Dataset]], catalog: dsl.Output[dsl.Dataset], pairs: dsl.Output[dsl.Dataset]
) -> None:
    """Pairs up the photos that test_data.csv names.

    Args:
        catalogs: images.csv and test_data.csv, one folder per shard of resize_images.
        catalog: what one shard would have written.
        pairs: test_pairs.csv.
    """
    from pathlib import Path

    from components.contract import schema
    from components.contract.catalogs import merge_catalogs
    from components.generate_pairs import generate
    from components.generate_pairs.settings import GeneratePairsSettings

    splits = (schema.TEST,)
    merge_catalogs(catalogs=[Path(part.path) for part in catalogs], catalog=Path(catalog.path), splits=splits)
    record = generate.generate_pairs(
        catalog=Path(catalog.path), pairs=Path(pairs.path), settings=GeneratePairsSettings(), splits=splits
    )
    pairs.metadata.update(record["counts"])
