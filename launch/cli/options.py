"""The flags that several commands share, those of each place of execution among them, and the backend that they ask for."""

import argparse
from pathlib import Path
from typing import Any

from components.images import ACCELERATORS
from launch.backends.base import Backend, Flag
from launch.backends.cluster.backend import ClusterBackend
from launch.backends.cluster.resources import resource_table
from launch.backends.local.backend import DOCKER, LocalBackend
from launch.backends.table import CLUSTERS
from launch.runs.dag.wiring import read_wiring
from launch.runs.parameters import parse, resolve, table
from launch.runs.presets import PRESETS

HERE = "local"  # the target that is this machine, where a profile names another
Parser = argparse.ArgumentParser | argparse._ArgumentGroup
LOCAL: dict[str, Any] = {"runner": "subprocess", "runs_dir": Path("runs"), "parallel": 1}  # this machine's flags, their defaults
ONLY_CLUSTERS = (
    "accelerator", "registry", "image", "resource", "env", "label", "service_account", "pipeline_root", "experiment", "notify",
    "wait",
)  # fmt: skip
NOT_GIVEN: tuple[Any, ...] = ("", "none", "verdelta", False, None, [])  # what a cluster's flag is where nobody gives it


def add_parameters(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds --preset and --set, and the table of all parameters below the help; `default` says what holds without --preset."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"parameters, for --set NAME=VALUE:\n\n{table()}"
    parser.add_argument("--preset", choices=list(PRESETS), help=f"start from these parameters (default: {default})")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments", help="change one parameter; repeatable"
    )


def parameters_of(arguments: argparse.Namespace, preset: str | None) -> dict[str, Any]:
    """Returns every parameter as the preset and --set say; raises ValueError for one that cannot be."""
    return resolve(PRESETS[preset]() if preset else {}, parse(arguments.assignments))


def add_runs_dir(parser: argparse.ArgumentParser) -> None:
    """Adds --runs-dir."""
    parser.add_argument(
        "--runs-dir", type=Path, default=LOCAL["runs_dir"], metavar="DIR", help="where runs are kept (default: runs)"
    )


def add_local(parser: argparse.ArgumentParser, default_name: str) -> None:
    """Adds what every command that runs stages on this machine can be told."""
    parser.add_argument(
        "--runner", choices=["subprocess", DOCKER], default=LOCAL["runner"],
        help="run each stage as a process of this Python, or in its container (default: subprocess)",
    )  # fmt: skip
    parser.add_argument("--name", help=f"the run's name (default: {default_name})")
    add_runs_dir(parser)
    parser.add_argument(
        "--parallel", type=int, choices=[1, 2], default=LOCAL["parallel"], metavar="N",
        help="folds, or shards, worked on at the same time, 1 or 2; each needs its own memory and accelerator (default: 1)",
    )  # fmt: skip


