"""`run`: runs the whole pipeline on this machine, from raw photos to calibrated submission and report."""

import argparse
from typing import Any

from launch.backends.base import execute
from launch.cli.options import add_local, add_parameters, backend_from, parameters_of
from launch.runs.plans.plan import SAMPLE, training_plan

HELP = "run the whole pipeline on this machine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--sample", action="store_true", help="run on synthetic plants, which are written first")
    data.add_argument(
        "--raw", metavar="DIR_OR_GS", help="run on this folder or gs://BUCKET/PREFIX, which holds train_dataset and test_dataset"
    )
    add_parameters(parser, "smoke with --sample, else the defaults below")
    add_local(parser, "the preset and the time")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Runs the pipeline as the command line says and returns the exit status."""
    preset = arguments.preset or ("smoke" if arguments.sample else None)  # the defaults, B7 at 512 px, would take days there
    raw = SAMPLE if arguments.sample else arguments.raw
    plan = training_plan(pipeline, parameters_of(arguments, preset), raw=raw, preset=preset, name=arguments.name)
    return execute(backend_from(arguments, pipeline), plan)
