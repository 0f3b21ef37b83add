"""Says what a stage is on Vertex AI: a task with machine sizes, or a custom job in its place.

A task names cores, memory and an accelerator, and Vertex finds a machine that fits. A machine type, a TPU, spot machines, a
timeout, or a network of its own can only be said by a custom job.
"""

import importlib
import re
from typing import Any

from components.images import ACCELERATED
from components.settings import STAGES
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.resources import Resources, chips
from launch.backends.vertex.machines import require_machine
from launch.runs.parameters import did_you_mean

RUNS_AS: dict[str, str] = {}  # tasks that are no stage's: in whose image they run
IMAGES_MAY_BE_LOCAL = False
IMAGE_VARIANT = "root"  # files below /gcs belong to who mounted them, and nobody else may write there
CUSTOM_JOB_ONLY = ("spot", "flex_start", "timeout_hours")
ACCELERATED_DEFAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "gpu": {"accelerator": "NVIDIA_TESLA_A100", "count": 1},  # 40 GB: B7 at 512 px needs 32
    "tpu": {"machine_type": "ct5lp-hightpu-1t"},
}
CHIPS_OF_MACHINE = re.compile(r"-(\d+)t$")  # ct5lp-hightpu-4t has four
ONE_CHIP = "1x1"  # the topology of a machine of one, which need not be said
OLD_TPU = "cloud-tpu"  # the machine type of TPU v2 and v3, which say accelerator and count in place of a topology


def check_resources(stage: str, resources: Resources, given: set[str], accelerator: str) -> None:
    """Refuses what Vertex cannot give a stage.

    Raises:
        ValueError: a node pool; what only a custom job has, without a machine type; no such accelerator, or one that does not go
            with the machine type; a topology that is not the machine's.
    """
    if "node_pool" in given:
        raise ValueError(f"--resource {stage}.node_pool: Vertex has no node pools; choose a machine_type in its place.")
    alone = [name for name in CUSTOM_JOB_ONLY if name in given and not resources.machine_type]
    if alone:
        raise ValueError(
            f"--resource {stage}.{alone[0]}: on Vertex only a stage with a machine_type has it; add, for example, "
            f"--resource {stage}.machine_type=n1-standard-8."
        )
    if bool(resources.accelerator) != bool(resources.count):
        raise ValueError(
            f"--resource {stage}: accelerator={resources.accelerator!r} and count={resources.count}; give both, or neither."
        )
    if resources.accelerator:
        require_accelerator(stage, resources.accelerator)
    if resources.spot and resources.flex_start:
        raise ValueError(f"--resource {stage}: spot and flex_start; a machine is had in one of the two ways.")
    if resources.machine_type:
        require_machine(stage, resources)
    if accelerator == "tpu":
        require_tpu(stage, resources)
    elif resources.topology:
        raise ValueError(f"--resource {stage}.topology={resources.topology}: only TPUs have one; use --accelerator tpu.")


def require_accelerator(stage: str, name: str) -> None:
    """Refuses an accelerator that Vertex has not. Raises ValueError: names the nearest that it has."""
    from google.cloud.aiplatform_v1.types import AcceleratorType

    known = [each.name for each in AcceleratorType][1:]
    if name not in known:
        guess = did_you_mean(name, known, cutoff=0.4)
        raise ValueError(f"--resource {stage}.accelerator={name}: Vertex has no such one.{guess} It has: {', '.join(known)}.")


