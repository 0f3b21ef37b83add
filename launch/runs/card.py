"""Writes the card of a published model: what it is for, what it learned from, how well it does, what nobody measured."""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract import schema
from components.serve.models.bundle import Bundle
from launch.runs.dag.scoring import SUBMISSION
from launch.runs.lineage import RecordedRun
from launch.runs.serving import file_of
from launch.runs.summary import headline

SHOWN = (
    "encoder",
    "head",
    "dim",
    "image_size",
    "checkpoint",
    "epochs",
    "steps_per_epoch",
    "learning_rate",
    "mixed_precision",
    "seed",
)
CARD = """# verdelta: {name}

How many days lie between two photos of one plant.

## For what

Photos of plants as it was trained on, of one plant, from one place, the earlier one first. Beyond {longest} days, and for other
species, cameras or light, nothing was measured: take its answers for guesses there. It says nothing of a plant's health, and is
no ground for a decision that cannot be undone.

## Learned from

{raw}

Models of fold {fold_numbers}, {folds}; held out were {pairs} pairs of {series} series, each scored by a model
that had not seen its photos.
Preset {preset}; {parameters}.

## How well it does (root mean squared error in days)

| | days |
|---|---|
{scores}

| held-out species | series | pairs | raw | calibrated |
|---|---|---|---|---|
{species}

Calibration: {calibration}.

{sure}

## Not measured

{unmeasured}

## Licence

verdelta is under the MIT licence. What may be done with these models depends on the terms of the photos, too: ask whose they are.
"""
MEASURED = (
    "Drift but by colours: who asks is warned of photos whose colours are unlike those of all plants trained on, and of no other "
    "way in which photos may differ."
)


def scores_of(run: RecordedRun, scratch: Path) -> dict[str, float]:
    """Returns a run's headline metrics, in days; raises as `file_of`."""
    metrics = file_of(run.artifacts[SUBMISSION, None], schema.METRICS_JSON, scratch)
    return headline(json.loads(metrics.read_text(encoding="utf-8")))


def model_card(run: RecordedRun, bundle: Bundle, scores: Mapping[str, float], scratch: Path) -> str:
    """Returns the card, in Markdown.

    Args:
        run: that trained the models.
        bundle: of it.
        scores: of it.
        scratch: where files of a bucket are put.

    Raises:
        FileNotFoundError: an artifact is gone.
        OSError: a bucket that cannot be read.
    """
    table = file_of(run.artifacts[SUBMISSION, None], schema.OUT_OF_FOLD_CALIBRATED_CSV, scratch)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_species: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_species[row["species"]].append(row)
    calibration = bundle.calibration
    return CARD.format(
        name=bundle.name,
        longest=f"{bundle.longest_days:g}",
        raw=run.raw or "photos of which the record does not say where they lay",
        series=len({row["series"] for row in rows}),
        folds=f"{len(run.folds)} of {run.parameters['num_folds']} folds",
        pairs=len(rows),
        fold_numbers=", ".join(map(str, run.folds)),
        parameters=", ".join(f"{name} {run.parameters[name]}" for name in SHOWN),
        preset=run.preset or "none",
        scores="\n".join(f"| {name.replace('_', ' ')} | {days:.2f} |" for name, days in scores.items()),
        species="\n".join(species_row(name, found) for name, found in sorted(by_species.items())),
        calibration=f"{calibration['mode']}, {len(calibration['rules'])} rules, {len(calibration['fits'])} fitted lines",
        sure=sureness(calibration),
        unmeasured=MEASURED if bundle.looks else "Drift: it is not told whether photos look like those trained on.",
    )


def sureness(calibration: Mapping[str, Any]) -> str:
    """Returns what is known of how far answers are off, and for whom the scores above hold."""
    fitted = calibration.get("pair_intervals", calibration.get("intervals"))
    said = (
        f"Intervals promise to hold {fitted['coverage']:.0%} of the pairs of new plants." if fitted else "There are no intervals."
    )
    if "pair_intervals" in calibration:
        said += " Scores after calibration are of series put on their cadence: of two photos alone, the raw ones hold."
    return said


def species_row(name: str, rows: list[dict[str, str]]) -> str:
    """Returns a species' row of the table."""

    def error(column: str) -> float:
        return (sum((float(row[column]) - float(row["time_delta_days"])) ** 2 for row in rows) / len(rows)) ** 0.5

    raw, calibrated = error("prediction_days"), error(schema.CALIBRATED_DAYS)
    return f"| {name} | {len({row['series'] for row in rows})} | {len(rows)} | {raw:.2f} | {calibrated:.2f} |"
