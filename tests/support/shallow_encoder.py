"""EfficientNets that end after their second block: all kinds of layers, a third of B0's, for tests of what is around them.

TensorFlow takes a minute to trace B0 whole in each training, and JAX longer to compile it.
"""

import contextlib
from collections.abc import Iterator

from keras.src.applications import efficientnet

BLOCKS = 2  # the second has an expansion, a stride, a repeat, and so a shortcut with drop-connect


@contextlib.contextmanager
def shallow_encoders() -> Iterator[None]:
    """Within the block every EfficientNet that is made is a shallow one."""
    whole = efficientnet.DEFAULT_BLOCKS_ARGS
    assert len(whole) > BLOCKS
    efficientnet.DEFAULT_BLOCKS_ARGS = whole[:BLOCKS]
    try:
        yield
    finally:
        efficientnet.DEFAULT_BLOCKS_ARGS = whole
