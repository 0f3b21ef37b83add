"""How this machine runs stages: the command line goes in; a run that is ready, or a reason why it cannot be, comes out."""

import argparse
from collections.abc import Collection
from pathlib import Path

from components.images import ACCELERATED, flavour_of, image_for
from launch.backends.local.containers import connect, require_images
from launch.backends.local.keras_backend import JAX, TENSORFLOW, can_use_gpu, keras_backend, remarks
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.packages import require_packages
from launch.backends.local.places import linked_places
from launch.backends.local.terminal import Terminal
from launch.runs.record import RunRecord

DOCKER = "docker"


def add_options(parser: argparse.ArgumentParser, default_name: str) -> None:
    """Adds what every command that runs stages on this machine can be told."""
    parser.add_argument(
        "--runner", choices=["subprocess", DOCKER], default="subprocess",
        help="run each stage as a process of this Python, or in its container (default: subprocess)",
    )  # fmt: skip
    parser.add_argument("--name", help=f"the run's name (default: {default_name})")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")
    parser.add_argument(
        "--parallel", type=int, choices=[1, 2], default=1, metavar="N",
        help="folds, or shards, worked on at the same time, 1 or 2; each needs its own memory and accelerator (default: 1)",
    )  # fmt: skip


def require_runner(arguments: argparse.Namespace, stages: Collection[str], raw: str | None = None) -> None:
    """Refuses what cannot be run in the way that the command line says.

    Args:
        stages: what is to be run.
        raw: the raw data that is to be read, if any.

    Raises:
        ValueError: no engine, images or packages for `stages`, or raw data that a container cannot be shown.
    """
    if arguments.runner == DOCKER:
        require_images(connect(), map(image_for, stages))
        linked_places(raw or "")
        return
    on_gpu = keras_backend() == JAX and can_use_gpu()
    require_packages(flavour_of(stage, "gpu" if on_gpu and stage in ACCELERATED else "none") for stage in stages)


def new_local_run(arguments: argparse.Namespace, record: RunRecord, terminal: Terminal, stages: Collection[str]) -> LocalRun:
    """Returns the run of `stages` that the command line asks for, of which nothing has been executed yet."""
    in_containers = arguments.runner == DOCKER
    backend = TENSORFLOW if in_containers else keras_backend()  # the images for this machine compute with TensorFlow
    for line in remarks(backend, stages, record.content["parameters"]):
        terminal.say(line)
    cache = arguments.runs_dir.resolve() / ".cache"
    return LocalRun(record.folder, cache, record, terminal, arguments.parallel, containers=in_containers)
