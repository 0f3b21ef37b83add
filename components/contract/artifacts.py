"""Puts a stage's artifacts down whole or not at all, and writes the stage's record."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.full_disk import naming_full_disk
from components.settings import Settings


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path, of the same ending, that becomes `path` if the block ends without an error, else is deleted."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]  # a prefix would make a long name too long
    partial = path.with_name(f".partial-{digest}{path.suffix}")
    try:
        with naming_full_disk(path):
            yield partial
            os.replace(partial, path)  # noqa: PTH105 - the atomic rename, by its name
    finally:
        partial.unlink(missing_ok=True)


def write_record(
    folder: Path,
    stage: str,
    settings: Settings,
    counts: dict[str, Any],
    skipped: Sequence[tuple[Any, str]],
    noticed: Sequence[tuple[Any, str]] = (),
) -> dict[str, Any]:
    """Writes a stage's STAGE_RECORD into `folder`, the last file of the stage, and returns it.

    Args:
        counts: name to int or float.
        skipped: (path or series, why) of all that was left out.
        noticed: (what, why) of what is odd and was not left out; the record has no such list where there is nothing.
    """
    record = {
        "stage": stage,
        "settings": dataclasses.asdict(settings),
        "counts": counts,
        "skipped": [{"what": str(what), "why": why} for what, why in skipped],
    }
    if noticed:
        record["noticed"] = [{"what": str(what), "why": why} for what, why in noticed]
    write_json(folder / schema.STAGE_RECORD, record)
    return record


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def text_digest(texts: Iterable[str]) -> str:
    """Returns the SHA-256 of texts in their order, in hex."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of one file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
