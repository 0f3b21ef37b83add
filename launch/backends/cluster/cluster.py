"""Where and on what a pipeline runs, beside its parameters: what the targets read, and the flags are made into."""

import dataclasses

from components.images import ACCELERATED
from launch.backends.cluster.resources import Resources


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where and on what a pipeline runs.

    Attributes:
        target: kubeflow or vertex.
        accelerator: none, gpu or tpu; what train and predict compute on.
        images: stage to image.
        resources: stage to what it asks of its machine.
        environment: variables of every stage.
        labels: labels of what runs.
        service_account: that stages run as; empty for the target's default.
        network: full name of the network that Vertex's jobs are peered with; empty for none.
        secret_variables: (secret, key, variable) of Kubernetes secrets that every stage gets as a variable.
        secret_mounts: (secret, path) of Kubernetes secrets that every stage gets as a folder.
        pull_secrets: Kubernetes secrets that images are pulled with.
    """

    target: str
    accelerator: str
    images: dict[str, str]
    resources: dict[str, Resources]
    environment: dict[str, str]
    labels: dict[str, str]
    service_account: str = ""
    network: str = ""
    secret_variables: tuple[tuple[str, str, str], ...] = ()
    secret_mounts: tuple[tuple[str, str], ...] = ()
    pull_secrets: tuple[str, ...] = ()

    def environment_of(self, stage: str) -> dict[str, str]:
        """Returns the variables of one stage: Keras computes with JAX where there is an accelerator."""
        backend = {"KERAS_BACKEND": "jax"} if self.accelerator != "none" and stage in ACCELERATED else {}
        return backend | self.environment

    def labels_of(self, stage: str) -> dict[str, str]:
        """Returns the labels of one stage."""
        return {"app": "verdelta", "stage": stage} | self.labels