def require_tpu(stage: str, resources: Resources) -> None:
    """Refuses a TPU machine that cannot be, for the stages that compute on one.

    Raises:
        ValueError: no machine type, or a topology of another number of chips than the machine has; for cloud-tpu a topology, or
            no accelerator.
    """
    if stage not in ACCELERATED:
        return
    if not resources.machine_type:
        raise ValueError(f"--resource {stage}.machine_type: a TPU needs one, such as ct5lp-hightpu-1t, or cloud-tpu.")
    if resources.machine_type == OLD_TPU:
        if resources.topology or not resources.accelerator:
            raise ValueError(
                f"--resource {stage}.machine_type={OLD_TPU}: accelerator={resources.accelerator!r}, count={resources.count}, "
                f"topology={resources.topology!r}; expected an accelerator and its count, such as {stage}.accelerator=TPU_V3 and "
                f"{stage}.count=8, and no topology."
            )
        return
    machine, topology = CHIPS_OF_MACHINE.search(resources.machine_type), topology_of(resources)
    if machine and (not topology or chips(stage, topology) != int(machine[1])):
        said = f"{topology} has {chips(stage, topology)} chips" if topology else "none is given"
        raise ValueError(
            f"--resource {stage}.topology={topology}: {said}, and machine_type {resources.machine_type} has {machine[1]}; choose "
            "them alike, such as 1x1 for -1t, 2x2 for -4t, 2x4 for -8t."
        )


def topology_of(resources: Resources) -> str:
    """Returns the arrangement of a machine's TPU chips; empty where it has none, or its machine type says no number of chips."""
    machine = CHIPS_OF_MACHINE.search(resources.machine_type)
    return resources.topology or (ONE_CHIP if machine and machine[1] == "1" else "")


def decorate_task(task: Any, _component: str, stage: str, cluster: Cluster) -> None:
    """Puts on `task` what Vertex needs to find a machine for it."""
    resources = cluster.resources[stage]
    task.set_cpu_limit(f"{resources.cpu:g}").set_memory_limit(f"{resources.memory}Gi")
    if resources.accelerator:
        task.set_accelerator_type(resources.accelerator).set_accelerator_limit(resources.count)


def finish(spec: dict[str, Any], cluster: Cluster) -> dict[str, Any]:
    """Returns the compiled pipeline with a custom job in place of every stage that has a machine type.

    The job's component has the stage's inputs and outputs and, with defaults, the job's own, so the tasks stay as they are.
    """
    components, executors = spec["components"], spec["deploymentSpec"]["executors"]
    for component in components.values():
        label = component.get("executorLabel", "")
        stage = re.sub(r"-\d+$", "", label.removeprefix("exec-")).replace("-", "_")
        if stage in STAGES and cluster.resources[stage].machine_type:
            job = custom_job(stage, cluster)
            (definition,) = job["components"].values()
            (executors[label],) = job["deploymentSpec"]["executors"].values()
            component |= {part: definition[part] for part in ("inputDefinitions", "outputDefinitions")}
    return spec


def custom_job(stage: str, cluster: Cluster) -> dict[str, Any]:
    """Returns a pipeline of one custom job that does what `stage` does, as google-cloud-pipeline-components makes it."""
    from google.protobuf import json_format
    from google_cloud_pipeline_components.v1.custom_job import create_custom_training_job_from_component

    resources = cluster.resources[stage]
    job = create_custom_training_job_from_component(
        getattr(importlib.import_module(f"components.{stage}.component"), stage),
        display_name=f"verdelta-{stage.replace('_', '-')}",
        machine_type=resources.machine_type,
        accelerator_type=resources.accelerator,
        accelerator_count=resources.count,
        boot_disk_type="",  # the machine type's own: not every one takes the function's default
        timeout=f"{round(resources.timeout_hours * 3600)}s",
        restart_job_on_worker_restart=resources.spot,
        strategy="SPOT" if resources.spot else "FLEX_START" if resources.flex_start else "STANDARD",
        service_account=cluster.service_account,
        network=cluster.network,
        labels=cluster.labels_of(stage),
        env=[{"name": name, "value": value} for name, value in cluster.environment_of(stage).items()],
    )
    spec: dict[str, Any] = json_format.MessageToDict(job.pipeline_spec)
    (definition,) = spec["components"].values()
    (pool,) = definition["inputDefinitions"]["parameters"]["worker_pool_specs"]["defaultValue"]
    pool["container_spec"]["image_uri"] = cluster.images[stage]
    topology = topology_of(resources)
    if topology:  # which the function has no argument for
        pool["machine_spec"]["tpu_topology"] = topology
    return spec
