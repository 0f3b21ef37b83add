"""`publish`: puts what of a run answers questions into a folder, which can be moved, mounted and put into a bucket."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from launch.cli.answers.ask import add_place, load_bundle
from launch.cli.options import add_runs_dir


def add_parser(commands: Any) -> None:
    """Adds `publish` to the command line."""
    parser = commands.add_parser(
        "publish",
        help="write a run's models and calibration into one folder, for ask, serve and the serving image",
        description="Writes the models and the calibration of a run into one folder, which ask and serve take as --model, and "
        "the serving image mounts or reads from a bucket.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="the run")
    parser.add_argument("--to", required=True, type=Path, metavar="DIR", help="a new folder, or an empty one")
    add_runs_dir(parser)
    add_place(parser)
    parser.set_defaults(command=publish, model="")


def publish(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Writes the folder, and returns the exit status.

    Raises:
        ValueError: a run that has no model or calibration.
        FileExistsError: the folder is not empty.
        FileNotFoundError: no such run, or something of it is gone.
        OSError: a bucket that cannot be read.
        BackendError: the cluster cannot be talked to, or says no.
    """
    from components.serve.models.bundle import write_bundle

    with tempfile.TemporaryDirectory(prefix="verdelta-publish-") as scratch:
        bundle = load_bundle(arguments, arguments.run, pipeline, Path(scratch))
        write_bundle(bundle, arguments.to)
    print(f"{arguments.to}: {len(bundle.models)} models of {bundle.name}")
    return 0
