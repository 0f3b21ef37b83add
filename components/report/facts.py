"""The small tables and lines that say what a run is made of: data, days, folds, calibration."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.schema import CMYK, FRAMES, ODD_PROFILE, PROFILE, TRANSPARENT, TURNED
from components.report.read import Run

TIMES = "\N{MULTIPLICATION SIGN}"
SHOWN_SERIES = 60
PHOTO_COUNTS = {
    TURNED: "photos turned as their EXIF orientation says",
    PROFILE: "photos converted to sRGB from the colour profile in their file",
    ODD_PROFILE: "photos whose colour profile cannot be used, and whose colours were left as they are",
    TRANSPARENT: "photos with transparency, laid on white",
    CMYK: "photos converted from CMYK",
    FRAMES: "photos of several frames, of which the first was taken",
    "bad_photos": "photos left out, as they cannot be read",
    "other_files": "other files beside the photos, not read",
}  # counts of resize_images, in words


@dataclasses.dataclass(frozen=True)
class DataRow:
    """How much data a species has in a split."""

    split: str
    species: str
    series: int
    photos: int
    pairs: int


@dataclasses.dataclass(frozen=True)
class SeriesRow:
    """When the photos of a train series were taken: `days`, sorted."""

    species: str
    series: str
    days: tuple[float, ...]

    @property
    def longest_gap(self) -> tuple[float, float]:
        """The two days in a row that lie farthest apart; of a single photo, its day twice."""
        return max(itertools.pairwise(self.days), key=lambda gap: gap[1] - gap[0], default=(self.days[0], self.days[0]))

    @property
    def gap_days(self) -> float:
        """How far apart those are."""
        before, after = self.longest_gap
        return round(after - before, schema.DAY_DECIMALS)


@dataclasses.dataclass(frozen=True)
class FoldRow:
    """How a model's training went; what its history does not say is None."""

    fold: int
    epochs: int
    train: float | None
    validation: float | None
    best: float | None
    best_epoch: int | None
    seconds: float | None


def data_rows(run: Run) -> list[DataRow]:
    """Counts series, photos and pairs by split and species."""
    rows = []
    for split, pairs in ((schema.TRAIN, run.train_pairs), (schema.TEST, run.test)):
        photos = run.images[run.images["split"] == split]
        if photos.empty:
            continue  # new photos are scored: the train pairs are another run's
        for species in sorted({*photos["species"], *pairs["species"]}):
            found = photos[photos["species"] == species]
            rows.append(DataRow(split, species, found["series"].nunique(), len(found), int((pairs["species"] == species).sum())))
    return rows


def series_rows(run: Run) -> tuple[list[SeriesRow], int]:
    """Returns the train series by species and name, and how many more there are than are shown: those of the longest gaps are."""
    photos = run.images[run.images["split"] == schema.TRAIN].sort_values(["species", "series", "day"])
    rows = [
        SeriesRow(str(species), str(series), tuple(days.to_numpy("float64")))
        for (species, series), days in photos.groupby(["species", "series"], sort=True)["day"]
    ]
    shown = set(sorted(rows, key=lambda row: -row.gap_days)[:SHOWN_SERIES])
    return [row for row in rows if row in shown], len(rows) - len(shown)


def photo_lines(run: Run) -> list[str]:
    """Puts into words what is special about the photos, and what else lies among them, where anything is."""
    counts = next(record["counts"] for record in run.records if record["stage"] == "resize_images")
    return [f"{what}: {counts[name]:,}" for name, what in PHOTO_COUNTS.items() if counts.get(name)]


def fold_row(fold: int, history: pd.DataFrame) -> FoldRow:
    """Sums up a history: RMSE in days after the last epoch, the best validation epoch, the time in seconds."""
    validation = history["val_rmse_days"] if "val_rmse_days" in history else pd.Series(dtype=float)
    best = int(validation.argmin()) if validation.notna().any() else None
    return FoldRow(
        fold=fold,
        epochs=len(history),
        train=last(history, "rmse_days"),
        validation=last(history, "val_rmse_days"),
        best=None if best is None else float(validation.iloc[best]),
        best_epoch=None if best is None else best + 1,
        seconds=float(history["seconds"].iloc[-1]) if "seconds" in history else None,
    )


def last(history: pd.DataFrame, column: str) -> float | None:
    """Returns the value after the last epoch, or None where there is no finite one."""
    if column not in history or not len(history) or not np.isfinite(history[column].iloc[-1]):
        return None
    return float(history[column].iloc[-1])


def calibration_lines(calibration: dict[str, Any]) -> list[str]:
    """Puts calibration.json into words: the rules in their order, or the fitted line of each species."""
    lines = []
    for rule in calibration.get("rules") or []:
        key = "species" if "species" in rule else "series"
        lines.append(f"{rule[key]} {TIMES} {rule['factor']:g}")
    for species, fit in (calibration.get("fits") or {}).items():
        sign = "\N{MINUS SIGN}" if fit["intercept"] < 0 else "+"
        lines.append(f"{species} {TIMES} {fit['slope']:.3f} {sign} {abs(fit['intercept']):.2f} days")
    if cadence := calibration.get("cadence"):
        lines.append(f"photos every {cadence['days']:g} days, {cadence['mean_gap_days']:.2f} with those missing")
    return lines
