"""`score`: predicts new photos with the models and the calibration of an earlier run, as a new run without training."""

import argparse
from typing import Any

from launch.backends.base import execute
from launch.cli.options import add_continuing, backend_from
from launch.runs.plans.score import score_plan

HELP = "predict new photos with the models of an earlier run, without training"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.add_argument("run", metavar="RUN", help="name of the run that trained the models, as list shows it")
    parser.add_argument(
        "--raw", required=True, metavar="DIR_OR_GS",
        help="the new photos: a folder or gs:// address that holds test_dataset and its test_data.csv; no train_dataset",
    )  # fmt: skip
    add_continuing(parser, "score and the time")
    parser.set_defaults(command=score)


def score(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Scores the photos as the command line says and returns the exit status."""
    backend = backend_from(arguments, pipeline)
    plan = score_plan(backend.wiring, backend.read(arguments.run), arguments.raw, arguments.name)
    return execute(backend, plan, wait=arguments.target is None or arguments.wait)
