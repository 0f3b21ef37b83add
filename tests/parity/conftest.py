"""The oracle's answers and the networks compared with it, made once for all tests of this folder."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from networks import DENSE_UNITS, DIM, LSTM_UNITS, build_ours, winners_head, without_dropout
from shared import shared_folder
from winner import Winner, interpreter, run_oracle, write_questions

from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

SOURCES = ("images", "catalog", "pairs", "folded_pairs")


@pytest.fixture(scope="session")
def winner(tmp_path_factory: pytest.TempPathFactory) -> Winner:
    if not interpreter().is_file():
        missing = f"no interpreter with the winner's libraries at {interpreter()}: run `make .venv-parity`"
        if os.environ.get("VERDELTA_REQUIRE_PARITY"):  # continuous integration: a skipped oracle would look like a passed one
            pytest.fail(missing)
        pytest.skip(missing)
    return Winner(shared_folder(tmp_path_factory, "parity", ask_everything))


def ask_everything(folder: Path) -> None:
    write_questions(folder)
    sources = {name: folder / "sources" / name for name in SOURCES}
    write_tfrecords(**sources, examples=folder / "records", settings=WriteTfrecordsSettings(layout="pairs"))
    run_oracle(folder)


@pytest.fixture(scope="session", autouse=True)
def float32() -> None:
    """Before any layer is made: a test of another folder may have left the policy of mixed precision behind."""
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def ours(winner: Winner) -> keras.Model:
    return build_ours(winner, clique_size=2)


@pytest.fixture(scope="session")
def by_hand(winner: Winner) -> tuple[keras.Model, list[Any]]:
    """The layers of the recipe's section 6: the EfficientNet, and those that follow the pooling."""
    encoder = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(DIM, DIM, 3))
    encoder.load_weights(winner.answers / "B0.h5", by_name=True)
    without_dropout(encoder)
    head = [keras.layers.LSTM(LSTM_UNITS), keras.layers.Dense(DENSE_UNITS, activation="relu"), keras.layers.Dense(1)]
    keras.Sequential([keras.Input((2, 1280)), *head]).set_weights(winners_head(winner))
    return encoder, head


@pytest.fixture(scope="session")
def pairs(winner: Winner) -> tuple[np.ndarray, np.ndarray]:
    """Images [B, 2, H, W, 3] float32 in [0, 255] and their days [B] float32."""
    stored = winner.asked("pairs.npz")
    return stored["images"].astype(np.float32), stored["days"].astype(np.float32)
