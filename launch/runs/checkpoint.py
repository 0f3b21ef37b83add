"""Pins a run's checkpoint to what lies there now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract.artifacts import file_digest
from components.network.settings import CHECKPOINT_NAMES
from components.raw.source import GS


def pin_checkpoint(parameters: Mapping[str, Any], *, must_exist: bool = False) -> dict[str, str]:
    """Returns a checkpoint file's absolute path and its SHA-256: kfp's cache looks at parameters, not into files.

    Of a gs:// address it is the address of the generation that lies there now: its SHA-256 would take a download. A digest that
    was given stays. A file that is not there is left for the stage to report.

    Args:
        must_exist: refuse a gs:// address where nothing lies: on a cluster, train would only find out hours later.

    Raises:
        FileNotFoundError: nothing lies there, and it must.
        OSError: a gs:// address that cannot be looked up.
    """
    checkpoint, path = parameters["checkpoint"], Path(parameters["checkpoint"]).absolute()
    if checkpoint in CHECKPOINT_NAMES or (parameters["checkpoint_digest"] and not must_exist):
        return {}
    if checkpoint.startswith(GS):
        from components.raw.gcs import pin  # Google's library takes a while to import

        try:
            pinned = pin(checkpoint)
        except FileNotFoundError as error:
            if must_exist:
                raise FileNotFoundError(f"checkpoint={error} Expected a file that train can start from.") from error
            return {}
        return {} if parameters["checkpoint_digest"] else {"checkpoint": pinned}
    if parameters["checkpoint_digest"] or not path.is_file():
        return {}
    return {"checkpoint": str(path), "checkpoint_digest": file_digest(path)}