def add_target(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    """Adds --target and --profile, which may name the target; `text` says what it is for."""
    parser.add_argument("--target", choices=[*CLUSTERS, *([] if required else [HERE])], required=required, help=text)
    parser.add_argument("--profile", metavar="NAME", help="of the several in verdelta.toml (default: default)")


def add_connection(parser: Parser, experiment: str = "verdelta", about: str = "") -> None:
    """Adds the flags that say which Kubeflow or Vertex project is talked to; `about` says what the experiment is for."""
    parser.add_argument(
        "--experiment", default=experiment, metavar="NAME",
        help=about or "the experiment that the run belongs to (default: verdelta)",
    )  # fmt: skip
    for name, backend in CLUSTERS.items():
        for flag in backend.flags_there:
            if flag.connects:
                add_flag(parser, name, flag)


def add_place(parser: argparse.ArgumentParser, text: str, about: str = "the experiment that a name is looked for in") -> None:
    """Adds the flags of a command about runs that are on a cluster; `text` says what its --target is for."""
    add_target(parser, text)
    add_connection(parser, about=f"Kubeflow: {about} (default: verdelta)")


def add_sending(parser: Parser) -> None:
    """Adds what is said of a run that is sent to a cluster, beside how it is talked to and on what it runs."""
    parser.add_argument(
        "--pipeline-root", default="", metavar="GS", help="where stages keep what they make (Kubeflow: default is the server's)"
    )
    add_flag(parser, "", Flag("notify", "TO", "tell this webhook, or on Vertex AI this e-mail address, how the run ended", True))
    parser.add_argument("--wait", action="store_true", help="follow the run to its end; status 1 if it fails")


def add_machines(parser: Parser, *, as_before: bool = False) -> None:
    """Adds the flags that say on what stages run there; the accelerator's default is that of an earlier run, if there is one."""
    if isinstance(parser, argparse.ArgumentParser):
        parser.epilog = f"{parser.epilog or ''}\n\nresources, for --resource STAGE.NAME=VALUE:\n\n{resource_table()}".lstrip()
    parser.add_argument(
        "--accelerator", choices=ACCELERATORS, default=None if as_before else "none",
        help=f"what train and predict compute on (default: {'that of RUN' if as_before else 'none'})",
    )  # fmt: skip
    for flag in (
        Flag("registry", "R", "where images are pulled from, such as europe-docker.pkg.dev/PROJECT/REPOSITORY"),
        Flag("image", "STAGE=IMAGE", "run a stage in this image, repository@sha256:... or with a tag of hex digits", True),
        Flag("resource", "STAGE.NAME=VALUE", "change what a stage (or all) asks of its machine", True),
        Flag("env", "NAME=VALUE", "environment variable of every stage", True),
        Flag("label", "NAME=VALUE", "label of what runs: pods on Kubeflow, jobs on Vertex", True),
        Flag("service-account", "NAME", "what stages run as (Kubeflow: with submit)"),
    ):
        add_flag(parser, "", flag)
    for name, backend in CLUSTERS.items():
        for flag in backend.flags_there:
            if not flag.connects:
                add_flag(parser, name, flag)


def add_flag(parser: Parser, target: str, flag: Flag) -> None:
    """Adds a flag, and to its help the target that has it."""
    text = f"{target.capitalize()}: {flag.help}" if target else flag.help
    kind: dict[str, Any] = {"action": "append", "default": []} if flag.repeatable else {"default": ""}
    parser.add_argument(f"--{flag.name}", metavar=flag.metavar, help=text + ("; repeatable" if flag.repeatable else ""), **kind)


def add_continuing(parser: argparse.ArgumentParser, default_name: str) -> None:
    """Adds the flags of a command that goes on from a run, of this machine or of a cluster."""
    add_local(parser, default_name)
    add_target(parser, "where RUN is, and the new run goes (default: this machine)")
    group = parser.add_argument_group("with --target, as of submit")
    add_connection(
        group, "",
        "Kubeflow: the experiment that RUN is looked for in, where it is a name (default: verdelta); Vertex: the new run's, "
        "where RUN has none. Else the new run is of the experiment that RUN is of",
    )  # fmt: skip
    add_machines(group, as_before=True)
    add_sending(group)


def backend_from(arguments: argparse.Namespace, pipeline: Any) -> Backend:
    """Returns the place of execution that the command line names; raises ValueError for a flag that cannot be there."""
    if getattr(arguments, "target", None):
        return cluster_backend_from(arguments, pipeline)
    check_flags(arguments)
    given = {**LOCAL, **{name: value for name, value in vars(arguments).items() if name in LOCAL}}
    return LocalBackend(read_wiring(pipeline), given["runs_dir"], given["runner"], given["parallel"])


def cluster_backend_from(arguments: argparse.Namespace, pipeline: Any) -> ClusterBackend:
    """Returns the cluster that the command line names; raises ValueError where it names none, or a flag cannot be."""
    if not arguments.target:
        raise ValueError(f"--target: missing; expected one of {', '.join(CLUSTERS)}, or a profile that says it.")
    check_flags(arguments)
    return CLUSTERS[arguments.target](read_wiring(pipeline), arguments)


def check_flags(arguments: argparse.Namespace) -> None:
    """Refuses a flag of another place of execution than the command line's, and a missing one of that. Raises ValueError."""
    target, given = getattr(arguments, "target", None), vars(arguments)
    for name, backend in CLUSTERS.items():
        for flag in backend.flags_there:
            if given.get(flag.destination) and name != target:
                raise ValueError(f"--{flag.name}: it goes with --target {name}; leave it out.")
            if flag.required and name == target and flag.destination in given and not given[flag.destination]:
                raise ValueError(f"--{flag.name}: missing; --target {name} needs it.")
    others = {name: given[name] != LOCAL[name] for name in LOCAL if name in given}
    if not target:
        others = {name: given[name] not in NOT_GIVEN for name in ONLY_CLUSTERS if name in given}
    for name in (name for name, is_given in others.items() if is_given):
        place = (
            "of this machine; leave it out, or give --target local" if target else "on a cluster; give --target, or leave it out"
        )
        raise ValueError(f"--{name.replace('_', '-')}: for runs {place}.")
