"""Merges the catalogs of all shards into the one that a single task would have written, to the byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract import schema
from components.contract.artifacts import atomic_write, write_json, write_manifest
from components.contract.shards import in_order, read_shard
from components.contract.tables.catalog import FIRST_SIZE, count_photos, in_catalog_order, refuse_empty
from components.contract.tables.cells import guarded
from components.contract.tables.stage_tables import read_images, whole_where_all_are
from components.contract.verified import is_there, read_bytes, read_json, require_complete
from components.raw.layout import RAW_TABLES


def merge_catalogs(*, catalogs: Sequence[Path], catalog: Path, splits: Sequence[str] = schema.SPLITS) -> None:
    """Writes images.csv, the raw data's tables, stage.json and, last, a manifest into `catalog`; a single shard's are copied.

    Args:
        catalogs: one folder per shard, in any order.
        splits: both, or test alone where nothing is trained.

    Raises:
        ValueError: a shard is missing, shards of different raw data, or no photo left of a split.
    """
    parts = in_order(catalogs)
    if len(parts) == 1:
        copy_contents(parts[0], catalog)
        write_manifest(catalog, "generate_pairs")
        return
    tables = [read_images(part) for part in parts]
    records = [read_json(part / schema.STAGE_RECORD) for part in parts]
    good = pd.concat(tables)
    good = in_catalog_order(good.assign(day=whole_where_all_are(good["day"].astype("Float64"))))
    bad = sum(record["counts"]["bad_photos"] for record in records)
    refuse_empty(good, splits, read_shard(parts[0])["raw"], bad)
    catalog.mkdir(parents=True, exist_ok=True)
    for name in RAW_TABLES:
        if is_there(parts[0] / name):
            (catalog / name).write_bytes(read_bytes(parts[0] / name))
    with atomic_write(catalog / schema.IMAGES_CSV) as path:
        guarded(good).to_csv(path, columns=list(schema.IMAGES_COLUMNS), index=False)
    first = next(
        record["counts"]
        for table, record in zip(tables, records, strict=True)
        if (table["image_id"] == good["image_id"].iloc[0]).any()
    )
    facts = {name: sum(record["counts"].get(name, 0) for record in records) for name in schema.FACTS}
    counts = count_photos(good, bad, records[0]["counts"]["other_files"]) | {name: first[name] for name in FIRST_SIZE}
    counts |= {name: number for name, number in facts.items() if number}
    write_json(catalog / schema.STAGE_RECORD, records[0] | {"counts": counts, "skipped": merge_skipped(records)})
    write_manifest(catalog, "generate_pairs")


def copy_contents(folder: Path, copy: Path) -> None:
    """Copies the files but their manifest, without times and modes: in a mounted bucket nobody can set those but its owner."""
    require_complete(folder)
    copy.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name != schema.MANIFEST_JSON):
        (copy / path.name).write_bytes(read_bytes(path))


def merge_skipped(records: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Returns what all shards left out, and why: bad photos by path, then the other files."""
    bad, others = list[dict[str, str]](), list[dict[str, str]]()
    for record in records:
        photos = record["counts"]["bad_photos"]  # come first
        bad += record["skipped"][:photos]
        others += record["skipped"][photos:]
    return sorted(bad, key=lambda entry: entry["what"]) + others
