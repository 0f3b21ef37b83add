"""Small pipelines for tests of the launcher: the real stages without tensors, and stages that misbehave.

python tests/support/launch_pipelines.py PIPELINE RUNS_DIR NAME PARAMETERS_AS_JSON
"""

import json
import sys
from pathlib import Path
from typing import Any

from kfp import dsl

from components.generate_pairs.component import generate_pairs
from components.raw.storage import content_digest
from components.resize_images.component import resize_images
from components.split_folds.component import split_folds
from launch.backends.local.cleaning.leftovers import among_runs
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.terminal import Terminal
from launch.runs.dag.loops import CollectedArtifacts
from launch.runs.dag.signatures import chosen_for, with_settings
from launch.runs.record import FAILED, SUCCEEDED, RunRecord

SMALL = {"image_size": 16, "num_folds": 2}  # of `tables`


@dsl.component(base_image="verdelta-test:0", install_kfp_package=False)
def work(note: dsl.Output[dsl.Dataset], scores: dsl.Output[dsl.Metrics], mood: str, broken_fold: int, fold: int):
    """Writes a note and a score, unless its mood says otherwise; a broken fold fails."""
    import os
    import pathlib
    import signal
    import subprocess
    import time

    if mood == "saving":
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), print("saved", flush=True), os._exit(1)))
    print(f"mood {mood}")
    if fold == broken_fold:
        raise ValueError(f"fold {fold} is broken,\nmend it")
    if mood == "killed":  # as by a machine out of memory, with a worker that outlives it
        subprocess.Popen(["sleep", "600"])
        os.kill(os.getpid(), signal.SIGKILL)
    if mood in ("slow", "saving"):
        time.sleep(600)
    if mood == "full":
        with open("/dev/full", "w") as file:  # noqa: PTH123
            file.write("x")
    if mood != "forgetful":
        pathlib.Path(note.path).mkdir()
        pathlib.Path(note.path, "note.txt").write_text(mood)
    scores.log_metric("score", 1.5)


@dsl.component(base_image="verdelta-test:0", install_kfp_package=False)
def read(notes: dsl.Input[list[dsl.Dataset]], page: dsl.Output[dsl.HTML]):
    """Joins the notes."""
    import pathlib

    pathlib.Path(page.path).write_text(" ".join(pathlib.Path(note.path, "note.txt").read_text() for note in notes))


@dsl.pipeline(name="moods")
def moods(mood: str = "good", broken_fold: int = -1, folds: list = [0, 1]):  # noqa: B006
    """One task per fold, then one that reads them all."""
    with dsl.ParallelFor(folds) as fold:
        worked = work(mood=mood, broken_fold=broken_fold, fold=fold)
    read(notes=dsl.Collected(worked.outputs["note"]))


@dsl.pipeline(name="tables")
@with_settings(("resize_images", "split_folds", "write_tfrecords"))
def tables(raw: str, raw_digest: str, shards: list[int] = [0], **settings: Any) -> None:  # noqa: B006
    """Raw photos to folds."""
    with dsl.ParallelFor(shards) as shard:
        resized = resize_images(raw=raw, raw_digest=raw_digest, shard=shard, **chosen_for(resize_images, settings))
    paired = generate_pairs(catalogs=CollectedArtifacts(resized.outputs["catalog"]))
    split_folds(pairs=paired.outputs["pairs"], **chosen_for(split_folds, settings))


def main(pipeline: str, runs: str, name: str, parameters: str) -> int:
    """Runs one of the pipelines above in runs/name."""
    values = json.loads(parameters)
    if "raw" in values:
        values = SMALL | {"raw_digest": content_digest(values["raw"])} | values
    folder = Path(runs).resolve() / name
    folder.mkdir(parents=True)
    record = RunRecord(folder, None, values)
    local_run = LocalRun(folder, folder.parent / ".cache", record, Terminal())
    with among_runs(folder.parent):
        succeeded = local_run.execute({"moods": moods, "tables": tables}[pipeline], values)
    reasons = [f"{failure.stage}[{failure.fold}]: {failure.reason}" for failure in local_run.failures]
    record.finish(SUCCEEDED if succeeded else FAILED, "; ".join(reasons) or None)
    record.close()
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
