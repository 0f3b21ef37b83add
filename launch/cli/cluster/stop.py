"""`stop`: ends a run on a cluster; what it has finished can be gone on from with rerun. Ctrl-C ends one here."""

import argparse
from typing import Any

from launch.cli.options import add_place, cluster_backend_from

HELP = "end a run on Kubeflow or Vertex AI"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's id, or on Kubeflow its name")
    add_place(parser, "where the run is")
    parser.set_defaults(command=stop)


def stop(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Ends the run, says where it is to be seen, and returns the exit status."""
    page = cluster_backend_from(arguments, pipeline).stop(arguments.run)
    print(f"{arguments.run}: told to stop\n  {page}")
    return 0
