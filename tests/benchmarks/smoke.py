"""One run of preset smoke, timed: overhead, a rerun from the cache, a score of new photos, training beside the winner's recipe.

`python -m tests.benchmarks.smoke [--json FILE]`
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from components.images import ROOT
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from launch.runs.sample import sample_dataset
from tests.benchmarks.table import Row, main
from tests.benchmarks.time_to_accuracy import SHARE_OF_BASELINE, outcome, race, read_training, stage_outputs, write_pairs

CLOCK = ROOT / "tests/benchmarks/stage_clock"
TIMES, STOP_AFTER = 5, 6


def measure() -> Iterator[Row]:
    """Draws the sample data, runs the pipeline on it, then trains the peer on the very photos that the run trained on."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        sample_dataset(runs)
        seconds, work = run_smoke(runs, "first")
        yield overhead(seconds, work)
        yield cached(run_smoke(runs, "again"))
        yield score_of_new_photos(runs, Path(folder) / "new")
        yield time_to_accuracy(runs / "first", Path(folder) / "winners")


def run_smoke(runs: Path, name: str) -> tuple[float, dict[str, float]]:
    """Runs the command; returns its seconds and those of each stage's own work."""
    clock = runs / f"{name}.jsonl"
    clock.touch()
    seconds = seconds_of_command(
        "run", "--sample", "--preset", "smoke", "--runs-dir", runs, "--name", name,
        environment={"PYTHONPATH": str(CLOCK), "STAGE_CLOCK": str(clock)},
    )  # fmt: skip
    lines = [json.loads(line) for line in clock.read_text(encoding="utf-8").splitlines()]
    return seconds, {line["stage"]: line["seconds"] for line in lines}


def seconds_of_command(*arguments: str | Path, environment: Mapping[str, str] = MappingProxyType({})) -> float:
    """Runs `pipeline.py`; returns its seconds, from the start of its process to the end."""
    start = time.monotonic()
    subprocess.run([sys.executable, "pipeline.py", *arguments], cwd=ROOT, env={**os.environ, **environment}, check=True)
    return time.monotonic() - start


def overhead(seconds: float, work: dict[str, float]) -> Row:
    """The share of the run in which no stage was at work."""
    return Row(
        what="overhead of the smoke run",
        measured="wall time of the command outside the stages' own functions: imports and starting processes are overhead; "
        "the sample data drawn before",
        ours=f"{seconds - sum(work.values()):.1f} s of {seconds:.0f} s",
        other=", ".join(f"{stage} {taken:.1f} s" for stage, taken in work.items()),
        value=100 * (1 - sum(work.values()) / seconds),
        unit="%",
        target=20,
        at_least=False,
    )


def cached(again: tuple[float, dict[str, float]]) -> Row:
    """The same command once more."""
    seconds, work = again
    assert not work, f"executed again: {', '.join(work)}"
    return Row(
        what="the smoke run repeated",
        measured="wall time of the same command, every stage from the cache",
        ours=f"{seconds:.1f} s",
        other="-",
        value=seconds,
        unit="s",
        target=10,
        at_least=False,
    )


def score_of_new_photos(runs: Path, raw: Path) -> Row:
    """Predicts photos that the run has not seen, as many as the challenge's test set has."""
    counts = write_sample_dataset(raw, SampleDatasetSettings(challenge_counts=True, seed=1))
    seconds = seconds_of_command("score", "first", "--raw", raw, "--runs-dir", runs, "--name", "new-photos")
    return Row(
        what="score of new photos",
        measured=f"wall time of the command for {counts['test_photos']} photos and {counts['test_pairs']} pairs at smoke's size",
        ours=f"{seconds:.0f} s",
        other="-",
        value=seconds,
        unit="s",
        target=60,
        at_least=False,
    )


def time_to_accuracy(run: Path, examples: Path) -> Row:
    """Seconds of training until the held-out fold is predicted well enough, in the run and by the winner's recipe."""
    outputs = stage_outputs(run)
    ours = read_training(outputs["model"], outputs["history"])
    settings, seconds = ours.settings, ours.seconds
    write_pairs(outputs, examples)
    limit = STOP_AFTER * (ours.counts["seconds"] if math.isnan(seconds) else seconds)
    recipe = race(ours, examples, limit)
    tuned = race(ours, examples, limit, learning_rate=settings["learning_rate"], lstm_units=settings["lstm_units"])
    head = f"LSTM {settings['lstm_units']}, learning rate {settings['learning_rate']:g}"
    return Row(
        what="time to accuracy",
        measured="from the start of training, decoding, building and tracing included, until the held-out fold's RMSE is "
        f"{ours.target_rmse:.2f} days, {SHARE_OF_BASELINE} of the baseline; EfficientNet-{settings['encoder']} at "
        f"{settings['dim']} px from random weights; the recipe's validations are left out of its time",
        ours=f"{seconds:.0f} s ({ours.reached['pairs_seen'].min():,.0f} pairs), {head}, {settings['schedule']}",
        other=f"{outcome(recipe)}, the recipe: LSTM 1024, learning rate 1e-4; {outcome(tuned)}, the recipe with {head}",
        value=recipe["evaluations"][-1]["seconds"] / seconds,
        unit="x",
        target=TIMES,
        at_least=True,
        is_bound=not recipe["reached"],
    )


if __name__ == "__main__":
    main(measure)
