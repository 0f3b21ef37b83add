"""Puts photos on the days of a known cadence: where a plant is photographed every day, its photos span as many days as they are.

That corrects what no photo shows, how fast this one plant grows: the winner's factor of 0.715 for two series of 28 photos is
near 28/40. N photos of one series.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from components.contract import schema

if TYPE_CHECKING:  # what answers questions has no pandas
    import pandas as pd

FEWEST_PHOTOS = 8  # of fewer, one that is missing moves all others too far
MOST_STRETCH = 1.8  # plants hardly differ by more (the winner's hand-made factor is 1 / 1.4): such photos are of another cadence
MOST_GAP = 1.5  # cadences from one train photo to the next, on average: beyond it they are not of that cadence
FEWEST_SEEN = 0.5  # of a series' photos: of the others, which no pair has, nobody knows the places
MOST_RESIDUAL = 0.25  # of the photos' own spread: beyond it they are not evenly taken, or not of one growing plant


@dataclasses.dataclass(frozen=True)
class Cadence:
    """How often photos are taken, and how many days pass between two of them on average, as a few are missing."""

    days: float
    mean_gap_days: float


def learn_cadence(cadence_days: float, images: pd.DataFrame) -> Cadence:
    """Returns the cadence, its mean gap that of the train series: their days, over their photos less one.

    Args:
        cadence_days: what the user says.
        images: the catalog's train photos, columns species, series and day.

    Raises:
        ValueError: the train photos are further apart than that.
    """
    days = images.groupby(["species", "series"])["day"].agg(["min", "max", "count"])
    days = days[days["count"] >= FEWEST_PHOTOS]
    gaps = (days["max"] - days["min"]).astype("float64") / (days["count"] - 1)
    gap = max(cadence_days, float(gaps.mean())) if len(gaps) else cadence_days
    if gap > MOST_GAP * cadence_days:
        raise ValueError(
            f"cadence_days={cadence_days:g}: train photos are {gap:.3g} days apart on average. Expected at most {MOST_GAP} times "
            "cadence_days; set it to how often photos are taken, or to 0 where they are not regular."
        )
    return Cadence(cadence_days, gap)


def photo_counts(images: pd.DataFrame) -> dict[str, int]:
    """Returns how many photos each series has."""
    return {str(series): int(count) for series, count in images["series"].value_counts().items()}


def on_cadence(dates: np.ndarray, cadence: Cadence, taken: int) -> tuple[np.ndarray, str]:
    """Returns the photos' days by the cadence, [N], and why it was not believed: then they are `dates`, else it is empty.

    Half of it is where the photo comes in their order, half its date, stretched so that all spread as far: the order mends a
    growth that slows down, the date a place that is off by one.

    Args:
        dates: what the models say, [N] in days, in any order.
        taken: how many photos of the series there are, of which those without a date are taken to lie evenly among the others.
    """
    if len(dates) < FEWEST_PHOTOS:
        return dates, f"{len(dates)} photos, fewer than {FEWEST_PHOTOS}"
    if len(dates) < FEWEST_SEEN * taken:
        return dates, f"only {len(dates)} of its {taken} photos are in a pair"
    gap = cadence.mean_gap_days * (taken - 1) / (len(dates) - 1)
    places = np.argsort(np.argsort(dates, kind="stable"), kind="stable") * gap
    places, centred = places - places.mean(), dates - dates.mean()
    spread = float(centred.std())
    stretch = float(places.std()) / spread if spread > 0 else np.inf
    if not 1 / MOST_STRETCH <= stretch <= MOST_STRETCH:
        return dates, f"days would be {stretch:.2g} times what the photos look like"
    residual = float(np.sqrt(np.mean(np.square(places - stretch * centred)))) / float(places.std())
    if residual > MOST_RESIDUAL:
        return dates, f"the photos do not look evenly taken (residual {residual:.2f} of their spread)"
    return (places + stretch * centred) / 2, ""


def apply_cadence(table: pd.DataFrame, photos: pd.DataFrame, taken: Mapping[str, int], cadence: Cadence) -> list[tuple[str, str]]:
    """Sets `calibrated_days` of the pairs of series whose cadence can be believed; returns the other series with the reason.

    Args:
        table: pairs, with schema.PHOTO_IDS.
        photos: of all of them, as `read_photos` returns it.
        taken: how many photos there are of each series, in pairs or not.

    Raises:
        ValueError: the models do not date photos.
    """
    if photos.empty or schema.DATE_DAYS not in photos:
        raise ValueError(
            f"cadence_days={cadence.days:g} needs the date of each photo, and the models have a head that dates none. "
            "Train with head=dates, or set cadence_days=0."
        )
    days, left = put_on_cadence(photos, taken, cadence)
    before, after = (table[name].map(days) for name in schema.PHOTO_IDS)
    table[schema.CALIBRATED_DAYS] = (after - before).fillna(table[schema.CALIBRATED_DAYS])
    return left


def put_on_cadence(photos: pd.DataFrame, taken: Mapping[str, int], cadence: Cadence) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Returns by image_id the day of every photo of a series whose cadence can be believed, and why the others' cannot.

    Args:
        photos: columns image_id, series and DATE_DAYS.
        taken: as `apply_cadence` has it.
    """
    import pandas as pd

    found, left = [], []
    for series, rows in photos.groupby("series"):
        days, why = on_cadence(rows[schema.DATE_DAYS].to_numpy("float64"), cadence, taken[str(series)])
        if why:
            left.append((str(series), f"cadence_days={cadence.days:g} is not believed: {why}"))
        else:
            found.append(pd.Series(days, index=rows["image_id"]))
    return (pd.concat(found) if found else pd.Series(dtype="float64")), left
