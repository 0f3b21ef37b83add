"""Answers for photos of one plant, two or a series: days since the first of them, and what is to be said of how sure that is.

A pair gets what calibrate gives it, so at least above 0. Of a series each photo has a date where the models' head dates photos,
and days are differences of dates, so below 0 where a photo looks younger than the first; a cadence may be known.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from components.contract import schema
from components.serve.models.calibration import calibrated, interval
from components.serve.models.predictor import Photo, Predictor

ENOUGH_PHOTOS = 6  # to tell a plant that looks like none: of fewer, some of ordinary plants look so, too (docs/serve.md)
NOT_DATED = "the models have a head that dates no photo. Train with head=dates, or leave the cadence out."


@dataclasses.dataclass(frozen=True)
class TimeLine:
    """What is said of photos of one plant."""

    names: tuple[str, ...]  # of the photos, in the order in which they were given
    days: tuple[float, ...]  # of each since the first, calibrated
    raw_days: tuple[float, ...]  # the same before calibration
    calibration: str  # by what, in words
    interval: tuple[float, float] | None  # low and high of the last; None where the run's calibration has none
    # how far the photos look from all that was trained on, beyond schema.UNUSUAL_DRIFT unusually; None of an older run
    drift: float | None
    warnings: tuple[str, ...]  # why the answer may be wrong


def time_line(
    predictor: Predictor, photos: Sequence[tuple[str, Photo]], species: str = "", series: str = "", cadence_days: float = 0.0
) -> TimeLine:
    """Returns what is said of photos.

    Args:
        photos: name and features of each, two or more.
        species, series: of the plant, for the calibration; empty where they are not known.
        cadence_days: from one photo to the next where they are regular but for a few that are missing; 0 where not.

    Raises:
        ValueError: a cadence, of models that date no photo.
    """
    names, seen = tuple(name for name, _ in photos), [photo for _, photo in photos]
    dates = predictor.dates(seen) if len(seen) > 2 or cadence_days else None
    if cadence_days and dates is None:
        raise ValueError(f"cadence_days={cadence_days:g}: {NOT_DATED}")
    believed, warnings = False, list[str]()
    if dates is None or len(seen) == 2:
        answers = predictor.between([(seen[0], photo) for photo in seen[1:]], species, series)
        days, raw_days = ([0.0, *(getattr(each, kind) for each in answers)] for kind in ("days", "raw_days"))
        by = answers[0].calibration
        warnings += [f"{name}: {why}" for name, each in zip(names[1:], answers, strict=True) for why in each.warnings]
    else:
        raw_days, calibration = (dates - dates[0]).tolist(), predictor.bundle.calibration
        days = [math.copysign(calibrated(abs(each), calibration, species, series)[0], each) if each else 0.0 for each in raw_days]
        by = calibrated(1.0, calibration, species, series)[1]
    if cadence_days and dates is not None:
        placed, why = on_cadence(dates, cadence_days, predictor.bundle.calibration)
        believed = not why
        if believed:
            days, by = (placed - placed[0]).tolist(), f"cadence_days={cadence_days:g}"
        else:
            warnings.append(f"cadence_days={cadence_days:g} is not believed: {why}")
    if len(seen) > 2:
        warnings += [*out_of_order(names, days), *same_files(names, seen), *predictor.too_long(max(days) - min(days))]
    drift = predictor.drift(seen)
    warnings += unusual(drift, len(seen))
    wider = max((drift or 0.0) / schema.UNUSUAL_DRIFT, 1.0)
    reach = interval(days[-1], predictor.bundle.calibration, wider, on_cadence=believed)
    return TimeLine(names, tuple(days), tuple(raw_days), by, reach, drift, tuple(dict.fromkeys(warnings)))


def on_cadence(dates: np.ndarray, cadence_days: float, calibration: dict[str, Any]) -> tuple[np.ndarray, str]:
    """Returns the photos' days by a cadence, [N], or why it is not believed: as calibrate has it, by the gaps it learned."""
    from components.calibrate import cadence  # it imports pandas, which takes a while

    learned = calibration.get("cadence", {})
    gap = learned["mean_gap_days"] if learned.get("days") == cadence_days else cadence_days
    return cadence.on_cadence(dates, cadence.Cadence(cadence_days, gap), len(dates))


def out_of_order(names: Sequence[str], days: Sequence[float]) -> Iterator[str]:
    """Yields a warning for each photo that is put before the one that it was given after."""
    for (name, at), (later, then) in itertools.pairwise(zip(names, days, strict=True)):
        if then < at:
            yield f"{later} is put at day {then:.1f}, before {name} at {at:.1f}, which came before it"


def same_files(names: Sequence[str], photos: Sequence[Photo]) -> Iterator[str]:
    """Yields a warning for each photo that is there already."""
    first: dict[str, str] = {}
    for name, photo in zip(names, photos, strict=True):
        if photo.digest in first:
            yield f"{name}: the same file as {first[photo.digest]}"
        first.setdefault(photo.digest, name)


def unusual(drift: float | None, photos: int) -> Iterator[str]:
    """Yields a warning where photos look like nothing that was trained on."""
    if drift is not None and drift > schema.UNUSUAL_DRIFT:
        rest = "" if photos >= ENOUGH_PHOTOS else f"; so do some of ordinary plants, of fewer than {ENOUGH_PHOTOS} photos"
        yield (
            f"unlike anything that the models were trained on, by their colours (drift {drift:.2f}, "
            f"usually below {schema.UNUSUAL_DRIFT}){rest}"
        )
