"""Writes resized photos as sharded TFRecords, with the tables that explain them.

Two layouts. `images`: one record per photo, in the file of its fold; pairs are rows of a table. `pairs`: the winner's, one
record per pair with both photos inside, about 39 times the bytes.
"""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from components.contract import schema
from components.contract.artifacts import atomic_write, file_digest, write_json, write_record
from components.contract.naming import names_first
from components.contract.photos import Photos
from components.contract.tables.stage_tables import read_table
from components.write_tfrecords.encoding import encode_example, framed
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.tables import copy_tables, sources_of

Items = Sequence[str] | pd.DataFrame  # of a file: image ids, or pairs in layout=pairs


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One TFRecord before serialization: photos by path, as the catalog has it; a label only in layout=pairs."""

    record_id: str
    paths: tuple[str, ...]
    label_days: int | None = None


def write_tfrecords(
    *, images: Path, catalog: Path, pairs: Path, folded_pairs: Path | None, examples: Path, settings: WriteTfrecordsSettings
) -> dict[str, Any]:
    """Writes `examples/`: TFRecords per fold and for the test set, images.csv, both pair tables, JSON that tells of them.

    Without `folded_pairs`, where nothing is trained, of the test set alone. Returns the record.

    Raises:
        FileNotFoundError: a photo that the catalog lists is not in `images`.
    """
    # a record of layout=images holds nothing of a pair
    columns = schema.FOLDED_PAIRS_COLUMNS if settings.layout == "pairs" else (*schema.PHOTO_IDS, "fold")
    train = pd.DataFrame(columns=list(columns))
    if folded_pairs is not None:
        train = read_table(folded_pairs / schema.TRAIN_PAIRS_CSV, columns, repeated=schema.REPEATED)
    test = read_table(pairs / schema.TEST_PAIRS_CSV, schema.TEST_PAIRS_COLUMNS)
    plan, folds = plan_files(train, test, settings), sorted(train["fold"].unique().tolist())
    pair_counts = {"train_pairs": len(train), "test_pairs": len(test)}
    del train, test  # make room for the catalog
    table = read_table(catalog / schema.IMAGES_CSV, ("image_id", "split", "path"))
    path_of = dict(zip(map(sys.intern, table["image_id"]), table["path"], strict=True))  # whose ids the plan holds, too
    counts = {f"{split}_images": int((table["split"] == split).sum()) for split in schema.SPLITS} | pair_counts
    del table
    files = []
    total = sum(map(len, plan.values()))
    bar = tqdm(total=total, desc="write_tfrecords", unit="record", file=sys.stdout, mininterval=2, ncols=90)
    with Photos(images) as photos, bar as progress:
        require_photos(photos, (record for items in plan.values() for record in records_of(items, path_of)))
        examples.mkdir(parents=True, exist_ok=True)
        for name, items in plan.items():
            files.append(write_file(examples / name, records_of(items, path_of), photos))
            progress.update(len(items))
    copy_tables(sources_of(catalog, pairs, folded_pairs), examples)
    counts |= {name: sum(file[name] for file in files) for name in ("records", "bytes")}
    dataset = {"layout": settings.layout, "folds": folds, "counts": counts, "files": files}
    write_json(examples / schema.DATASET_JSON, dataset)
    digests = {file["name"]: file["sha256"] for file in files}
    return write_record(examples, "write_tfrecords", settings, counts, (), digests=digests)


def plan_files(train: pd.DataFrame, test: pd.DataFrame, settings: WriteTfrecordsSettings) -> dict[str, Items]:
    """What goes into which file, in order: every num_shards-th photo, or pair, of its fold, or of the test set."""
    groups = [(schema.FOLD_TFRECORD.replace("{fold}", str(fold)), rows) for fold, rows in train.groupby("fold", sort=True)]
    plan: dict[str, Items] = {}
    for pattern, rows in [*groups, (schema.TEST_TFRECORD, test)]:
        items = rows if settings.layout == "pairs" else sorted({name for ids in schema.PHOTO_IDS for name in rows[ids].unique()})
        for shard in range(settings.num_shards):
            plan[pattern.format(shard=shard, num_shards=settings.num_shards)] = items[shard :: settings.num_shards]
    return plan


def records_of(items: Items, path_of: dict[str, str]) -> Iterator[Record]:
    """The records of a file, one at a time."""
    if isinstance(items, pd.DataFrame):
        return (pair_record(row, path_of) for row in items.itertuples())
    return (Record(name, (path_of[name],)) for name in items)


def pair_record(row: Any, path_of: dict[str, str]) -> Record:
    """The winner's record of one pair; a test pair, whose days nobody knows, has label 0."""
    paths = (path_of[row.before_image_id], path_of[row.after_image_id])
    days = getattr(row, "time_delta_days", 0)
    if days != int(days):
        raise ValueError(
            f"pair {row.pair_id} ({row.before_image_id}, {row.after_image_id}): {days} days. Expected whole days with "
            "layout=pairs, whose records hold the winner's int64 label; set layout=images."
        )
    return Record(row.pair_id, paths, int(days))


def require_photos(photos: Photos, records: Iterable[Record]) -> None:
    """Raises FileNotFoundError with the first missing photos, before anything is written."""
    missing = sorted({f"{photos.folder}/{path}" for record in records for path in record.paths if path not in photos})
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} photos of the catalog are missing, such as {', '.join(missing[:3])}; run resize_images again."
        )


@names_first
def write_file(path: Path, records: Iterable[Record], photos: Photos) -> dict[str, Any]:
    """Writes one TFRecord file and returns its entry of dataset.json: name, records, bytes, sha256."""
    written = 0
    with atomic_write(path) as partial, partial.open("wb") as file:
        for record in records:
            file.write(framed(serialize(record, photos)))
            written += 1
    return {"name": path.name, "records": written, "bytes": path.stat().st_size, "sha256": file_digest(path)}


def serialize(record: Record, photos: Photos) -> bytes:
    """One tf.train.Example: image_id and image (one or two JPEGs); for pairs also label_id (text) and label (int64).

    In the order in which TensorFlow writes these names, where it is asked for an order.
    """
    features: dict[str, Sequence[bytes] | int] = {
        schema.FEATURE_IMAGE_ID: [record.record_id.encode()],
        schema.FEATURE_IMAGE: [photos.read(path) for path in record.paths],
    }
    if record.label_days is not None:
        features[schema.FEATURE_LABEL_ID] = [str(record.label_days).encode()]
        features[schema.FEATURE_LABEL] = record.label_days
    return encode_example(features)
