"""Says on what a pipeline runs on a cluster, beside its parameters: images, machines, labels, secrets."""

import argparse
import dataclasses
import re
from collections.abc import Iterable, Sequence
from types import ModuleType

from components.images import ACCELERATED, image_for
from components.raw.storage import GS
from components.settings import STAGES
from launch.backends.cluster.notify import Notified
from launch.backends.cluster.resources import Resources, parse_resources, resolve_resources

IMMUTABLE = re.compile(r"[a-z0-9][\w.:/-]*?(?::[0-9a-f]{16,64}|@sha256:[0-9a-f]{64})")
LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")  # what Kubernetes and Google Cloud both take
CHECKPOINTS = "VERDELTA_CHECKPOINTS"  # components/train/saved_state.py
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where and on what a pipeline runs."""

    target: str  # kubeflow or vertex
    accelerator: str  # none, gpu or tpu; what train and predict compute on
    images: dict[str, str]  # stage to image
    resources: dict[str, Resources]  # stage to what it asks of its machine
    environment: dict[str, str]  # variables of every stage
    labels: dict[str, str]  # labels of what runs
    pipeline_root: str = ""  # where what XLA compiles and trainings that go on are kept, too; empty where it is not known
    service_account: str = ""  # that stages run as; empty for the target's default
    network: str = ""  # full name of the network that Vertex's jobs are peered with; empty for none
    # (secret, key, variable) of Kubernetes secrets that every stage gets as a variable
    secret_variables: tuple[tuple[str, str, str], ...] = ()
    secret_mounts: tuple[tuple[str, str], ...] = ()  # (secret, path) of Kubernetes secrets that every stage gets as a folder
    pull_secrets: tuple[str, ...] = ()  # Kubernetes secrets that images are pulled with
    notified: Notified | None = None  # who is told how a run ended, if anyone

    def environment_of(self, stage: str) -> dict[str, str]:
        """Returns the variables of one stage: Keras computes with JAX on an accelerator, and what is kept is in a bucket."""
        found, root = {}, self.pipeline_root.rstrip("/")
        if self.accelerator != "none" and stage in ACCELERATED:
            found = {"KERAS_BACKEND": "jax"} | ({"VERDELTA_COMPILE_CACHE": f"{root}/.programs"} if root.startswith(GS) else {})
        if stage == "train" and root.startswith(GS):
            found[CHECKPOINTS] = f"{root}/.training"
        return found | self.environment

    @property
    def keeps_trainings(self) -> bool:
        """Whether a training that was stopped can go on where it was."""
        return CHECKPOINTS in {*self.environment_of("train"), *(name for *_, name in self.secret_variables)}

    def labels_of(self, stage: str) -> dict[str, str]:
        """Returns the labels of one stage."""
        return {"app": "verdelta", "stage": stage} | self.labels


def cluster_from(
    name: str, target: ModuleType, flags: argparse.Namespace, accelerator: str, preset: str | None = None
) -> Cluster:
    """Returns what the flags of launch/cli/options.py say about a target's machines. Raises ValueError: one that cannot be."""
    given = parse_resources(flags.resource)
    resources = resolve_resources(given, target.ACCELERATED_DEFAULTS[accelerator], accelerator, preset)
    for stage, own in resources.items():
        target.check_resources(stage, own, set(given[stage]), accelerator)
    return Cluster(
        target=name,
        accelerator=accelerator,
        images=images_of(flags.registry, accelerator, target.IMAGE_VARIANT, flags.image),
        resources=resources,
        environment=dict(pairs("--env", flags.env, VARIABLE)),
        labels=dict(pairs("--label", flags.label, LABEL, LABEL)),
        pipeline_root=getattr(flags, "pipeline_root", ""),
        service_account=flags.service_account,
        network=flags.network,
        secret_variables=tuple(
            (*split("--secret-env", source, "/"), name) for source, name in pairs("--secret-env", flags.secret_env)
        ),
        secret_mounts=tuple(pairs("--secret-mount", flags.secret_mount, value=re.compile(r"/.+"))),
        pull_secrets=tuple(flags.pull_secret),
    )


def images_of(registry: str, accelerator: str, variant: str, overrides: Iterable[str]) -> dict[str, str]:
    """Returns the image of every stage. Raises ValueError: an image for no stage, or one whose name does not fix its content."""
    images = {stage: image_for(stage, registry, accelerator, variant) for stage in STAGES}
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
    """Returns (name, value) of NAME=VALUE texts. Raises ValueError: no "=", a name given twice, or one that does not match."""
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
    """Returns the two halves of `text`. Raises ValueError: one of them is missing."""
    left, _, right = text.partition(separator)
    if not left or not right:
        raise ValueError(f"{option} {text}: expected two parts around {separator!r}.")
    return left, right
