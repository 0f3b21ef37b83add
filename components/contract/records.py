"""Reads what stages say of themselves, and hands it on beside what is made of their artifacts: nobody fetches those for it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import write_json
from components.contract.verified import is_there, read_bytes, read_json

Record = dict[str, Any]


def read_record(folder: Path, stage: str) -> Record:
    """Returns the record in `folder`, or an empty one whose `skipped` says so. Raises ValueError: it is not a JSON object."""
    path = folder / schema.STAGE_RECORD
    if not is_there(path):
        return unknown(stage)
    content = read_bytes(path)
    try:
        record = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}; run {stage} again.") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(record).__name__}; run {stage} again.")
    return unknown(stage) | {"skipped": []} | record


def unknown(stage: str) -> Record:
    """Returns the record of a stage of which none was found."""
    why = f"{schema.STAGE_RECORD} is missing beside its outputs, so settings and counts are unknown"
    return {"stage": stage, "settings": {}, "counts": {}, "skipped": [{"what": "record", "why": why}]}


def hand_on(folder: Path, records: Sequence[Record]) -> None:
    """Writes the records of earlier stages into `folder`."""
    write_json(folder / schema.RECORDS_JSON, {"records": list(records)})


def handed_on(folder: Path, stages: Sequence[str], executions: int = 1) -> list[Record]:
    """Returns the records of `stages` that were handed on with an artifact; of a stage without one, `executions` empty ones."""
    path = folder / schema.RECORDS_JSON
    records = read_json(path)["records"] if is_there(path) else []
    return [
        record
        for stage in stages
        for record in ([each for each in records if each["stage"] == stage] or [unknown(stage)] * executions)
    ]
