"""How a series of photos looks, whatever its plant's age: its colours, and how far they are from those of the train series.

A small network's own features are of no use here: they keep a plant's age and forget the rest, and put plants of a look that it
has never seen in the midst of those that it has (docs/accuracy.md has the figures).

S series, N photos; a look is [COLOURS] float32 of length 1.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from components.contract import schema

if TYPE_CHECKING:  # what answers questions needs no table
    import pandas as pd

    from components.network.input.image_file import DecodedImages

LEVELS = 8  # of each of red, green and blue
COLOURS = LEVELS**3


def series_looks(images: "DecodedImages", series: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns the look of every series: the roots of its colours' shares in all pixels of its photos [N, H, W, 3] uint8."""
    counts: dict[str, np.ndarray] = {}
    for row, name in enumerate(series):
        counts[name] = counts.get(name, 0) + colour_counts(images[np.array([row])][0])
    return {name: look_of(colours) for name, colours in counts.items()}


def colour_counts(image: np.ndarray) -> np.ndarray:
    """Returns how many pixels of a photo, [H, W, 3] uint8, have each colour, [COLOURS]; a series' photos are added up."""
    red, green, blue = np.moveaxis(image >> 5, -1, 0).astype(np.int16)  # the 8 levels of 256
    return np.bincount(((red << 6) | (green << 3) | blue).ravel(), minlength=COLOURS)


def look_of(colours: np.ndarray) -> np.ndarray:
    """Returns the look of what has so many pixels of each colour."""
    return np.sqrt(colours / colours.sum()).astype(np.float32)


def photo_table(photos: "pd.DataFrame", dates: np.ndarray | None, looks: Mapping[str, np.ndarray]) -> "pd.DataFrame":
    """Returns PHOTOS_COLUMNS of the held-out photos, and DATE_DAYS [N] where the head has dates, from nowhere in particular.

    Args:
        photos: columns image_id, species and series.
        looks: of all train series; the drift of one is from the others.
    """
    names = list(looks)
    found = {
        name: drift(looks[name], np.stack([looks[other] for other in names if other != name])) if len(names) > 1 else 0.0
        for name in photos["series"].unique()
    }
    return with_dates(photos, photos["series"].map(found), dates)


def with_dates(photos: "pd.DataFrame", drifts: "pd.Series", dates: np.ndarray | None) -> "pd.DataFrame":
    """Returns the table PHOTOS_CSV, as `photo_table` says."""
    table = photos[list(schema.PHOTOS_COLUMNS[:3])].assign(drift=drifts.round(3))
    return table if dates is None else table.assign(**{schema.DATE_DAYS: dates})


def drift(look: np.ndarray, known: np.ndarray) -> float:
    """Returns how far a look [COLOURS] is from the nearest known one [S, COLOURS], where 1 is how far those typically are apart.

    The distance is Hellinger's; 0 where there are fewer than two known looks, or all are equal. A test series beyond
    schema.UNUSUAL_DRIFT looks like nothing that the model was trained on.
    """
    if len(known) < 2:
        return 0.0
    apart = distances(known, known)
    np.fill_diagonal(apart, np.inf)
    typical = float(np.median(apart.min(axis=1)))
    return float(distances(look[None], known).min()) / typical if typical > 0 else 0.0


def distances(looks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the distance of each pair: [A, COLOURS] and [B, COLOURS] to [A, B]."""
    return np.sqrt(np.maximum(2 - 2 * looks.astype(np.float64) @ others.astype(np.float64).T, 0))
