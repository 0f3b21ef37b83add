"""`rerun` and `score` on a cluster: a run there and flags go in; a new run beside it, which names it, comes out."""

import argparse
import datetime
from collections.abc import Callable, Sequence
from typing import Any

from components.contract import schema
from components.images import ACCELERATORS
from components.settings import STAGES
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.compile import check_for_cluster
from launch.backends.cluster.raw import raw_inputs
from launch.backends.cluster.remote_lineage import RemoteRecord, recorded_run
from launch.backends.cluster.remote_runs import parent_of
from launch.backends.kubeflow import records as kubeflow_records
from launch.backends.kubeflow.copying import RUNS_AS, copied_addresses
from launch.backends.vertex import records as vertex_records
from launch.cli.cluster_options import cluster_from
from launch.cli.submit import CLIENTS, EXPERIMENT, check_options, check_surroundings, send, telling_remote_errors
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.lineage import RERUN, SCORE, RecordedRun
from launch.runs.parameters import resolve
from launch.runs.replay import pipeline_of
from launch.runs.wiring import Wiring, read_wiring

READERS = {"kubeflow": kubeflow_records.read_record, "vertex": vertex_records.read_record}
LONGEST_LABEL = 63


@telling_remote_errors
def rerun_remote(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Runs one stage of a cluster's run again there, and returns the exit status.

    Raises:
        ValueError: a flag, stage, parameter or fold that cannot be, or a run that lacks what the stage reads.
        FileNotFoundError: no such run; an image, a bucket or raw data is missing.
    """
    from launch.cli.rerun import differences, folds_of, parse_changes, plan, require_inputs, stages_of

    wiring = read_wiring(pipeline)
    stages = stages_of(wiring, arguments.stage, arguments.downstream)
    changed = parse_changes(arguments.assignments, wiring, arguments.stage, stages)
    connection = prepare(arguments, f"rerun-{arguments.stage}")
    earlier = read_earlier(arguments, connection, wiring)
    cluster = cluster_from(arguments)
    folds = folds_of(earlier, wiring, arguments.stage, arguments.fold)
    steps = plan(wiring, stages, folds, earlier.folds)
    if len(steps) > 1:
        raise ValueError(
            f"--fold {arguments.fold} --downstream: {steps[1][0][0]} reads all of folds {earlier.folds}, and a run on a cluster "
            f"cannot take some from its own loop and some from {earlier.name}. Expected one of the two flags; rerun each stage "
            "of the fold without --downstream, each time from the run before, then the stages after it."
        )
    require_inputs(earlier, wiring, steps)
    if "checkpoint" in changed:
        changed = {"checkpoint_digest": "", **changed}  # the recorded one is of the other file
    parameters = resolve(earlier.record["parameters"], changed)
    data = raw_inputs(earlier.record["parameters"]["raw"]) if "resize_images" in stages else {}
    again, values = pipeline_of(
        wiring, stages, folds=folds, parameters=parameters | data, artifacts=earlier.artifacts, content=told_by_uri,
        on_kubeflow=arguments.target == "kubeflow",
    )  # fmt: skip
    check_values(arguments, cluster, stages, values)
    if "train" in stages:
        pinned = pin_checkpoint(parameters, must_exist=True)
        parameters, values = parameters | pinned, values | pinned
    print(f"{', '.join(stages)} of {earlier.name} again", flush=True)
    for line in differences(earlier.record["parameters"], parameters):
        print(f"  {line}", flush=True)
    return send(connection, again, values, cluster, about(arguments, earlier, RERUN, arguments.stage), arguments)


@telling_remote_errors
def score_remote(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Predicts new photos with the models of a cluster's run there, and returns the exit status.

    Raises:
        ValueError: a flag that cannot be, or a run that has no model or calibration.
        FileNotFoundError: no such run; an image, a bucket or raw data is missing.
    """
    from launch.cli.score import ONLY_IN_TRAINING
    from launch.runs.scoring import TRAINED, scoring

    wiring = read_wiring(pipeline)
    connection = prepare(arguments, "score")
    stages = [stage for stage in STAGES if stage not in ONLY_IN_TRAINING]
    trained = read_earlier(arguments, connection, wiring)
    cluster = cluster_from(arguments)
    require_plain_stages(cluster, stages)
    trained.require(TRAINED, trained.folds, wiring)
    parameters = resolve(trained.record["parameters"], {})
    score_photos, values = scoring(
        raw=raw_inputs(arguments.raw, (schema.TEST,)),
        folds=trained.folds,
        parameters=parameters,
        artifacts=trained.artifacts,
        content=told_by_uri,
        on_kubeflow=arguments.target == "kubeflow",
    )
    check_values(arguments, cluster, stages, values)
    print(f"{arguments.raw} by the models of {trained.name}", flush=True)
    return send(connection, score_photos, values, cluster, about(arguments, trained, SCORE, None), arguments)


def prepare(arguments: argparse.Namespace, name: str) -> Any:
    """Returns a connection to the cluster; gives the new run a name where it has none.

    Raises:
        ValueError: a flag that cannot be.
    """
    check_options(arguments)
    arguments.name = arguments.name or f"{name.replace('_', '-')}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    arguments.experiment = arguments.experiment or EXPERIMENT
    return CLIENTS[arguments.target].connect(arguments)


def check_values(arguments: argparse.Namespace, cluster: Cluster, stages: Sequence[str], values: dict[str, Any]) -> None:
    """Refuses parameters that the cluster cannot use, and asks for the images of `stages` and for the pipeline_root.

    Raises:
        ValueError: a parameter, or an address, that cannot be.
        FileNotFoundError: something is missing; says how to make it.
    """
    check_for_cluster(values, cluster)
    copies = arguments.target == "kubeflow" and copied_addresses(values)
    check_surroundings(arguments, cluster, [*stages, *([RUNS_AS] if copies else [])])


def read_earlier(arguments: argparse.Namespace, connection: Any, wiring: Wiring) -> RecordedRun:
    """Returns the run to go on from; from now on the command line has its experiment and, where none was given, its accelerator.

    Raises:
        ValueError: it has not ended, was made by `score`, or its name is no label.
    """

    def read(run: str) -> RemoteRecord:
        return READERS[arguments.target](connection, run, arguments)

    record = read(arguments.run)
    parent = parent_of(record.about)
    if parent and parent["kind"] == SCORE:
        raise ValueError(
            f"{record.run}: a run of score, which trained nothing. Expected a run of the whole pipeline, or a rerun, such as "
            f"{parent['run']}."
        )
    if len(record.run) > LONGEST_LABEL:
        raise ValueError(
            f"{record.run}: {len(record.run)} characters; expected at most {LONGEST_LABEL}, as the new run bears it as a label."
        )
    earlier = recorded_run(record, read, wiring)
    arguments.experiment = record.experiment or arguments.experiment
    if arguments.accelerator is None:
        recorded = record.about.get("accelerator")
        arguments.accelerator = recorded if recorded in ACCELERATORS else "none"
        print(f"accelerator {arguments.accelerator}, as {record.run} had", flush=True)
    return earlier


def about(arguments: argparse.Namespace, earlier: RecordedRun, kind: str, stage: str | None) -> dict[str, str]:
    """Returns the words that the new run bears."""
    words = {"preset": earlier.record["preset"] or "none", "accelerator": arguments.accelerator}
    return words | {"parent": earlier.name, "kind": kind} | ({"stage": stage} if stage else {})


def require_plain_stages(cluster: Cluster, stages: Sequence[str]) -> None:
    """Refuses a machine type for a stage that scores by a face of its own: a custom job would run the face that trains.

    Raises:
        ValueError: names the stage.
    """
    for stage in stages:
        if cluster.resources[stage].machine_type and stage != "predict":
            raise ValueError(
                f"--resource {stage}.machine_type={cluster.resources[stage].machine_type}: with score only predict can have one; "
                "say cpu and memory."
            )


def told_by_uri(_uri: str) -> str:
    """Returns what tells the content of equal URIs apart: nothing, as on a cluster each execution writes to a URI of its own."""
    return "by its URI"
