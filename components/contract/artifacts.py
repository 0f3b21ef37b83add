"""Puts a stage's artifacts down whole or not at all, and writes the stage's record and what it is verified by."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.full_disk import naming_full_disk
from components.settings import Settings

PARTIAL = ".partial-"


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path, of the same ending, that becomes `path` if the block ends without an error, else is deleted."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]  # a prefix would make a long name too long
    partial = path.with_name(f"{PARTIAL}{digest}{path.suffix}")
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
    digests: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Writes a stage's STAGE_RECORD into `folder` and then, as the stage's last act, its manifest; returns the record.

    Args:
        skipped: (path or series, why) of all that was left out.
        noticed: (what, why) of what is odd and was not left out; the record has no such list where there is nothing.
        digests: as `write_manifest`.
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
    write_manifest(folder, stage, digests)
    return record


def write_manifest(folder: Path, stage: str, digests: Mapping[str, str] | None = None) -> None:
    """Writes down the name, bytes and SHA-256 of each file in `folder`, by which `components.contract.verified` reads them.

    Args:
        stage: who wrote it, and is to be run again where it is damaged.
        digests: of files that were hashed before, by name.
    """
    known = digests or {}
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(PARTIAL))
    files = [
        {"name": name, "bytes": (folder / name).stat().st_size, "sha256": known.get(name) or file_digest(folder / name)}
        for name in names
        if name != schema.MANIFEST_JSON
    ]
    write_json(folder / schema.MANIFEST_JSON, {"stage": stage, "files": files, "sha256": manifest_digest(stage, files)})


def manifest_digest(stage: Any, files: Any) -> str:
    """Returns the SHA-256 of what a manifest says, which it says, too: nothing else would tell that it is as it was written."""
    return hashlib.sha256(json.dumps([stage, files]).encode()).hexdigest()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole. Raises ValueError: a number that JSON does not have, infinite or none."""
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path}: {error}. Expected finite numbers; where a training diverged, lower learning_rate.") from error
    with atomic_write(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def json_digest(items: Iterable[Any]) -> str:
    """Returns the SHA-256 of a JSON list, in hex; one item at a time is text, as all at once take much memory."""
    digest = hashlib.sha256(b"[")
    for number, item in enumerate(items):
        digest.update((", " * bool(number) + json.dumps(item)).encode())
    digest.update(b"]")
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of one file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
