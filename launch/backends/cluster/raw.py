"""Checks raw data for a cluster, which can read gs://BUCKET/FOLDER only, and makes the pipeline's inputs of it."""

from collections.abc import Sequence

from components.contract import schema
from components.raw.storage import content_digest


def raw_inputs(raw: str, splits: Sequence[str] = schema.SPLITS) -> dict[str, str]:
    """Returns the pipeline's inputs for raw data that is there.

    Args:
        splits: what it has to hold, of train and test.

    Raises:
        ValueError: not in Google Cloud Storage, the only place that all stages of a cluster can read.
        FileNotFoundError: no such bucket or folder, or not complete.
    """
    bucket, _, folder = raw.removeprefix("gs://").partition("/")
    if not raw.startswith("gs://") or not bucket:
        raise ValueError(
            f"--raw {raw}: a cluster cannot read this machine's files; expected gs://BUCKET/FOLDER. Copy the folder that holds "
            f"{splits[0]}_dataset: gcloud storage rsync --recursive {raw} gs://BUCKET/{folder or 'FOLDER'}"
        )
    return {"raw": raw, "raw_digest": content_digest(raw, splits)}
