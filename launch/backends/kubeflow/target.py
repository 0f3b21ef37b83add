"""Says what a stage is on Kubeflow: requests, node selectors, tolerations, secrets and labels on its task.

Nodes are named by the labels that GKE gives them; elsewhere leave accelerator and node_pool empty, or label nodes likewise.
"""

from typing import Any

from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.resources import Resources, chips
from launch.backends.kubeflow.copying import RUNS_AS as COPIES_AS
from launch.backends.kubeflow.copying import copy_artifact

RUNS_AS = {copy_artifact.component_spec.name.replace("-", "_"): COPIES_AS}  # tasks that are no stage's: in whose image they run
IMAGES_MAY_BE_LOCAL = True  # on every node
IMAGE_VARIANT = ""
DEVICES = {"gpu": "nvidia.com/gpu", "tpu": "google.com/tpu"}  # the resource and the taint of nodes that have it
MODEL_LABELS = {"gpu": "cloud.google.com/gke-accelerator", "tpu": "cloud.google.com/gke-tpu-accelerator"}
CHIPS_OF_HOST = {2: 8, 3: 4}  # the most that one host has, by the sides of its topology: 2x4 of v5e and v6e, 2x2x1 of v4 and v5p
TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
SPOT_LABEL = "cloud.google.com/gke-spot"
ACCELERATED_DEFAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "gpu": {"count": 1},
    "tpu": {"accelerator": "tpu-v5-lite-podslice", "count": 1, "topology": "1x1"},
}


def check_resources(stage: str, resources: Resources, given: set[str], accelerator: str) -> None:
    """Refuses what Kubeflow cannot give a stage.

    Raises:
        ValueError: a machine type; a topology without TPU, of more chips than the stage's one pod asks for, or of several hosts.
    """
    for name in ("machine_type", "flex_start"):
        if name in given:
            raise ValueError(f"--resource {stage}.{name}: Kubeflow's nodes are there already; choose a node_pool in its place.")
    if accelerator != "tpu" and resources.topology:
        raise ValueError(f"--resource {stage}.topology={resources.topology}: only TPUs have one; use --accelerator tpu.")
    if accelerator == "tpu" and resources.topology:
        require_one_host(stage, resources)


def require_one_host(stage: str, resources: Resources) -> None:
    """Refuses a topology but of one TPU host, of which one pod has all chips. Raises ValueError: not count chips, or too many."""
    found, most = chips(stage, resources.topology), CHIPS_OF_HOST[len(resources.topology.split("x"))]
    if found != resources.count:
        raise ValueError(
            f"--resource {stage}.topology={resources.topology} has {found} chips, and count is {resources.count}; they must be "
            "equal, since a stage is one pod on one TPU host."
        )
    if found > most:
        raise ValueError(
            f"--resource {stage}.topology={resources.topology} is a slice of several hosts, and a stage is one pod on one host. "
            f"Expected at most {most} chips, such as {'2x2x1' if most == CHIPS_OF_HOST[3] else '2x4'}."
        )


def decorate_task(task: Any, component: str, stage: str, cluster: Cluster) -> None:
    """Puts on `task`, which runs `component` on the machine of `stage`, all that Kubeflow needs to know.

    Memory is requested and limited alike, so that a stage that grows is ended rather than its neighbours; cores are only
    requested, as idle ones may be borrowed.
    """
    from kfp import kubernetes

    resources = cluster.resources[stage]
    memory = f"{resources.memory}Gi"
    task.set_cpu_request(f"{resources.cpu:g}").set_memory_request(memory).set_memory_limit(memory)
    for label, value in selectors(resources, cluster.accelerator).items():
        kubernetes.add_node_selector(task, label, value)
    if resources.count:
        device = DEVICES[cluster.accelerator]
        task.set_accelerator_type(device).set_accelerator_limit(resources.count)
        kubernetes.add_toleration(task, key=device, operator="Exists", effect="NoSchedule")
    if resources.spot:
        kubernetes.add_toleration(task, key=SPOT_LABEL, operator="Equal", value="true", effect="NoSchedule")
    kubernetes.set_timeout(task, round(resources.timeout_hours * 3600))
    for name, value in cluster.labels_of(component).items():
        kubernetes.add_pod_label(task, name, value)
    for secret, key, variable in cluster.secret_variables:
        kubernetes.use_secret_as_env(task, secret, {key: variable})
    for secret, path in cluster.secret_mounts:
        kubernetes.use_secret_as_volume(task, secret, path)
    if cluster.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.pull_secrets))


def selectors(resources: Resources, accelerator: str) -> dict[str, str]:
    """Returns the labels that a node must have to get the stage."""
    wanted = {NODE_POOL_LABEL: resources.node_pool, SPOT_LABEL: "true" if resources.spot else ""}
    if resources.count:
        wanted |= {MODEL_LABELS[accelerator]: resources.accelerator, TOPOLOGY_LABEL: resources.topology}
    return {label: value for label, value in wanted.items() if value}


def finish(spec: dict[str, Any], _cluster: Cluster) -> dict[str, Any]:
    """Returns the compiled pipeline as it is: Kubeflow needs nothing that a task cannot say."""
    return spec
