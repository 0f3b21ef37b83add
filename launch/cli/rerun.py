"""`rerun`: runs one stage of an earlier run again, on exactly the artifacts that it had there, as a new run."""

import argparse
from typing import Any

from components.settings import STAGES
from launch.backends.base import execute
from launch.cli.options import add_continuing, backend_from
from launch.runs.plans.rerun import rerun_plan, wanted

HELP = "run one stage of a run again, with other parameters"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.add_argument(
        "run", metavar="RUN", help="name of the earlier run, as list shows it (Kubeflow: or its id); it need not have succeeded"
    )
    parser.add_argument("stage", metavar="STAGE", help=f"one of {', '.join(STAGES)}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments",
        help="change one parameter of a stage that is run; repeatable. All others are the earlier run's",
    )  # fmt: skip
    parser.add_argument("--downstream", action="store_true", help="go on through every stage that depends on it")
    parser.add_argument("--fold", type=int, metavar="N", help="train or predict again for this fold only (default: all of RUN's)")
    add_continuing(parser, "rerun, the stage and the time")
    parser.set_defaults(command=rerun)


def rerun(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Runs the stage as the command line says and returns the exit status."""
    backend = backend_from(arguments, pipeline)
    what = wanted(backend.wiring, arguments.stage, arguments.assignments, downstream=arguments.downstream, fold=arguments.fold)
    plan = rerun_plan(backend.wiring, backend.read(arguments.run), what, arguments.name)
    return execute(backend, plan, wait=arguments.target is None or arguments.wait)
