"""What GPUs and TPUs compute with: the same code trains and predicts under JAX, and its model is TensorFlow's, too."""

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from examples_fixture import write_examples
from train_and_predict import PREDICT, TRAIN

from components.images import ROOT
from components.predict.predict import predict
from components.train.fit import load_fold
from components.train.infer import encode, pair_days
from components.train.model import split_model

JAX_PYTHON = ROOT / ".venv-jax/bin/python"


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFRecords and tables of four train series and one test series."""
    return write_examples(tmp_path_factory.mktemp("jax"))


@pytest.fixture(scope="module")
def trained(examples: Path) -> Path:
    """What a process with the JAX backend made of the examples."""
    if not JAX_PYTHON.exists():
        pytest.skip(f"no {JAX_PYTHON}: make .venv-jax/done")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [JAX_PYTHON, ROOT / "tests/train_and_predict.py", examples, examples.parent / "jax"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return examples.parent / "jax"


def test_the_saved_model_is_the_one_that_was_validated(examples: Path, trained: Path) -> None:
    """Averaged weights and re-estimated statistics are what is saved, and not what the optimizer went on with."""
    encoder, head = split_model(keras.saving.load_model(trained / "model/model.keras", compile=False))
    data = load_fold(examples, TRAIN)
    features = encode(encoder, data.images, batch_size=4)
    days = pair_days(head, features, data.validation["before"].to_numpy(), data.validation["after"].to_numpy())
    out_of_fold = pd.read_csv(trained / "out_of_fold/out_of_fold.csv").set_index("pair_id")
    expected = out_of_fold.loc[data.validation["pair_id"], "prediction_days"]
    assert np.ptp(days) > 1e-3  # different pairs get different days
    np.testing.assert_allclose(days, expected, atol=1e-3)


def test_both_backends_predict_the_same_days(examples: Path, trained: Path, tmp_path: Path) -> None:
    predict(examples=examples, model=trained / "model", predictions=tmp_path, settings=PREDICT)
    ours, theirs = (pd.read_csv(folder / "predictions.csv") for folder in (tmp_path, trained / "predictions"))
    numbers = ["prediction_days", "view_0", "view_1"]
    pd.testing.assert_frame_equal(ours.drop(columns=numbers), theirs.drop(columns=numbers))
    np.testing.assert_allclose(ours[numbers], theirs[numbers], atol=1e-3)


def test_every_epoch_is_in_the_history(trained: Path) -> None:
    history = pd.read_csv(trained / "history/history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert np.isfinite(history[["loss", "rmse_days", "val_rmse_days"]]).all(axis=None)
