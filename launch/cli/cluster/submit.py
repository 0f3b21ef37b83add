"""`submit`: checks all that can be checked, then runs the pipeline on Kubeflow or Vertex AI and prints the run's link."""

import argparse
import re
from typing import Any

from launch.backends.base import execute
from launch.cli.options import (
    add_connection,
    add_machines,
    add_parameters,
    add_sending,
    add_target,
    cluster_backend_from,
    parameters_of,
)
from launch.runs.plans.plan import training_plan

HELP = "run the pipeline on Kubeflow or Vertex AI"
CRON = re.compile(r"[^\s]+( [^\s]+){4}")


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_target(parser, "what runs the pipeline", required=True)
    add_parameters(parser, "the defaults below")
    add_machines(parser)
    parser.add_argument("--raw", required=True, metavar="GS", help="the raw data, gs://BUCKET/FOLDER")
    parser.add_argument("--name", help="the run's name (default: the preset and the time)")
    parser.add_argument("--cron", metavar="TIMES", help="run at these times, such as '0 6 * * 1' (UTC), in place of now")
    add_connection(parser)
    add_sending(parser)
    parser.set_defaults(command=submit)


def submit(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Submits the pipeline as the command line says and returns the exit status."""
    backend, preset = cluster_backend_from(arguments, pipeline), arguments.preset
    parameters = parameters_of(arguments, preset)
    plan = training_plan(pipeline, parameters, raw=arguments.raw, preset=preset, name=arguments.name)
    if arguments.cron is None:
        return execute(backend, plan, wait=arguments.wait)
    if not CRON.fullmatch(arguments.cron) or arguments.wait:
        raise ValueError(
            f"--cron {arguments.cron!r}: expected five fields (minute, hour, day of the month, month, day of the week), such as "
            "'0 6 * * 1', and no --wait."
        )
    schedule = backend.schedule(plan, arguments.cron)
    print(f"schedule {schedule}: {arguments.cron}\nSee: python pipeline.py schedules list --target {arguments.target}")
    return 0
