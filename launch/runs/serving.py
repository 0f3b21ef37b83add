"""Makes of a recorded run what answers questions: its models and its calibration, fetched where they lie in a bucket."""

import contextlib
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from components.contract import schema
from components.contract.verified import unchanged
from components.raw.source import GS
from components.serve.models.bundle import Bundle
from launch.runs.dag.wiring import MODEL, SUBMISSION, Wiring
from launch.runs.lineage import RecordedRun

SERVED = ("mode", "rules", "fits", "intervals", "cadence", "pair_intervals")  # of calibration.json; older ones have less


def bundle_of(run: RecordedRun, wiring: Wiring, scratch: Path) -> Bundle:
    """Returns what of a run answers questions; files of a bucket are put into `scratch`, where they are needed as long as it is.

    Raises:
        ValueError: a run that has no model or calibration.
        FileNotFoundError: an artifact of it is gone.
        OSError: a bucket that cannot be read.
    """
    run.require_trained()
    run.require([MODEL, SUBMISSION], run.folds, wiring)
    models = [run.artifacts[MODEL, fold] for fold in run.folds]
    submission = run.artifacts[SUBMISSION, None]
    calibration = json.loads(file_of(submission, schema.CALIBRATION_JSON, scratch).read_text(encoding="utf-8"))
    held_out = rows_of(submission, schema.OUT_OF_FOLD_CALIBRATED_CSV, scratch)
    looks: tuple[Path, ...] = ()
    with contextlib.suppress(FileNotFoundError):  # of a run of an earlier version
        looks = tuple(file_of(model, schema.LOOKS_FILE, scratch / str(number)) for number, model in enumerate(models))
    return Bundle(
        name=run.name,
        image_size=run.parameters["image_size"],
        jpeg_quality=run.parameters["jpeg_quality"],
        tta_views=run.parameters["tta_views"],
        calibration={key: calibration[key] for key in SERVED if key in calibration},
        longest_days=max(float(pair["time_delta_days"]) for pair in held_out),
        models=tuple(file_of(model, schema.MODEL_FILE, scratch / str(number)) for number, model in enumerate(models)),
        looks=looks,
    )


def file_of(artifact: str, name: str, scratch: Path) -> Path:
    """Returns a file of an artifact, verified; a copy of it in `scratch` where the artifact lies in a bucket.

    Raises:
        FileNotFoundError: it is not there.
        ChangedError: it is not what the stage wrote.
        OSError: a bucket that cannot be read.
    """
    if artifact.startswith(GS):
        from components.raw import gcs  # Google's library takes a while to import

        scratch.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # older than manifests
            gcs.download(f"{artifact.rstrip('/')}/{schema.MANIFEST_JSON}", scratch)
        return unchanged(gcs.download(f"{artifact.rstrip('/')}/{name}", scratch))
    path = Path(artifact) / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected what the run wrote there.")
    return unchanged(path)


def rows_of(artifact: str, name: str, scratch: Path) -> Iterator[dict[str, str]]:
    """Yields the rows of an artifact's table; raises as `file_of`."""
    with file_of(artifact, name, scratch).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
