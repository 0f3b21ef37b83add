"""Copies the tables of the data beside the records, and for report to a folder of their own, which it fetches without photos."""

from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import atomic_write, write_record
from components.contract.records import hand_on, read_record
from components.contract.verified import read_bytes
from components.write_tfrecords.settings import WriteTfrecordsSettings


def sources_of(catalog: Path, pairs: Path, folded_pairs: Path | None) -> dict[str, Path]:
    """Returns the tables by the stage whose they are, in data order; without folds where nothing is trained."""
    found = {"resize_images": catalog / schema.IMAGES_CSV, "generate_pairs": pairs / schema.TEST_PAIRS_CSV}
    return found if folded_pairs is None else found | {"split_folds": folded_pairs / schema.TRAIN_PAIRS_CSV}


def copy_tables(sources: dict[str, Path], folder: Path) -> None:
    """Copies tables as they are, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sources.values():
        content = read_bytes(path)
        with atomic_write(folder / path.name) as partial:
            partial.write_bytes(content)


def write_tables(
    *,
    catalog: Path,
    pairs: Path,
    folded_pairs: Path | None,
    tables: Path,
    settings: WriteTfrecordsSettings,
    counts: dict[str, Any],
) -> None:
    """Writes `tables/`: images.csv, both pair tables, and the records of the stages so far, this one's with `counts`."""
    sources = sources_of(catalog, pairs, folded_pairs)
    copy_tables(sources, tables)
    hand_on(tables, [read_record(path.parent, stage) for stage, path in sources.items()])
    write_record(tables, "write_tfrecords", settings, counts, ())
