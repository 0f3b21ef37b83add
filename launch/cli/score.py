"""`score`: a trained run and new photos go in; a new run comes out, with what its models say about them; nothing is trained."""

import argparse
from collections.abc import Callable
from typing import Any

from components.contract import schema
from components.raw.storage import check_raw, content_digest, locate_raw
from components.settings import STAGES
from launch.backends.cluster.remote_again import score_remote
from launch.backends.local.runner import add_options, new_local_run, require_runner
from launch.backends.local.terminal import Terminal
from launch.cli.remote_options import add_remote_options, check_mix
from launch.cli.run import claim_folder, execute, failing_into
from launch.runs.lineage import SCORE, local_content, read_recorded_run
from launch.runs.parameters import resolve
from launch.runs.record import RunRecord
from launch.runs.wiring import read_wiring

ONLY_IN_TRAINING = ("split_folds", "train")


def add_parser(commands: Any) -> None:
    """Adds `score` to the command line."""
    parser = commands.add_parser(
        "score",
        help="predict new photos with the models of an earlier run, without training",
        description="Predicts new photos with the models and the calibration of an earlier run, as a new run without training.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="name of the run that trained the models, as list shows it")
    parser.add_argument(
        "--raw", required=True, metavar="DIR_OR_GS",
        help="the new photos: a folder or gs:// address that holds test_dataset and its test_data.csv; no train_dataset",
    )  # fmt: skip
    add_options(parser, "score and the time")
    add_remote_options(parser)
    parser.set_defaults(command=score)


def score(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Scores the photos as the command line says and returns the exit status.

    Raises:
        ValueError: a name that cannot be, or a run that has no model or calibration.
        FileNotFoundError: no such run, an artifact of it is gone, or raw data that is not there or not complete.
        FileExistsError: a run of the new name.
    """
    check_mix(arguments)
    if arguments.target:
        return score_remote(arguments, pipeline)
    from launch.runs.scoring import TRAINED, scoring

    wiring, runs, terminal = read_wiring(pipeline), arguments.runs_dir.resolve(), Terminal()
    trained = read_recorded_run(runs, arguments.run, wiring)
    if (trained.record.get("parent") or {}).get("kind") == SCORE:
        raise ValueError(f"{trained.name}: made by score. Expected the run that trained: {trained.record['parent']['run']}.")
    trained.require(TRAINED, trained.folds, wiring)
    check_raw(arguments.raw, (schema.TEST,))
    parameters = resolve(trained.record["parameters"], {})
    stages = [stage for stage in STAGES if stage not in ONLY_IN_TRAINING]
    require_runner(arguments, stages, arguments.raw)
    folder = claim_folder(runs, arguments.name, "score")
    parent = {"run": trained.name, "stage": None, "kind": SCORE}
    record = RunRecord(folder, trained.record.get("preset"), parameters, parent)
    with failing_into(record):
        raw = locate_raw(arguments.raw)
        terminal.say(f"run {folder.name} in {folder}: {raw} by the models of {trained.name}")
        pipeline_and_inputs = scoring(
            raw={"raw": raw, "raw_digest": content_digest(raw, (schema.TEST,))},
            folds=trained.folds,
            parameters=parameters,
            artifacts=trained.artifacts,
            content=local_content,
        )
        return execute(new_local_run(arguments, record, terminal, stages), [pipeline_and_inputs])
