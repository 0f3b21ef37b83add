"""Copies what belongs to one of several folds into a rerun on Kubeflow, which imports nothing inside a loop.

Kubeflow Pipelines 2.17 imports nothing inside a loop: its importer looks a loop's item up by the name of the whole item
(kubeflow/pipelines issue 10860), and lists are collected of what containers have written only. So a container copies what
belongs to one fold of several; elsewhere an importer, which copies nothing, does it (launch/runs/dag/replay.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kfp import dsl

from components.images import image_for
from launch.runs.dag.replay import imported_in_loops, key
from launch.runs.dag.wiring import Source

RUNS_AS = "calibrate"  # a stage whose image holds Google's library, and whose machine is a small one
COPY, ADDRESS = "copy", "uri"  # the output and the parameter of the component


@dsl.component(base_image=image_for(RUNS_AS), install_kfp_package=False)
def copy_artifact(uri: str, copy: dsl.Output[dsl.Artifact]) -> None:
    """Copies an artifact, one file or a folder of files.

    All of it is written here, as the image holds the code of its stage alone.

    Args:
        uri: gs:// address of the artifact.
        copy: the same files, each verified by its checksum.
    """
    from pathlib import Path

    from google.cloud import storage

    bucket, _, name = uri.removeprefix("gs://").partition("/")
    found = [
        blob
        for blob in storage.Client().list_blobs(bucket, prefix=name)
        if blob.name == name or (blob.name.startswith(f"{name}/") and not blob.name.endswith("/"))
    ]
    if not found:
        raise FileNotFoundError(f"{uri}: nothing there. Expected what an earlier run wrote; if it is gone, rerun its stage.")
    for blob in found:
        path = Path(copy.path + blob.name.removeprefix(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        blob.download_to_filename(path, checksum="crc32c")


def copied_item(item: Any, sources: Sequence[Source]) -> dict[Source, Any]:
    """Returns the channels of copies of the artifacts in a loop's item."""
    return {source: copy_artifact(uri=getattr(item, key(source))).outputs[COPY] for source in sources}


def copied_addresses(values: Mapping[str, Any]) -> list[str]:
    """Returns what a run on Kubeflow will copy: what is of one of several folds or shards. Raises ValueError: not in gs://."""
    found = list(imported_in_loops(values))
    elsewhere = [uri for uri in found if not uri.startswith("gs://")]
    if elsewhere:
        raise ValueError(
            f"{elsewhere[0]}: Kubeflow imports nothing inside a loop (kubeflow/pipelines issue 10860), so what the run's folds "
            "or shards have written has to be copied, which can be done from gs:// only. Expected a run with --pipeline-root "
            "gs://BUCKET/FOLDER, or of one fold and shard; or begin the rerun, with --downstream, at train, which reads nothing "
            "of single folds."
        )
    return found
