"""What a person can choose of how train series are divided into folds."""

import dataclasses

from components.settings import MOST_SEED, SEED_BITS, Settings, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitFoldsSettings(Settings):
    """Folds that never share a series."""

    num_folds: int = parameter(
        5,
        "Folds that the train series are divided into.",
        at_least=2,
        at_most=1000,
        why="each fold has files of its own, and a training",
    )
    shuffle_seed: int = parameter(
        34, "Seed of the order in which train pairs are stored.", at_least=0, at_most=MOST_SEED, why=SEED_BITS
    )
