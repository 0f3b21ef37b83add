"""Tells from the records of the stages what ran: settings, counts, and what was skipped."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from components.report.mlflow_log import as_text

FOLD_STAGES = ("train", "predict")  # these run once per fold


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage as the page shows it: what all its runs share, then the runs that differ.

    A run, such as "fold 3", is one of several executions: the settings and counts that its siblings do not share.
    """

    name: str
    settings: dict[str, str]
    counts: dict[str, str]
    runs: tuple["Stage", ...] = ()


@dataclasses.dataclass(frozen=True)
class Remark:
    """Something a stage left out or noticed, and why."""

    stage: str
    what: str
    why: str


def what_ran(records: Sequence[Mapping[str, Any]], folds: Sequence[int]) -> list[Stage]:
    """Groups the records by stage, in the order given; `folds` names the runs of the stages that ran once per fold."""
    by_stage: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by_stage.setdefault(str(record["stage"]), []).append(record)
    return [grouped(name, found, folds) for name, found in by_stage.items()]


def grouped(name: str, records: Sequence[Mapping[str, Any]], folds: Sequence[int]) -> Stage:
    """Tells what all records of one stage share from what differs."""
    settings = [{key: as_text(value) for key, value in record["settings"].items() if key != "fold"} for record in records]
    counts = [{key: as_count(value) for key, value in record["counts"].items()} for record in records]
    shared_settings, shared_counts = shared(settings), shared(counts)
    by_fold = len(records) == len(folds) and name in FOLD_STAGES
    labels = [f"fold {fold}" for fold in folds] if by_fold else [f"run {number}" for number in range(1, len(records) + 1)]
    runs = [
        Stage(label, without(setting, shared_settings), without(count, shared_counts))
        for label, setting, count in zip(labels, settings, counts, strict=True)
    ]
    return Stage(name, shared_settings, shared_counts, tuple(run for run in runs if run.settings or run.counts))


def shared(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Returns the entries that are the same in all of `texts`."""
    return {key: value for key, value in texts[0].items() if all(text.get(key) == value for text in texts)}


def without(text: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Returns the entries of `text` whose names are not in `known`."""
    return {key: value for key, value in text.items() if key not in known}


def remarks(records: Sequence[Mapping[str, Any]], kind: str) -> list[Remark]:
    """Lists everything the stages left out (`kind` skipped) or found odd (noticed), each thing once."""
    found = [
        Remark(stage=str(record["stage"]), what=str(item.get("what", "")), why=str(item.get("why", "")))
        for record in records
        for item in record.get(kind, [])
    ]
    return list(dict.fromkeys(found))


def as_count(value: Any) -> str:
    """Writes a count with thousands separators, a measurement with four significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return as_text(value)
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
