"""Trains a small model, saves its state every few steps, and stops after one of them: for tests of what the next try makes of it.

python tests/support/resumed_training.py EXAMPLES OUTPUT EVERY [SIGNAL AFTER [validating]]: the state is saved after every EVERY
steps; SIGNAL comes as soon as step AFTER has ended, or while its epoch is validated. A line is of the steps that were computed.
"""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from small_training import SMALL_TRAIN, small_encoder

from components.network import model
from components.train.callbacks import ValidatePairs
from components.train.fit import train
from components.train.resume import Resume
from components.train.settings import TrainSettings

SETTINGS = dataclasses.replace(SMALL_TRAIN, augmentations=5, checkpoint_minutes=60.0)
STEPS = SETTINGS.epochs * SETTINGS.steps_per_epoch


def nothing(_step: int) -> None:
    """Does nothing."""


def train_small(
    examples: Path,
    output: Path,
    *,
    every: int = 2,
    settings: TrainSettings = SETTINGS,
    after_step: Callable[[int], None] = nothing,
    validating: Callable[[int], None] = nothing,
) -> list[int]:
    """Trains into `output` and returns the steps that were computed.

    Args:
        examples: what is trained on.
        output: gets model, history and out_of_fold.
        every: the state is saved after so many steps, and is on its way no more when the next one begins.
        settings: of the training.
        after_step: is called when a step has ended, before it is looked after.
        validating: is called with the last step of an epoch, before it is validated.
    """
    computed: list[int] = []
    look_after, validate = Resume.look_after, ValidatePairs.on_epoch_end

    def by_the_step(self: Resume, *state: object) -> None:
        computed.append(self.steps)
        self.due = 0.0 if self.steps % every == 0 else float("inf")
        after_step(self.steps)
        look_after(self, *state)
        if self.writing:
            self.writing.result()

    def validated(self: ValidatePairs, epoch: int, logs: object = None) -> None:
        validating((epoch + 1) * settings.steps_per_epoch)
        validate(self, epoch, logs)

    folders = {name: output / name for name in ("model", "history", "out_of_fold")}
    with (
        mock.patch.object(Resume, "look_after", by_the_step),
        mock.patch.object(ValidatePairs, "on_epoch_end", validated),
        mock.patch.object(model, "build_encoder", small_encoder),
    ):
        train(examples=examples, settings=settings, **folders)
    return computed


def main(examples: str, output: str, every: str, number: str = "0", after: str = "0", where: str = "") -> None:
    """The command line."""

    def send(step: int) -> None:
        if step == int(after):
            print("\ncomputed", *range(1, step + 1), flush=True)
            os.kill(os.getpid(), int(number))

    hook = "validating" if where else "after_step"
    print("\ncomputed", *train_small(Path(examples), Path(output), every=int(every), **{hook: send}))


if __name__ == "__main__":
    main(*sys.argv[1:])
