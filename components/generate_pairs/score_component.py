"""KFP face of generate_pairs for new photos, on which nothing is trained: the catalog in, the test pairs out."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("generate_pairs"), install_kfp_package=False)
def generate_pairs(catalog: dsl.Input[dsl.Dataset], pairs: dsl.Output[dsl.Dataset]) -> None:
    """Pairs up the photos that test_data.csv names.

    Args:
        catalog: images.csv and test_data.csv.
        pairs: test_pairs.csv.
    """
    from pathlib import Path

    from components import schema
    from components.generate_pairs import generate
    from components.settings import GeneratePairsSettings

    record = generate.generate_pairs(
        catalog=Path(catalog.path), pairs=Path(pairs.path), settings=GeneratePairsSettings(), splits=(schema.TEST,)
    )
    pairs.metadata.update(record["counts"])
