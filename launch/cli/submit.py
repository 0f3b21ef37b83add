"""`submit`: flags and parameters go in; a run on Kubeflow or Vertex AI, its link and, with --wait, its end come out."""

import argparse
import datetime
import functools
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from components.settings import STAGES
from launch.backends.cluster.checks import check_images, check_pipeline_root
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.compile import cluster_parameters, compile_pipeline
from launch.backends.cluster.raw import raw_inputs
from launch.backends.follow import RemoteError, follow
from launch.backends.kubeflow import client as kubeflow_client
from launch.backends.vertex import client as vertex_client
from launch.cli.cluster_options import add_cluster_options, add_connection_options, cluster_from
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.parameters import pipeline_inputs

EXPERIMENT = "verdelta"
CLIENTS: dict[str, ModuleType] = {"kubeflow": kubeflow_client, "vertex": vertex_client}


def add_parser(commands: Any) -> None:
    """Adds `submit` to the command line."""
    parser = commands.add_parser(
        "submit",
        help="run the pipeline on Kubeflow or Vertex AI",
        description="Checks all that can be checked, then runs the pipeline on Kubeflow or Vertex AI and prints the run's link.",
    )
    add_cluster_options(parser)
    parser.add_argument("--raw", required=True, metavar="GS", help="the raw data, gs://BUCKET/FOLDER")
    parser.add_argument("--name", help="the run's name (default: the preset and the time)")
    parser.add_argument("--experiment", default=EXPERIMENT, help="the experiment that the run belongs to (default: verdelta)")
    add_sending_options(parser)
    parser.set_defaults(command=submit)


def add_sending_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds the flags that say where a run is sent, beside its experiment."""
    parser.add_argument(
        "--pipeline-root", default="", metavar="GS", help="where stages keep what they make (Kubeflow: default is the server's)"
    )
    parser.add_argument("--wait", action="store_true", help="follow the run to its end; status 1 if it fails")
    add_connection_options(parser)


def telling_remote_errors(command: Callable[..., int]) -> Callable[..., int]:
    """Returns `command` with status 1, and one clear line, where a cluster or Google Cloud Storage cannot be talked to."""

    @functools.wraps(command)
    def told(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
        try:
            return command(arguments, pipeline)
        except (RemoteError, ConnectionError) as error:
            print(f"ERROR: {error}", file=sys.stderr)
            return 1

    return told


@telling_remote_errors
def submit(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Submits the pipeline as the command line says and returns the exit status.

    Raises:
        ValueError: a flag or parameter that cannot be.
        FileNotFoundError: a bucket, raw data, a checkpoint or an image is missing.
    """
    client = CLIENTS[arguments.target]
    check_options(arguments)
    cluster = cluster_from(arguments)
    parameters = cluster_parameters(arguments, cluster)
    arguments.name = arguments.name or f"{arguments.preset or 'run'}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    about = {"preset": arguments.preset or "none", "accelerator": arguments.accelerator}
    connection = client.connect(arguments)
    check_surroundings(arguments, cluster, STAGES)
    parameters |= pin_checkpoint(parameters, must_exist=True)
    return send(connection, pipeline, raw_inputs(arguments.raw) | pipeline_inputs(parameters), cluster, about, arguments)


def send(
    connection: Any, pipeline: Any, values: dict[str, Any], cluster: Cluster, about: dict[str, str], arguments: argparse.Namespace
) -> int:
    """Compiles the pipeline, creates the run, prints its link, follows it where that is wanted, and returns the exit status.

    Args:
        connection: as the client's `connect` returns it.
        values: every parameter of the pipeline.
        about: words about the run that no parameter says.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "verdelta.yaml")
        compile_pipeline(pipeline, cluster, {}, file)
        run = CLIENTS[arguments.target].submit(connection, file, values, cluster, about, arguments)
    print(f"run {arguments.name} of experiment {arguments.experiment}\n  {run.link}", flush=True)
    return follow(run) if arguments.wait else 0


def check_options(arguments: argparse.Namespace) -> None:
    """Refuses an option of another target, and a missing one of this.

    Raises:
        ValueError: names the option.
    """
    for target, client in CLIENTS.items():
        for option in client.OPTIONS:
            if target != arguments.target and getattr(arguments, option):
                raise ValueError(f"--{option.replace('_', '-')}: {arguments.target} has no such thing; leave it out.")
    for option in CLIENTS[arguments.target].REQUIRED:
        if not getattr(arguments, option):
            raise ValueError(f"--{option.replace('_', '-')}: missing; {arguments.target} needs it.")


def check_surroundings(arguments: argparse.Namespace, cluster: Cluster, stages: Iterable[str]) -> None:
    """Asks for the pipeline_root and the images of `stages`, and says what could not be asked.

    Raises:
        ValueError: an address that cannot be.
        FileNotFoundError: something is missing; says how to make it.
        ConnectionError: Google Cloud Storage does not answer.
    """
    if arguments.pipeline_root:
        check_pipeline_root(arguments.pipeline_root, arguments.project, arguments.region)
    images = [cluster.images[stage] for stage in stages]
    given = [text.partition("=")[2] for text in arguments.image]
    for line in check_images(images, given=given, may_be_local=arguments.target == "kubeflow"):
        print(f"not checked: {line}", flush=True)
