"""The flags of `rerun` and `score` for a run on a cluster are added here, and kept apart from those for this machine."""

import argparse
from pathlib import Path

from launch.cli.cluster_options import TARGETS, add_machine_options
from launch.cli.submit import add_sending_options

LOCAL_ONLY = {"runner": "subprocess", "runs_dir": Path("runs"), "parallel": 1}  # with what each is where it is not given
REMOTE_ONLY = (
    "accelerator", "registry", "image", "resource", "env", "label", "secret_env", "secret_mount", "pull_secret",
    "service_account", "network", "pipeline_root", "experiment", "wait", "host", "namespace", "project", "region",
    "api_endpoint", "token_file",
)  # fmt: skip


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that continue a run on a cluster; without --target, none of the others can be given."""
    parser.add_argument("--target", choices=list(TARGETS), help="where RUN is, and the new run goes (default: this machine)")
    group = parser.add_argument_group("with --target, as of submit")
    group.add_argument(
        "--experiment", default="", metavar="NAME",
        help="Kubeflow: the experiment that RUN is looked for in, where it is a name (default: verdelta); Vertex: the new run's, "
        "where RUN has none. Else the new run is of the experiment that RUN is of",
    )  # fmt: skip
    add_machine_options(group, as_before=True)
    add_sending_options(group)


def check_mix(arguments: argparse.Namespace) -> None:
    """Refuses flags of clusters for this machine, and flags of this machine for a cluster.

    Raises:
        ValueError: names the flag.
    """
    if arguments.target:
        for option, default in LOCAL_ONLY.items():
            if getattr(arguments, option) != default:
                raise ValueError(f"--{option.replace('_', '-')}: for runs of this machine; leave it out with --target.")
        return
    for option in REMOTE_ONLY:
        if getattr(arguments, option) not in ("", "none", False, None, []):
            raise ValueError(f"--{option.replace('_', '-')}: for runs on a cluster; give --target, or leave it out.")
