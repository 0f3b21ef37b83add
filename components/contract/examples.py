"""Presents the examples of all shards as the folder that one task would have written."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import file_digest, write_json
from components.contract.shards import in_order, joined, read_shard

SUMMED = ("records", "bytes")  # the other counts are those of the whole data, in each shard


def join_examples(examples: Sequence[Path]) -> Path:
    """Returns one folder with the TFRecords and tables of all shards, its dataset.json and stage.json about all of them.

    Args:
        examples: one folder per shard, in any order; a single one is returned as it is.

    Raises:
        FileNotFoundError: a file that a shard says it wrote is not there.
        ValueError: a shard is missing, the shards were written from different tables, or a file is not of the size it had.
    """
    parts = in_order(examples)
    whole = joined(parts, merged=(schema.DATASET_JSON, schema.STAGE_RECORD))
    if len(parts) == 1:
        return whole
    datasets = [json.loads((part / schema.DATASET_JSON).read_text(encoding="utf-8")) for part in parts]
    files = [file for of_group in zip(*(dataset["files"] for dataset in datasets), strict=True) for file in of_group]
    require_whole_files(whole, files, read_shard(parts[0])["tables"])
    counts = datasets[0]["counts"] | {name: sum(dataset["counts"][name] for dataset in datasets) for name in SUMMED}
    write_json(whole / schema.DATASET_JSON, datasets[0] | {"counts": counts, "files": files})
    record = json.loads((parts[0] / schema.STAGE_RECORD).read_text(encoding="utf-8"))
    write_json(whole / schema.STAGE_RECORD, record | {"counts": counts})
    return whole


def require_whole_files(folder: Path, files: Sequence[dict[str, Any]], tables: dict[str, str]) -> None:
    """Refuses files that are not there or not what was written; TFRecords, which hold checksums of their own, by size alone.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file was cut short or changed.
    """
    for name in itertools.chain(tables, (file["name"] for file in files)):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{name}: missing in the examples of all shards; run write_tfrecords again.")
    changed = [file["name"] for file in files if (folder / file["name"]).stat().st_size != file["bytes"]]
    changed += [name for name, digest in tables.items() if file_digest(folder / name) != digest]
    if changed:
        raise ValueError(
            f"{(folder / changed[0]).resolve()}: not what write_tfrecords wrote, by its dataset.json or shard.json. Expected "
            "it untouched; run write_tfrecords again."
        )
