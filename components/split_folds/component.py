"""The KFP face of split_folds."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("split_folds"), install_kfp_package=False)
def split_folds(pairs: dsl.Input[dsl.Dataset], folded_pairs: dsl.Output[dsl.Dataset], num_folds: int, shuffle_seed: int) -> None:
    """Divides the train pairs into folds that share no series, and shuffles them.

    Args:
        pairs: train_pairs.csv.
        folded_pairs: train_pairs.csv with the column fold.
        num_folds: at least 2, at most the number of series.
        shuffle_seed: seed of the stored order.
    """
    from pathlib import Path

    from components.split_folds import split
    from components.split_folds.settings import SplitFoldsSettings

    record = split.split_folds(
        pairs=Path(pairs.path), folded_pairs=Path(folded_pairs.path), settings=SplitFoldsSettings.of(locals())
    )
    folded_pairs.metadata.update(record["counts"])
