"""Runs one fold of preset fast whole on random photos, as train and predict run it, and says where its seconds go.

`python -m tests.benchmarks.accelerator_job` is one fold, then the same again, which finds the programs that the first has left.
`--folds 5 --parallel 2` is five folds, two at a time. Each stage is a process of its own, as in a real run. Needs JAX, Keras,
NumPy and pandas; without TensorFlow, NumPy brings the batches (random_photos.py).
"""

import argparse
import collections
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VIEWS = 6


def main(options: argparse.Namespace) -> None:
    """Runs what is asked for, and prints a row per stage."""
    os.environ |= {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("VERDELTA_COMPILE_CACHE", str(Path(folder, "programs")))
        names = [f"fold {number}" for number in range(options.folds)] if options.folds else ["first", "again"]
        started = time.monotonic()
        with ThreadPoolExecutor(options.parallel) as pool:
            list(pool.map(lambda number: fold(Path(folder, str(number)), names[number], number, options), range(len(names))))
        print(f"all: {time.monotonic() - started:.1f} s", flush=True)


def fold(folder: Path, name: str, number: int, options: argparse.Namespace) -> None:
    """Trains and predicts one fold; prints a line when its programs are ready, for each stage, and for both."""
    beginning = time.monotonic()
    for stage in ("train", "predict"):
        words = {"stage": stage, "folder": str(folder), "fold": number, "encoder": options.encoder, "dim": options.dim}
        words |= {"started": time.time(), "steps_per_epoch": options.steps}
        command = [sys.executable, "-m", "tests.benchmarks.accelerator_job", "--stage", json.dumps(words)]
        said: list[str] = []
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                said.append(line.rstrip())
                if "programs are ready" in line:
                    print(f"{name:8s} {stage:8s} {said[-1]}", flush=True)
        if process.returncode:
            print(f"{name}, {stage}: failed: {' / '.join(said[-5:])}", flush=True)
            return
        print(f"{name:8s} {stage:8s} {said[-1]}", flush=True)
    print(f"{name:8s} both     {time.monotonic() - beginning:.1f} s", flush=True)


def run_stage(words: dict[str, Any]) -> None:
    """Runs one stage in this process; prints its seconds and how many programs were compiled, and how many found."""
    seconds: dict[str, float] = collections.defaultdict(float)
    events: collections.Counter[str] = collections.Counter()
    from jax import monitoring

    from tests.benchmarks import random_photos

    monitoring.register_event_listener(lambda event, **_: events.update([event.rpartition("/")[2]]))
    with random_photos.random_photos(words["dim"]):
        import keras

        from components.predict import predict
        from components.train import callbacks, fit

        for module, name in (
            (fit, "build_model"), (fit, "compile_programs"), (fit, "fit"), (keras.saving, "load_model"), (keras.Model, "save"),
            (predict, "compile_forward"), (predict, "encode"), (callbacks, "encode"), (callbacks, "reestimate_batchnorm"),
        ):  # fmt: skip
            timed(module, name, seconds)
        seconds["imports"] = time.time() - words["started"]
        print(json.dumps({name: round(value, 1) for name, value in execute(words, seconds).items()} | programs(events)))


def execute(words: dict[str, Any], seconds: dict[str, float]) -> dict[str, float]:
    """Runs the stage itself."""
    from components.predict.predict import predict
    from components.predict.settings import PredictSettings
    from components.train.fit import train
    from tests.benchmarks.random_photos import below

    folders = below(Path(words["folder"]))
    if words["stage"] == "train":
        own = {name: words[name] for name in ("encoder", "dim", "fold", "steps_per_epoch")}
        record = train(examples=Path(), settings=preset_fast(**own), **folders)
        seconds["steps"] = record["counts"]["steps"]
    else:
        settings = PredictSettings(tta_views=VIEWS)
        predict(examples=Path(), model=folders["model"], predictions=Path(words["folder"], "predictions"), settings=settings)
    seconds["whole"] = time.time() - words["started"]
    return seconds


def preset_fast(**own: Any) -> Any:
    """The TrainSettings of preset fast, from random weights, but for those that are given."""
    from components.train.settings import TrainSettings
    from launch.runs.presets import fast

    known = {field.name for field in dataclasses.fields(TrainSettings)}
    return TrainSettings(**{name: value for name, value in fast().items() if name in known} | {"checkpoint": "none"} | own)


def timed(module: Any, name: str, seconds: dict[str, float]) -> None:
    """Has calls of a function add their seconds."""
    function = getattr(module, name)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        started = time.monotonic()
        try:
            return function(*arguments, **named)
        finally:
            seconds[name] += time.monotonic() - started

    setattr(module, name, wrapper)


def programs(events: collections.Counter[str]) -> dict[str, int]:
    """How many programs XLA compiled, and how many were found compiled."""
    return {"compiled": events["cache_misses"], "found": events["cache_hits"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.accelerator_job", description=__doc__)
    parser.add_argument("--encoder", default="B7", help="EfficientNet variant, B0 to B7")
    parser.add_argument("--dim", type=int, default=512, help="width and height of the photos, px")
    parser.add_argument("--steps", type=int, default=0, help="steps per epoch; 0 is the challenge's number")
    parser.add_argument("--folds", type=int, default=0, help="folds to run; 0 is one fold cold, then warm")
    parser.add_argument("--parallel", type=int, default=1, help="folds at a time")
    parser.add_argument("--stage", help="what a stage's process is told; not for people")
    chosen = parser.parse_args()
    if chosen.stage:
        run_stage(json.loads(chosen.stage))
    else:
        main(chosen)
