"""Imports Keras without scikit-learn, whose wrappers nothing here uses, and which is a sixth of what importing TensorFlow takes.

A stage's face imports this module before the stage. In the images of these stages there is no scikit-learn.
"""

import sys

SKLEARN = "sklearn"
if SKLEARN not in sys.modules:
    sys.modules[SKLEARN] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        import keras  # noqa: F401
    finally:
        del sys.modules[SKLEARN]
