"""Makes training and prediction repeatable."""

import keras


def make_deterministic(seed: int) -> None:
    """Same seed, same machine, same bytes."""
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
