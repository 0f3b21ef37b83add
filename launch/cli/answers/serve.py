"""`serve`: serves the models and the calibration of a run: a page for people, /docs for programs, until Ctrl-C."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from components.serve.options import add_server_flags
from launch.cli.answers.ask import add_model, load_bundle

HELP = "serve a run's models: a page, and an interface for programs"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.add_argument("run", nargs="?", default="", metavar="RUN", help="the run; none with --model")
    add_server_flags(parser, "127.0.0.1", 8080)
    add_model(parser)
    parser.set_defaults(command=serve)


def serve(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Serves until it is told to stop, and returns the exit status.

    Raises as `load_bundle`, or ValueError: neither or both of RUN and --model, or a limit that cannot be.
    """
    from components.serve.server import run_server  # OpenVINO takes a while to import

    if bool(arguments.run) == bool(arguments.model):
        raise ValueError(f"RUN {arguments.run!r}, --model {arguments.model!r}: expected one of them.")
    with tempfile.TemporaryDirectory(prefix="verdelta-serve-") as scratch:
        return run_server(load_bundle(arguments, arguments.run, pipeline, Path(scratch)), arguments)
