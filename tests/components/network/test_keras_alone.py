"""Stages import Keras without scikit-learn, and find it all the same where they want it."""

import subprocess
import sys

from components.images import ROOT

QUESTION = """
import sys
import components.network.keras_alone
print("sklearn" in sys.modules, "keras" in sys.modules)
from sklearn.model_selection import GroupKFold
import keras
print(GroupKFold.__name__, keras.wrappers is not None)
"""


def test_keras_imports_no_scikit_learn_and_it_can_be_imported_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", QUESTION], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True", "GroupKFold", "True"], done.stderr
