"""`compile`: writes the pipeline as one file that Kubeflow or Vertex AI runs; its parameters' defaults are those given."""

import argparse
from pathlib import Path
from typing import Any

from launch.backends.cluster.checks import raw_inputs
from launch.backends.cluster.compile import check_parameters, compile_pipeline
from launch.cli.options import add_machines, add_parameters, add_target, cluster_backend_from, parameters_of
from launch.runs.parameters import FOLDS, SHARDS, pipeline_inputs

HELP = "write the pipeline as a file for Kubeflow or Vertex AI"
MORE = {
    FOLDS: ("fold", "folds=[0,1,2,3,4]"),
    SHARDS: ("shard", "num_shards=8"),
}  # what is fixed without a loop, and what gives one


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_target(parser, "what runs the pipeline", required=True)
    add_parameters(parser, "the defaults below")
    add_machines(parser)
    parser.add_argument(
        "--raw", metavar="GS", help="default of the raw data, gs://BUCKET/FOLDER (default: asked for at each run)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.yaml", help="the file to write")
    parser.set_defaults(command=compile_command, pipeline_root="")  # which each run says


def compile_command(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Writes the compiled pipeline and returns the exit status."""
    output = arguments.output
    if output.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--output {output}: expected a name that ends with .yaml.")
    if not output.absolute().parent.is_dir():
        raise FileNotFoundError(f"--output {output}: no folder {output.absolute().parent}; make it first.")
    if arguments.target == "kubeflow" and arguments.service_account:
        raise ValueError("--service-account: no part of a file for Kubeflow, which takes it with each run; give it to submit.")
    backend = cluster_backend_from(arguments, pipeline)
    cluster, parameters = backend.cluster(preset=arguments.preset), parameters_of(arguments, arguments.preset)
    check_parameters(parameters, cluster)
    backend.check_values(parameters)
    data = raw_inputs(arguments.raw) if arguments.raw else {}
    built, values = backend.site.built(pipeline, pipeline_inputs(parameters) | data)
    compile_pipeline(built, cluster, backend.target, values, output)
    print(f"{output}: for {cluster.target}, accelerator {cluster.accelerator}")
    for image in dict.fromkeys(cluster.images.values()):
        print(f"  {image}")
    for name, (one, assignment) in MORE.items():
        if name not in values:
            print(f"  for one {one}, which no run can change; for several compile with, for example, --set {assignment}")
    return 0
