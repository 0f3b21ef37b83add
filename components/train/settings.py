"""What a person can choose of how a model is trained."""

import dataclasses

from components.network.settings import TRANSFORMS, NetworkSettings
from components.settings import MOST_SEED, SEED_BITS, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(NetworkSettings):
    """One model, validated on one fold and trained on the others."""

    fold: int = parameter(0, "The fold held out for validation.", at_least=0, at_most=999, why="num_folds is at most 1000")
    cliques_per_batch: int = parameter(8, "Cliques in one batch.", at_least=1, at_most=4096, why="a batch is in memory at once")
    epochs: int = parameter(
        1,
        "Passes over as many pairs as the train folds hold.",
        at_least=1,
        at_most=100_000,
        why="the order of all epochs is drawn before the first, in memory",
    )
    steps_per_epoch: int = parameter(
        0,
        "Batches in one epoch; 0 derives them from the number of train pairs.",
        at_least=0,
        at_most=10_000_000,
        why="the order of all steps is drawn before the first, in memory",
    )
    learning_rate: float = parameter(1e-4, "Adam's learning rate (the peak, under a schedule).", at_least=1e-9, at_most=1.0)
    schedule: str = parameter(
        "constant",
        "Learning rate over time: constant, or a linear rise over the first tenth and a cosine fall to zero.",
        choices=("constant", "cosine"),
    )
    huber_days: float = parameter(
        0.0,
        "Errors above this count linearly in the loss (Huber 1964), so that few pairs do not outweigh the others; 0 squares all.",
        unit="days",
        at_least=0.0,
        at_most=100_000.0,
        why="that squares every error",
    )
    ema_momentum: float = parameter(
        0.0, "Decay per step of the weights' moving average, which is then what is saved; 0 saves the last weights.",
        at_least=0.0, at_most=0.99999,
    )  # fmt: skip
    reestimate_batchnorm: bool = parameter(
        False, "Measure BatchNorm's statistics anew with the final weights before validating and saving."
    )
    augmentations: int = parameter(
        5, "Train images get one of transforms 1..n with probability one half; 0 is none.", at_least=0, at_most=TRANSFORMS - 1
    )
    rematerialize: bool = parameter(
        False,
        "Keep less of a training step in an accelerator's memory and compute it twice: more images fit, a step takes longer.",
    )
    shuffle_buffer: int = parameter(
        1024,
        "Pairs held while shuffling the stored order, as tf.data counts them; 0 shuffles all pairs.",
        at_least=0,
        at_most=100_000_000,
        why="the buffer is held in memory, 8 bytes a pair",
    )
    validation_views: int = parameter(
        1,
        "Views averaged per pair of the held-out fold after the last epoch; as many as tta_views, so that both err alike.",
        at_least=1,
        at_most=TRANSFORMS,
    )
    memory_budget_gb: float = parameter(
        8.0,
        "Decoded images above this go to a file in the temporary folder.",
        unit="GB",
        at_least=0.0,
        at_most=100_000.0,
        why="no machine has more",
    )
    seed: int = parameter(
        547_895,
        "Seed of weights, order and augmentation; the fold's number is added.",
        at_least=0,
        at_most=MOST_SEED,
        why=SEED_BITS,
    )
    checkpoint_minutes: float = parameter(
        5.0,
        "A training that is stopped goes on, when repeated, where it was at most so long before; 0 starts it from the beginning. "
        "Changes no result.",
        unit="minutes",
        at_least=0.0,
        at_most=10_000.0,
        why="that is a week",
    )
