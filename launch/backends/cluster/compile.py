"""Compiles a pipeline into the one file that Kubeflow or Vertex AI runs.

The pipeline's function is called as it is, and every task it made is then decorated for the target, so the DAG is written once.
"""

import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from components.contract.artifacts import atomic_write
from components.network.settings import CHECKPOINT_NAMES
from components.settings import STAGES
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.notify import TASKS, notifying
from launch.runs.dag.kfp_internals import tasks_of_pipeline
from launch.runs.parameters import SHARDS

RETRY_AFTER = "60s"  # doubled at each retry: by then a machine that was taken away may be there again
DIGEST, DUE = "raw_digest", "{{$.pipeline_job_schedule_time_utc}}"  # a parameter, and what both targets replace by the time
LARGEST_PARAMETER = 10_000  # characters, on Kubeflow and on Vertex


def check_parameters(values: Mapping[str, Any], cluster: Cluster) -> None:
    """Refuses what a cluster cannot use.

    Raises:
        ValueError: a parameter is too long, or names a checkpoint of this machine; a batch that the devices of train cannot
            share.
    """
    cliques, devices = values.get("cliques_per_batch", 0), cluster.resources["train"].devices
    if cliques % devices:
        raise ValueError(
            f"cliques_per_batch={cliques}: train splits each batch over its {devices} devices. Expected a multiple of {devices}; "
            f"add --set cliques_per_batch={-(-cliques // devices) * devices}, or ask for fewer devices with --resource."
        )
    checkpoint = values.get("checkpoint", "none")
    if checkpoint not in CHECKPOINT_NAMES and not checkpoint.startswith("gs://"):
        raise ValueError(
            f"checkpoint={checkpoint}: a stage on a cluster cannot read this machine's files; expected one of "
            f"{', '.join(CHECKPOINT_NAMES)}, or gs://BUCKET/FILE. Copy it: gcloud storage cp {checkpoint} gs://BUCKET/"
        )
    long = [name for name, value in values.items() if len(str(value)) > LARGEST_PARAMETER]
    if long:
        name = long[0]
        way = "begin the rerun at the stage that wrote them" if name.endswith(f"_{SHARDS}") else "shorten it"
        raise ValueError(
            f"{name}: {len(str(values[name]))} characters; expected at most {LARGEST_PARAMETER:,}, the most that a cluster "
            f"takes; {way}."
        )


def compile_pipeline(
    pipeline: Any, cluster: Cluster, target: ModuleType, defaults: Mapping[str, Any], path: Path, read_anew: bool = False
) -> None:
    """Writes `pipeline`, made for `cluster`, to `path`, whole.

    Args:
        pipeline: what @dsl.pipeline made; its tasks are stages, what `target` knows, or nothing that runs in a container.
        defaults: values of pipeline parameters where a run gives none; the others keep theirs, or have to be given.
        read_anew: whether each run reads the raw data whatever its digest was: that of a schedule is as old as the schedule.
    """
    from kfp import compiler

    with atomic_write(path) as partial:
        compiler.Compiler().compile(decorated(pipeline, cluster, target), str(partial), pipeline_parameters=dict(defaults))
        text = partial.read_text(encoding="utf-8")
        header = "".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
        spec, *platform = yaml.load_all(text, yaml.CSafeLoader)  # many times as fast as Python's own
        if read_anew:
            spec = with_times_for_digests(spec)
        finished = [target.finish(spec, cluster), *platform]
        partial.write_text(header + yaml.dump_all(finished, Dumper=yaml.CSafeDumper), encoding="utf-8")


def with_times_for_digests(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns a compiled pipeline whose stages get, in place of the raw data's digest, the time that their run was due at.

    The digest is there for the cluster's cache alone, which looks at parameters and not at what lies in a folder.
    """
    for component in (spec["root"], *spec["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            wires = task.get("inputs", {}).get("parameters", {})
            if "dag" not in spec["components"][task["componentRef"]["name"]] and DIGEST in wires:
                wires[DIGEST] = {"runtimeValue": {"constant": DUE}}
    return spec


def decorated(pipeline: Any, cluster: Cluster, target: ModuleType) -> Any:
    """Returns the same pipeline with every task that runs in a container decorated for `cluster`, those of loops included."""
    from kfp import dsl

    components = pipeline.pipeline_spec.components

    @functools.wraps(pipeline.pipeline_func)
    def function(*inputs: Any) -> Any:
        with notifying(cluster.notified, components):
            outputs = pipeline.pipeline_func(*inputs)
        for task in tasks_of_pipeline():
            if task.container_spec:
                decorate(task, cluster, target)
        return outputs

    return dsl.pipeline(function, name=pipeline.name, description=pipeline.description)


def decorate(task: Any, cluster: Cluster, target: ModuleType) -> None:
    """Puts on `task` what is the same everywhere, then what its target wants; one that is no stage's runs as the target says."""
    component = task.component_spec.name.replace("-", "_")
    beside = {**target.RUNS_AS, **TASKS}
    if component not in STAGES and component not in beside:
        return  # Google's own
    stage = component if component in STAGES else beside[component]
    resources = cluster.resources[stage]
    task.set_container_image(cluster.images[stage]).set_caching_options(component not in TASKS)
    if stage == component:
        task.set_display_name(stage.replace("_", " "))
    # also where it is 0: a cluster may have a limit of its own for what says nothing
    task.set_retry(resources.retries, backoff_duration=RETRY_AFTER, backoff_factor=2.0, backoff_max_duration="3600s")
    for name, value in cluster.environment_of(stage).items():
        task.set_env_variable(name, value)
    target.decorate_task(task, component, stage, cluster)
