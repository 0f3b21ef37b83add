"""Writes the card of a published model: what it is for, what it learned from, how well it does, what nobody measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract import schema
from components.contract.scores import rmse_days
from components.contract.tables.stage_tables import read_table
from components.serve.models.bundle import Bundle
from launch.runs.dag.wiring import SUBMISSION
from launch.runs.lineage import RecordedRun
from launch.runs.serving import file_of
from launch.runs.summary import headline

NETWORK = ("encoder", "head", "dim", "image_size", "checkpoint")
TRAINING = ("epochs", "steps_per_epoch", "learning_rate", "mixed_precision", "seed")
CARD = Path(__file__).with_name("card.md")
MEASURED = (
    "Drift but by colours: who asks is warned of photos whose colours are unlike those of all plants trained on, and of no other "
    "way in which photos may differ."
)


def scores_of(run: RecordedRun, scratch: Path) -> dict[str, float]:
    """Returns a run's headline metrics, in days; raises as `file_of`."""
    metrics = file_of(run.artifacts[SUBMISSION, None], schema.METRICS_JSON, scratch)
    return headline(json.loads(metrics.read_text(encoding="utf-8")))


def model_card(run: RecordedRun, bundle: Bundle, scores: Mapping[str, float], scratch: Path) -> str:
    """Returns the card of a bundle of a run, in Markdown; raises as `file_of`."""
    columns = ("pair_id", "species", "series", "time_delta_days", "prediction_days", schema.CALIBRATED_DAYS)
    pairs = read_table(file_of(run.artifacts[SUBMISSION, None], schema.OUT_OF_FOLD_CALIBRATED_CSV, scratch), columns)
    calibration = bundle.calibration
    return CARD.read_text(encoding="utf-8").format(
        name=bundle.name,
        longest=f"{bundle.longest_days:g}",
        raw=run.raw or "photos of which the record does not say where they lay",
        series=pairs["series"].nunique(),
        folds=f"{len(run.folds)} of {run.parameters['num_folds']} folds",
        pairs=len(pairs),
        fold_numbers=", ".join(map(str, run.folds)),
        parameters=", ".join(f"{name} {run.parameters[name]}" for name in (*NETWORK, *TRAINING)),
        preset=run.preset or "none",
        scores="\n".join(f"| {name.replace('_', ' ')} | {days:.2f} |" for name, days in scores.items()),
        species="\n".join(species_row(str(name), found) for name, found in pairs.groupby("species")),
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


def species_row(name: str, pairs: pd.DataFrame) -> str:
    """Returns a species' row of the table."""
    raw, calibrated = (rmse_days(pairs[days], pairs["time_delta_days"]) for days in ("prediction_days", schema.CALIBRATED_DAYS))
    return f"| {name} | {pairs['series'].nunique()} | {len(pairs)} | {raw:.2f} | {calibrated:.2f} |"
