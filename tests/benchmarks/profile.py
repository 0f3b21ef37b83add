"""A preset's name enters; a table of where the seconds of training and predicting go leaves.

`python -m tests.benchmarks.profile smoke EXAMPLES` runs train and predict on the examples artifact of a smoke run.
`python -m tests.benchmarks.profile fast` trains B7 at 512 px for a few steps of one pair each, on as many photos as the challenge
has, and multiplies by what fast does: on a CPU the whole would take days.

What is timed are calls of the stages' own functions; a part inside another counts in the inner one alone.
"""

import argparse
import contextlib
import dataclasses
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import keras

from components.network import batchnorm
from components.predict import predict as prediction
from components.predict.settings import PredictSettings
from components.train import callbacks, fit
from components.train.settings import TrainSettings
from launch.runs.parameters import SETTINGS
from launch.runs.presets import PRESETS
from tests.benchmarks.challenge import OURS, write_challenge

CALLS = (  # of which module, which function, and what it is to a reader
    (fit, "build_model", "build the network"),
    (fit, "load_fold", "decode the photos"),
    (fit, "draw_cliques", "draw the order"),
    (fit, "compile_model", "make the optimizer"),
    (keras.Model, "fit", "steps"),
    (callbacks, "reestimate_batchnorm", "measure BatchNorm anew"),
    (callbacks, "encode", "validate: backbone"),
    (callbacks, "pair_days", "validate: head"),
    (keras.Model, "save", "save"),
    (keras.saving, "load_model", "predict: load the model"),
    (prediction, "load_images", "predict: decode the photos"),
    (prediction, "encode", "predict: backbone"),
    (prediction, "pair_days", "predict: head"),
)
FAST_STEPS, FEW_ANEW = 4, 8  # steps; images whose statistics are measured
PHOTO_PX = 1024


class Clock:
    """Seconds by part, and the times at which training began and each of its steps ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.steps: list[float] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Times the calls made inside the block."""
        with contextlib.ExitStack() as stack:
            for owner, name, part in CALLS:
                stack.enter_context(mock.patch.object(owner, name, self.timed(getattr(owner, name), part)))
            for name in ("on_train_begin", "on_train_batch_end"):
                stack.enter_context(mock.patch.object(callbacks.Progress, name, self.noted(getattr(callbacks.Progress, name))))
            start, before = time.monotonic(), sum(self.seconds.values())
            yield
            self.seconds["all else"] += time.monotonic() - start - (sum(self.seconds.values()) - before)
        if self.steps:
            self.seconds["first step, with tracing"] = self.steps[1] - self.steps[0]
            self.seconds["steps"] -= self.seconds["first step, with tracing"]

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The function, whose seconds count for `part`."""

        def run(*arguments: Any, **named: Any) -> Any:
            start, before = time.monotonic(), sum(self.seconds.values())
            result = function(*arguments, **named)
            self.seconds[part] += time.monotonic() - start - (sum(self.seconds.values()) - before)
            return result

        return run

    def noted(self, event: Callable[..., None]) -> Callable[..., None]:
        """The callback's method, which then notes the time."""

        def run(*arguments: Any, **named: Any) -> None:
            event(*arguments, **named)
            self.steps.append(time.monotonic())

        return run


def profile(examples: Path, training: TrainSettings, predicting: PredictSettings) -> tuple[dict[str, float], dict[str, Any]]:
    """Trains and predicts: seconds by part, and the counts of train and predict."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, clock.watching():
        outputs = {name: Path(folder, name) for name in ("model", "history", "out_of_fold", "predictions")}
        model, predictions = outputs["model"], outputs.pop("predictions")
        counts = fit.train(examples=examples, settings=training, **outputs)["counts"]
        counts |= prediction.predict(examples=examples, model=model, predictions=predictions, settings=predicting)["counts"]
    return clock.seconds, counts


def settings_of(stage: str, preset: str, **changed: Any) -> Any:
    """A stage's settings under a preset, with some changed."""
    names = {field.name for field in dataclasses.fields(SETTINGS[stage])}
    return SETTINGS[stage](**{name: value for name, value in {**PRESETS[preset](), **changed}.items() if name in names})


def profile_fast() -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by part of a few steps, and by how much to multiply each for all that preset fast does."""
    preset = PRESETS["fast"]()
    few = {
        "clique_size": 2, "cliques_per_batch": 1, "epochs": 1, "steps_per_epoch": FAST_STEPS,
        "checkpoint": "none", "mixed_precision": "float32",
    }  # fmt: skip
    images_anew = batchnorm.IMAGES
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(batchnorm, "IMAGES", FEW_ANEW):
        write_challenge(Path(folder, "challenge"), image_size=PHOTO_PX, train_pairs=1, test_pairs=1)
        training = settings_of("train", "fast", **few)
        seconds, counts = profile(Path(folder, "challenge", OURS), training, settings_of("predict", "fast"))
    folds, epochs = len(preset["folds"]), preset["epochs"]
    steps = fit.derive_steps(counts["train_pairs"], settings_of("train", "fast"))
    times = dict.fromkeys(seconds, float(folds))
    times["steps"] *= epochs * steps * preset["clique_size"] * preset["cliques_per_batch"] / (2 * (FAST_STEPS - 1))
    times["measure BatchNorm anew"] *= epochs * images_anew / FEW_ANEW
    for part in ("validate: backbone", "validate: head"):
        times[part] *= epochs
    return seconds, times


def main() -> None:
    """Prints the table, the costliest part first."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile", description=__doc__)
    parser.add_argument("preset", choices=("smoke", "fast"))
    parser.add_argument("examples", type=Path, nargs="?", help="for smoke: the examples artifact of a smoke run")
    options = parser.parse_args()
    if (options.preset == "smoke") != (options.examples is not None):
        parser.error("examples: expected with smoke, and with smoke alone")
    if options.preset == "smoke":
        seconds, _ = profile(options.examples, settings_of("train", "smoke"), settings_of("predict", "smoke"))
        times = dict.fromkeys(seconds, 1.0)
    else:
        seconds, times = profile_fast()
    whole = {part: seconds[part] * times[part] for part in seconds}
    print("| part | measured, s | times | in the preset, s | share |\n" + "|---" * 5 + "|")
    for part in sorted(whole, key=lambda part: -whole[part]):
        share = whole[part] / sum(whole.values())
        print(f"| {part} | {seconds[part]:.2f} | {times[part]:,.0f} | {whole[part]:,.1f} | {share:.1%} |")
    print(f"| all | {sum(seconds.values()):.1f} | | {sum(whole.values()):,.0f} | |")


if __name__ == "__main__":
    main()
