"""Ends a training that diverged, and says where that happened and what to change."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from components.train.settings import TrainSettings

REMEDY = "lower learning_rate, or set mixed_precision=float32."


class EndWhereDiverged(keras.callbacks.Callback):
    """Ends the training after the step whose loss is no finite number; keras.callbacks.TerminateOnNaN does not say which.

    It is the first to be told of an epoch's end, so that nothing is validated with what is left of the weights.
    """

    async_safe = True  # it may learn of a step's loss when later ones have been started

    def __init__(self, steps_per_epoch: int, settings: TrainSettings, last_good: Callable[[], str] = str) -> None:
        """Args: as named, and what returns where the state before is kept, empty where nothing is."""
        super().__init__()
        self.steps_per_epoch, self.settings, self.last_good = steps_per_epoch, settings, last_good
        self.diverged: dict[int, float] = {}  # step, from 1, to its loss: the threads that learn of it keep no order

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not np.isfinite(logs["loss"]):
            self.diverged[self.epoch * self.steps_per_epoch + batch + 1] = float(logs["loss"])
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if self.diverged:
            step, steps = min(self.diverged), self.steps_per_epoch * self.settings.epochs
            kept = self.last_good()
            raise ValueError(
                f"the loss became {self.diverged[step]} in step {step} of {steps}, {where(epoch + 1, self.settings)}. "
                f"The last good checkpoint: {kept or 'none was saved before'}. To train without an end like this, {REMEDY}"
            )


def require_finite(losses: Sequence[float], predictions: np.ndarray, settings: TrainSettings) -> None:
    """Raises ValueError, with what to change, where the loss of any epoch or any prediction after the last is not finite."""
    if not np.isfinite(losses).all() or not np.isfinite(predictions).all():
        raise ValueError(f"the loss or a prediction is no number {where(len(losses), settings)}; {REMEDY}")


def where(epoch: int, settings: TrainSettings) -> str:
    """Returns in which epoch something happened, and under which settings, in words."""
    chosen = f"learning_rate={settings.learning_rate}, mixed_precision={settings.mixed_precision!r}"
    return f"in epoch {epoch} of {settings.epochs} ({chosen})"
