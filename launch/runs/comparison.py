"""Tells which of two models does better on the same labelled test photos, those of a recorded run."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from components.contract import schema
from components.raw.storage import find_photos, open_raw
from components.serve.models.predictor import Photo, Predictor
from launch.runs.dag.wiring import Source, Wiring
from launch.runs.lineage import RecordedRun
from launch.runs.serving import rows_of

CATALOG, PAIRS = Source("generate_pairs", "catalog"), Source("generate_pairs", "pairs")
PHOTOS_AT_A_TIME = 64


@dataclasses.dataclass(frozen=True)
class LabelledPairs:
    """What both models are tried on."""

    pairs: Sequence[Mapping[str, Any]]  # of the test set: the rows of its table, and the `days` of each
    source: Any  # of the raw photos, listed
    paths: dict[str, PurePosixPath]  # id of each photo in the pairs to its place there


def labelled_pairs(run: RecordedRun, wiring: Wiring, scratch: Path) -> LabelledPairs:
    """Returns the labelled test pairs of a run.

    Raises:
        ValueError: the test set has no labels, or its photos are no longer where they were.
        FileNotFoundError: an artifact or the raw data is gone.
        OSError: a place that cannot be read.
    """
    run.require([CATALOG, PAIRS], run.folds, wiring)
    catalog, pairs = (run.artifacts[source, None] for source in (CATALOG, PAIRS))
    try:
        labels = {row["idx"]: float(row["time_delta"]) for row in rows_of(catalog, schema.TEST_LABELS_CSV, scratch)}
    except FileNotFoundError as error:
        raise ValueError(
            f"{run.name}: its test photos have no labels ({schema.TEST_LABELS_CSV}), so models cannot be compared on them; leave "
            "out --if-better, or publish a run whose test set has them."
        ) from error
    found: list[dict[str, Any]] = [{**row, "days": labels[row["idx"]]} for row in rows_of(pairs, schema.TEST_PAIRS_CSV, scratch)]
    source = open_raw(run.raw or "")
    there = {path.with_suffix(""): path for path in find_photos(source, (schema.TEST,)).test}
    stored = {row["image_id"]: PurePosixPath(row["path"]).with_suffix("") for row in rows_of(catalog, schema.IMAGES_CSV, scratch)}
    wanted = {pair[photo] for pair in found for photo in schema.PHOTO_IDS}
    gone = sorted(photo for photo in wanted if stored[photo] not in there)
    if gone:
        raise ValueError(f"{run.raw}: {len(gone)} of the run's test photos are gone, {gone[0]} first.")
    return LabelledPairs(found, source, {photo: there[stored[photo]] for photo in wanted})


def rmse_of(predictor: Predictor, tried: LabelledPairs) -> float:
    """Returns the RMSE of a model's calibrated days. Raises BadPhotoError: one cannot be decoded; OSError: it cannot be read."""
    seen: dict[str, Photo] = {}
    names = sorted(tried.paths)
    for start in range(0, len(names), PHOTOS_AT_A_TIME):
        some = names[start : start + PHOTOS_AT_A_TIME]
        photos = predictor.photos([(name, tried.source.read(tried.paths[name])) for name in some])
        seen |= dict(zip(some, photos, strict=True))
    squares = []
    for pair in tried.pairs:
        before, after = (seen[pair[photo]] for photo in schema.PHOTO_IDS)
        (answer,) = predictor.between([(before, after)], pair["species"], pair["series"])
        squares.append((answer.days - pair["days"]) ** 2)
    return float((sum(squares) / len(squares)) ** 0.5)
