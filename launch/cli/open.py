"""`open`: prints where a run is to be seen, its page on a cluster or its report here, and opens that in a browser where there is
a display."""

import argparse
import os
import sys
import webbrowser
from typing import Any

from launch.cli.options import add_place, add_runs_dir, cluster_backend_from

HELP = "show a run's page or report"
REPORT = "report.html"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's name; on Vertex AI its id, on Kubeflow either")
    add_runs_dir(parser)
    add_place(parser, "where the run is (default: this machine)")
    parser.set_defaults(command=open_run)


def open_run(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Shows the run and returns the exit status. Raises FileNotFoundError: a run of this machine has no report."""
    if arguments.target:
        page = cluster_backend_from(arguments, pipeline).page_of(arguments.run)
    else:
        path = (arguments.runs_dir / arguments.run / REPORT).absolute()
        if not path.is_file():
            raise FileNotFoundError(f"{path}: missing. Expected a run that has ended well. See: python pipeline.py list")
        page = path.as_uri()
    print(page)
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(page)
    return 0
