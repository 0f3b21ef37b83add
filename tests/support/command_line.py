"""The command line as its users have it, a small raw folder to give it, and the record that a run leaves."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from components.images import ROOT


def pipeline_py(*arguments: str, timeout_seconds: int = 600, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs `python pipeline.py` with `arguments` in `tree`, which holds the source: a stage's process looks there first."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, str(tree / "pipeline.py"), *arguments]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Does what `pipeline_py` does, in this process, which saves a second of imports: for commands that execute no stage."""
    from launch.cli.main import main  # here: some that import this module have nothing of launch/
    from pipeline import verdelta

    return captured(main, verdelta, arguments)


def captured(command: Callable[..., int], *arguments: Any) -> subprocess.CompletedProcess[str]:
    """Calls `command`, which returns an exit status, as if it were a process: with what it says, and the signals as they were."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command(*arguments)
    except SystemExit as ended:  # argparse
        status = int(ended.code or 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def set_options(parameters: Mapping[str, object]) -> list[str]:
    """The options that set parameters."""
    return [text for name, value in parameters.items() for text in ("--set", f"{name}={value}")]


def record(runs: Path, name: str) -> dict[str, Any]:
    """A run's record."""
    return json.loads((runs / name / "run.json").read_text(encoding="utf-8"))


def states(runs: Path, name: str) -> dict[str, str]:
    """Stage (and fold, or which of several shards) to state, of one run."""

    def label(entry: dict[str, Any]) -> str:
        shard = entry["shard"] if entry["inputs"].get("num_shards", 1) > 1 else None
        part = shard if entry["fold"] is None else entry["fold"]
        return entry["stage"] + ("" if part is None else f"[{part}]")

    return {label(entry): entry["state"] for entry in record(runs, name)["stages"]}


def entry(runs: Path, name: str, stage: str, fold: int | None = None) -> dict[str, Any]:
    """A stage's entry in a run's record."""
    return next(each for each in record(runs, name)["stages"] if (each["stage"], each["fold"]) == (stage, fold))


def write_raw(raw: Path) -> Path:
    """Two train series of two photos and one test pair, in the challenge's layout."""
    for number, photo in enumerate(("train_dataset/BC/BC_01", "train_dataset/LT/LT_01", "test_dataset/LT/1003")):
        folder = raw / photo
        folder.mkdir(parents=True)
        for day in (1, 2):
            stem = f"idx_LT_1003_0000{day}" if "test" in photo else f"DAT0{day}"
            Image.new("RGB", (20, 20), (90 * number, 90 * day, 40)).save(folder / f"{stem}.png")
    table = pd.DataFrame({"idx": [0], "before_file_path": ["idx_LT_1003_00001"], "after_file_path": ["idx_LT_1003_00002"]})
    table.to_csv(raw / "test_dataset/test_data.csv", index=False)
    return raw
