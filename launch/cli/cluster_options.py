"""What `compile` and `submit` ask for, beside parameters: their flags go in, one checked `Cluster` comes out."""

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from components.images import ACCELERATORS, image_for
from components.settings import STAGES
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.resources import parse_resources, resolve_resources, resource_table
from launch.backends.kubeflow import target as kubeflow
from launch.backends.vertex import target as vertex
from launch.runs.parameters import table
from launch.runs.presets import PRESETS

TARGETS: dict[str, ModuleType] = {"kubeflow": kubeflow, "vertex": vertex}
IMMUTABLE = re.compile(r"[a-z0-9][\w.:/-]*?(?::[0-9a-f]{16,64}|@sha256:[0-9a-f]{64})")
LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")  # what Kubernetes and Google Cloud both take
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that `compile` and `submit` share."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"parameters, for --set NAME=VALUE:\n\n{table()}\n\nresources, for --resource STAGE.NAME=VALUE:\n\n{resource_table()}"
    )
    parser.add_argument("--target", choices=list(TARGETS), required=True, help="what runs the pipeline")
    parser.add_argument("--preset", choices=list(PRESETS), help="start from these parameters (default: the defaults below)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments", help="change one parameter; repeatable"
    )
    add_machine_options(parser)


def add_machine_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup, *, as_before: bool = False) -> None:
    """Adds the flags that say on what stages run there.

    Args:
        as_before: whether there is an earlier run, whose accelerator is the default.
    """
    parser.add_argument(
        "--accelerator", choices=ACCELERATORS, default=None if as_before else "none",
        help=f"what train and predict compute on (default: {'that of RUN' if as_before else 'none'})",
    )  # fmt: skip
    parser.add_argument(
        "--registry",
        default="",
        metavar="R",
        help="where images are pulled from, such as europe-docker.pkg.dev/PROJECT/REPOSITORY",
    )
    repeatable = {"action": "append", "default": []}
    for flag, metavar, text in (
        ("--image", "STAGE=IMAGE", "run a stage in this image, named by content: repository@sha256:... or a tag of hex digits"),
        ("--resource", "STAGE.NAME=VALUE", "change what a stage (or all) asks of its machine"),
        ("--env", "NAME=VALUE", "environment variable of every stage"),
        ("--label", "NAME=VALUE", "label of what runs: pods on Kubeflow, jobs on Vertex"),
        ("--secret-env", "SECRET/KEY=NAME", "Kubeflow: a secret's key as environment variable of every stage"),
        ("--secret-mount", "SECRET=/PATH", "Kubeflow: a secret as a folder in every stage"),
        ("--pull-secret", "SECRET", "Kubeflow: a secret that images are pulled with"),
    ):
        parser.add_argument(flag, metavar=metavar, help=f"{text}; repeatable", **repeatable)  # type: ignore[arg-type]
    parser.add_argument("--service-account", default="", metavar="NAME", help="what stages run as (Kubeflow: with submit)")
    parser.add_argument(
        "--network", default="", metavar="NAME", help="Vertex: peer jobs with projects/NUMBER/global/networks/NAME"
    )


def cluster_from(arguments: argparse.Namespace) -> Cluster:
    """Returns what the flags of `add_machine_options` say.

    Raises:
        ValueError: a flag that cannot be, or that the target does not have.
    """
    target = TARGETS[arguments.target]
    for option in target.OTHERS_OPTIONS:
        if getattr(arguments, option):
            raise ValueError(f"--{option.replace('_', '-')}: {arguments.target} has no such thing; leave it out.")
    given = parse_resources(arguments.resource)
    resources = resolve_resources(given, target.ACCELERATED_DEFAULTS[arguments.accelerator], arguments.accelerator)
    for stage, own in resources.items():
        target.check_resources(stage, own, set(given[stage]), arguments.accelerator)
    return Cluster(
        target=arguments.target,
        accelerator=arguments.accelerator,
        images=images_of(arguments.registry, arguments.accelerator, arguments.image),
        resources=resources,
        environment=dict(pairs("--env", arguments.env, VARIABLE)),
        labels=dict(pairs("--label", arguments.label, LABEL, LABEL)),
        service_account=arguments.service_account,
        network=arguments.network,
        secret_variables=tuple(
            (*split("--secret-env", source, "/"), name) for source, name in pairs("--secret-env", arguments.secret_env)
        ),
        secret_mounts=tuple(pairs("--secret-mount", arguments.secret_mount, value=re.compile(r"/.+"))),
        pull_secrets=tuple(arguments.pull_secret),
    )


def images_of(registry: str, accelerator: str, overrides: Iterable[str]) -> dict[str, str]:
    """Returns the image of every stage.

    Raises:
        ValueError: an image for no stage, or one whose name does not fix its content.
    """
    images = {stage: image_for(stage, registry, accelerator) for stage in STAGES}
    for stage, image in pairs("--image", overrides):
        if stage not in images:
            raise ValueError(f"--image {stage}={image}: no stage {stage!r}; expected one of {', '.join(STAGES)}.")
        if not IMMUTABLE.fullmatch(image):
            raise ValueError(
                f"--image {stage}={image}: its content can change under that name, and cached results would be those of other "
                "code. Expected REPOSITORY@sha256:<64 hex digits>, or a tag of 16 to 64 hex digits. The digest of a pushed one: "
                f"docker inspect --format '{{{{index .RepoDigests 0}}}}' {image}"
            )
        images[stage] = image
    return images


def pairs(
    option: str, texts: Iterable[str], name: re.Pattern[str] | None = None, value: re.Pattern[str] | None = None
) -> Sequence[tuple[str, str]]:
    """Returns (name, value) of NAME=VALUE texts.

    Raises:
        ValueError: no "=", a name given twice, or one that does not match.
    """
    found: dict[str, str] = {}
    for text in texts:
        left, right = split(option, text, "=")
        for part, pattern in ((left, name), (right, value)):
            if pattern and not pattern.fullmatch(part):
                raise ValueError(f"{option} {text}: {part!r} is not allowed there; expected {pattern.pattern}.")
        if left in found:
            raise ValueError(f"{option} {left}: given twice; give it once.")
        found[left] = right
    return list(found.items())


def split(option: str, text: str, separator: str) -> tuple[str, str]:
    """Returns the two halves of `text`.

    Raises:
        ValueError: one of them is missing.
    """
    left, _, right = text.partition(separator)
    if not left or not right:
        raise ValueError(f"{option} {text}: expected two parts around {separator!r}.")
    return left, right


def add_connection_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds the flags that say which Kubeflow or which Vertex project is talked to."""
    for option, metavar, text in (
        ("--host", "URL", "Kubeflow: address of Kubeflow Pipelines (default: $KF_PIPELINES_ENDPOINT, pod or kubeconfig)"),
        ("--namespace", "NAME", "Kubeflow: your namespace, where there are several users"),
        ("--project", "ID", "Vertex: the Google Cloud project"),
        ("--region", "NAME", "Vertex: the region, such as europe-west4"),
        ("--api-endpoint", "URL", "Vertex: where the API answers, for Private Service Connect (default: the region's)"),
    ):
        parser.add_argument(option, default="", metavar=metavar, help=text)
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="Kubeflow: a file with a token to log in with")
