"""`compile`: flags and parameters go in; one file that Kubeflow or Vertex AI runs comes out.

The pipeline's function is called as it is, and every task it made is then dressed for the target, so the DAG is written once.
"""

import argparse
import functools
import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.contract.artifacts import whole_file
from components.network.settings import CHECKPOINT_NAMES
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.raw import raw_inputs
from launch.backends.kubeflow.copying import RUNS_AS, copy_artifact
from launch.cli.cluster_options import TARGETS, add_cluster_options, cluster_from
from launch.runs.parameters import SHARDS, parse, pipeline_inputs, resolve
from launch.runs.presets import PRESETS

RETRY_AFTER = "60s"  # doubled at each retry: by then a machine that was taken away may be there again
LARGEST_PARAMETER = 10_000  # characters, on Kubeflow and on Vertex


def add_parser(commands: Any) -> None:
    """Adds `compile` to the command line."""
    parser = commands.add_parser(
        "compile",
        help="write the pipeline as a file for Kubeflow or Vertex AI",
        description="Writes the pipeline as one file that Kubeflow or Vertex AI runs; its parameters' defaults are those given.",
    )
    add_cluster_options(parser)
    parser.add_argument(
        "--raw", metavar="GS", help="default of the raw data, gs://BUCKET/FOLDER (default: asked for at each run)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.yaml", help="the file to write")
    parser.set_defaults(command=compile_command)


def compile_command(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Writes the compiled pipeline and returns the exit status.

    Raises:
        ValueError: a flag or parameter that cannot be.
        FileNotFoundError: no such raw data, or no folder to write into.
    """
    output = arguments.output
    if output.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--output {output}: expected a name that ends with .yaml.")
    if not output.absolute().parent.is_dir():
        raise FileNotFoundError(f"--output {output}: no folder {output.absolute().parent}; make it first.")
    if arguments.target == "kubeflow" and arguments.service_account:
        raise ValueError("--service-account: no part of a file for Kubeflow, which takes it with each run; give it to submit.")
    cluster = cluster_from(arguments)
    parameters = cluster_parameters(arguments, cluster)
    data = raw_inputs(arguments.raw) if arguments.raw else {}
    compile_pipeline(pipeline, cluster, pipeline_inputs(parameters) | data, output)
    print(f"{output}: for {cluster.target}, accelerator {cluster.accelerator}")
    for image in dict.fromkeys(cluster.images.values()):
        print(f"  {image}")
    return 0


def cluster_parameters(arguments: argparse.Namespace, cluster: Cluster) -> dict[str, Any]:
    """Returns every parameter as preset and --set say, all of which the cluster can use.

    Raises:
        ValueError: a parameter that cannot be; as `check_for_cluster`.
    """
    values = resolve(PRESETS[arguments.preset]() if arguments.preset else {}, parse(arguments.assignments))
    check_for_cluster(values, cluster)
    return values


def check_for_cluster(values: Mapping[str, Any], cluster: Cluster) -> None:
    """Refuses what a cluster cannot use.

    Raises:
        ValueError: a parameter is too long, or names a checkpoint of this machine; a batch that the devices of train cannot
            share; several shards, for Kubeflow.
    """
    if cluster.target == "kubeflow":
        refuse_shards(values)
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


def refuse_shards(values: Mapping[str, Any]) -> None:
    """Refuses several shards, which Kubeflow 2.17 runs without an error and wrongly: a later loop reads the last one only.

    Raises:
        ValueError: says what to do instead.
    """
    reason = "Kubeflow hands the artifacts of only one shard to a later loop (kubeflow/pipelines issue 13900)"
    if values.get("num_shards", 1) > 1:
        raise ValueError(
            f"num_shards={values['num_shards']}: {reason}. Expected 1 there; Vertex AI and this machine take more, and make of "
            "them the same to the byte."
        )
    for name, value in values.items():
        if name.endswith(f"_{SHARDS}") and isinstance(value, list) and len(value) > 1:
            raise ValueError(
                f"{name}: the run has {len(value)} of them, and {reason}. Expected one; begin the rerun at resize_images, with "
                "--set num_shards=1 --downstream."
            )


def compile_pipeline(pipeline: Any, cluster: Cluster, defaults: Mapping[str, Any], path: Path) -> None:
    """Writes `pipeline`, made for `cluster`, to `path`, whole.

    Args:
        pipeline: what @dsl.pipeline made; its tasks are stages, or nothing that runs in a container.
        defaults: values of pipeline parameters where a run gives none; the others keep theirs, or have to be given.
    """
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "draft.yaml")
        compiler.Compiler().compile(dressed(pipeline, cluster), str(draft), pipeline_parameters=dict(defaults))
        text = draft.read_text(encoding="utf-8")
    header = "".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    spec, *platform = yaml.load_all(text, yaml.CSafeLoader)  # many times as fast as Python's own
    with whole_file(path) as partial:
        finished = [TARGETS[cluster.target].finish(spec, cluster), *platform]
        partial.write_text(header + yaml.dump_all(finished, Dumper=yaml.CSafeDumper), encoding="utf-8")


def dressed(pipeline: Any, cluster: Cluster) -> Any:
    """Returns the same pipeline with every task that runs in a container dressed for `cluster`, those of loops included."""
    from kfp import dsl
    from kfp.dsl.pipeline_context import Pipeline

    @functools.wraps(pipeline.pipeline_func)
    def function(*inputs: Any) -> Any:
        outputs = pipeline.pipeline_func(*inputs)
        for task in Pipeline.get_default_pipeline().tasks.values():
            if task.container_spec:
                dress(task, cluster)
        return outputs

    return dsl.pipeline(function, name=pipeline.name, description=pipeline.description)


def dress(task: Any, cluster: Cluster) -> None:
    """Puts on `task` what is the same everywhere, then what its target wants; a task that copies is dressed as one of a stage."""
    copies = task.component_spec.name == copy_artifact.component_spec.name
    stage = RUNS_AS if copies else task.component_spec.name.replace("-", "_")
    resources = cluster.resources[stage]
    task.set_container_image(cluster.images[stage]).set_caching_options(True)
    if not copies:
        task.set_display_name(stage.replace("_", " "))
    if resources.retries:
        task.set_retry(resources.retries, backoff_duration=RETRY_AFTER, backoff_factor=2.0, backoff_max_duration="3600s")
    for name, value in cluster.environment_of(stage).items():
        task.set_env_variable(name, value)
    TARGETS[cluster.target].dress(task, stage, cluster)
