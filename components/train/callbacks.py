"""Keras callbacks of training: out-of-fold validation in days at each epoch's end, and a progress line.

N images, D features, P validation pairs.
"""

import sys
import time
from typing import Any

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from components.network.batchnorm import reestimate_batchnorm
from components.network.infer import encode, head_dates, pair_days
from components.network.input.image_file import DecodedImages
from components.network.model import split_model
from components.train.settings import TrainSettings


class ValidatePairs(keras.callbacks.Callback):
    """Predicts every validation pair after each epoch, backbone once per image, and adds to the epoch's logs.

    After the last epoch under `validation_views` views, before that under the first.

    Logs val_rmse_days (days), learning_rate, pairs_seen (train pairs so far), seconds (since training began).
    `predictions` ([P] float32, days) are those of the latest epoch, and so are `dates`: of the photos `rows`, as `head_dates`.
    """

    def __init__(
        self,
        images: DecodedImages,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        pairs_per_epoch: int,
        seconds_before: float,
        settings: TrainSettings,
    ) -> None:
        """Args: as the class says, and how long earlier tries of this training have trained."""
        super().__init__()
        self.settings, self.seconds_before = settings, seconds_before
        self.pairs_per_epoch = pairs_per_epoch
        self.train_rows = np.unique(train[["before", "after"]].to_numpy())
        self.rows, positions = np.unique(validation[["before", "after"]].to_numpy(), return_inverse=True)
        self.before, self.after = positions.reshape(-1, 2).T
        self.images = images
        self.true_days = validation["time_delta_days"].to_numpy()
        self.predictions = np.empty(0, np.float32)
        self.dates: np.ndarray | None = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self.started = time.monotonic() - self.seconds_before

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        encoder, head = split_model(self.model)
        # Training's number of images: XLA has chosen kernels for its convolutions, which it finds again for these passes.
        batch_size = self.settings.clique_size * self.settings.cliques_per_batch
        if self.settings.reestimate_batchnorm:
            seed = self.settings.seed + self.settings.fold
            reestimate_batchnorm(encoder, self.images, self.train_rows, batch_size=batch_size, seed=seed)
        views = self.settings.validation_views if epoch + 1 == self.settings.epochs else 1
        seen = [encode(encoder, self.images, rows=self.rows, view=view, batch_size=batch_size) for view in range(views)]
        days = [pair_days(head, features, self.before, self.after) for features in seen]
        self.predictions = np.stack(days).mean(axis=0, dtype=np.float64).astype(np.float32)
        self.dates = head_dates(head, seen)
        logs["val_rmse_days"] = float(np.sqrt(np.mean(np.square(self.predictions - self.true_days))))
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        logs["pairs_seen"] = (epoch + 1) * self.pairs_per_epoch
        logs["seconds"] = round(time.monotonic() - self.started, 1)


class Progress(keras.callbacks.Callback):
    """One line that counts steps and shows the latest errors in days."""

    async_safe = True  # it needs no result of a step, so that the next can start before one has ended

    def __init__(self, steps: int, begun: int) -> None:
        """Args: all steps, and those before the first that is counted."""
        super().__init__()
        self.steps, self.begun = steps, begun

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self.line = tqdm(
            total=self.steps, initial=self.begun, desc="train", unit="step", file=sys.stdout, mininterval=5, ncols=110
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.line.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        errors = {name: round(logs[name], 2) for name in ("rmse_days", "val_rmse_days")}
        self.line.set_postfix({"epoch": epoch + 1, **errors})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.line.close()
