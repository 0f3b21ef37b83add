"""Keeps the state of a training where a later try of the same training finds it, whatever became of the first one's machine.

Keras's own BackupAndRestore would not carry it: it knows neither the metrics within an epoch nor dropout's seeds, goes on at an
epoch's beginning, and writes two files, of which one may be of another moment. Orbax needs JAX, which TensorFlow's image lacks.
"""

import dataclasses
import hashlib
import importlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.contract.artifacts import file_digest
from components.images import digest_of, room_files
from components.network.compile_cache import warn
from components.network.store import DIGEST_BYTES, Store, open_store, sealed, unsealed
from components.train.settings import TrainSettings

PLACE = "VERDELTA_CHECKPOINTS"  # the variable that names the place: a folder, or gs://BUCKET/FOLDER; without it nothing is kept
MOST_BYTES = 20_000_000_000  # of all trainings together; B7's state is 1 GB
WITHOUT_EFFECT = ("checkpoint_minutes", "memory_budget_gb")  # settings that a try may change, and go on


@dataclasses.dataclass(frozen=True)
class State:
    """All that a training is after some step."""

    steps: int  # how many are done
    seconds: float  # since training began, without the time between two tries
    logs: dict[str, float]  # the last step's
    epochs: list[dict[str, Any]]  # a row of history.csv for each epoch that has ended
    arrays: Sequence[np.ndarray]  # the values of the model's variables, in the order of `variables_of`


def variables_of(model: keras.Model) -> list[Any]:
    """Returns every variable of a training: weights, BatchNorm's statistics, dropout's seeds, the optimizer's, the metrics'."""
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables, *model.metrics_variables]


class SavedState:
    """The place of one training's state. No error in there ends a training: it is said, and the training does without."""

    def __init__(self, store: Store, place: str, key: str) -> None:
        self.store, self.key = store, key
        self.address = f"{place.rstrip('/')}/{key}"  # for people

    def read(self) -> State | None:
        """Returns the latest state, or None where there is none, or none that can be used."""
        try:
            entry = self.store.read(self.key)
            if entry is None:
                return None
            if unsealed(entry) is None:
                raise ValueError("it is not as it was written")
            return unpack(entry)
        except Exception as error:  # of any library
            warn(f"the checkpoint {self.address} cannot be used, so training starts from the beginning: {error}")
            return None

    def write(self, state: State) -> bool:
        """Puts a state in place of the one before, and returns whether it is there now; one that is not finite is left out."""
        if not all(np.isfinite(array).all() for array in state.arrays):  # going on from there would make no sense
            return False
        try:
            self.store.write(self.key, sealed(pack(state)))
        except Exception as error:  # of any library
            warn(f"the checkpoint {self.address} cannot be written, and training goes on without: {error}")
            return False
        return True

    def delete(self) -> None:
        """Removes the state, which nobody needs any more."""
        try:
            self.store.delete(self.key)
        except Exception as error:  # of any library
            warn(f"the checkpoint {self.address} cannot be deleted: {error}")


def saved_state(examples: Path, settings: TrainSettings) -> SavedState | None:
    """Returns the place of the state of this training, or None where nothing is to be kept.

    The place is found by what the training depends on, as a stage's result is found in the cache: code, packages, settings, and
    the content of the examples. It is told here and not by whoever starts the stage, so that it is the same on this machine, in
    a container and on clusters, and for the same examples at another path.
    """
    place = os.environ.get(PLACE, "")
    if not place or not settings.checkpoint_minutes:
        return None
    try:
        return SavedState(open_store(place, MOST_BYTES), place, key_of(examples, settings))
    except Exception as error:  # of any library
        warn(f"{PLACE}={place} cannot be used, so that training will not go on where it is stopped: {error}")
        return None


def key_of(examples: Path, settings: TrainSettings) -> str:
    """Returns a digest of all that a training depends on; the machine is not among it, as a retry may get another."""
    files = [path for pattern in ("fold.*.tfrecord-*", "*.csv") for path in examples.rglob(pattern)]
    backend = keras.backend.backend()
    known = {
        "source": digest_of(room_files("train")),
        "packages": {name: importlib.import_module(name).__version__ for name in ("keras", "numpy", backend)},
        "settings": {name: value for name, value in vars(settings).items() if name not in WITHOUT_EFFECT},
        "examples": {path.relative_to(examples).as_posix(): file_digest(path) for path in sorted(files)},
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def pack(state: State) -> memoryview:
    """Returns a state as the bytes of an .npz file: its arrays by number, and all else as JSON in the last."""
    about = json.dumps({name: value for name, value in vars(state).items() if name != "arrays"}).encode()
    file = io.BytesIO()
    np.savez(file, *state.arrays, np.frombuffer(about, np.uint8))
    return file.getbuffer()


def unpack(entry: bytes) -> State:
    """Returns the state in a sealed entry; raises ValueError, KeyError or TypeError where it holds something else."""
    file = io.BytesIO(entry)
    file.seek(DIGEST_BYTES)
    with np.load(file, allow_pickle=False) as stored:
        *arrays, about = (stored[f"arr_{number}"] for number in range(len(stored.files)))
    return State(**json.loads(about.tobytes()), arrays=arrays)
