"""Chooses the pairs worth showing, and makes cards of their photos."""

import base64
import dataclasses
import functools
import io
from collections.abc import Callable

import pandas as pd
from PIL import Image

from components.contract.naming import naming
from components.contract.photos import Photos

THUMBNAIL_PX = 240
THUMBNAIL_QUALITY = 78


@dataclasses.dataclass(frozen=True)
class Card:
    """One pair of photos with its days; `before` and `after` are data URIs, `true` is None where nobody knows."""

    name: str
    species: str
    series: str
    before: str
    after: str
    before_name: str
    after_name: str
    raw: float
    calibrated: float
    true: float | None
    lowest: float | None
    highest: float | None

    @property
    def error(self) -> float | None:
        """Calibrated minus true days."""
        return None if self.true is None else self.calibrated - self.true


def spread_pairs(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """Chooses `count` pairs, or all if there are fewer, spread over species, series and predicted days.

    Series take turns, species alternating; a series with k turns shows one pair from each k-th of its predicted days, at a
    place inside it that differs from series to series, so that single turns do not all show the middle.

    Returns:
        The chosen rows, by species and then by predicted days.
    """
    turns = series_in_turn(pairs)
    taken = dict.fromkeys(turns, 0)
    sizes = {name: int(size) for name, size in pairs["series"].value_counts().items()}
    left = min(count, len(pairs))
    while left:
        for name in turns:
            if left and taken[name] < sizes[name]:
                taken[name] += 1
                left -= 1
    shown = [name for name in turns if taken[name]]
    chosen = []
    for position, name in enumerate(shown):
        ordered = pairs[pairs["series"] == name].sort_values(["calibrated_days", "idx"], kind="stable")
        offset = (position + 0.5) / len(shown)
        places = {int((turn + offset) / taken[name] * len(ordered)) for turn in range(taken[name])}
        chosen.append(ordered.iloc[sorted(places)])
    return pd.concat(chosen).sort_values(["species", "calibrated_days", "idx"], kind="stable")


def series_in_turn(pairs: pd.DataFrame) -> list[str]:
    """Lists the series so that species alternate: the first of each species, then the second of each, ..."""
    names = pairs[["species", "series"]].drop_duplicates().sort_values(["species", "series"])
    turn = names.groupby("species").cumcount()
    return [str(name) for name in names.assign(turn=turn).sort_values(["turn", "species"])["series"]]


def largest_errors(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """Chooses the pair of the largest error of each series, largest first: one odd plant must not fill the row."""
    size = (pairs["calibrated_days"] - pairs["true_days"]).abs()
    ordered = pairs.assign(size=size).sort_values(["size", "pair_id"], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates("series").drop(columns="size").head(count)


def cards(chosen: pd.DataFrame, images: pd.DataFrame, photos: Photos, done: Callable[[], object]) -> list[Card]:
    """Returns pairs with their thumbnails, by the catalog's `images`; calls `done` after each, for a progress bar.

    Raises:
        FileNotFoundError: a photo is missing.
        ValueError: a photo is not in the catalog.
    """
    paths = dict(zip(images["image_id"], images["path"], strict=True))
    has_models, has_truth = "lowest_days" in chosen, "true_days" in chosen
    found = []
    for row in chosen.to_dict("records"):
        ids = row["before_image_id"], row["after_image_id"]
        absent = [name for name in ids if name not in paths]
        if absent:
            raise ValueError(f"Pair {row['pair_id']}: photo {absent[0]} is not in the catalog; run generate_pairs again.")
        card = Card(
            name=str(row["pair_id"]),
            species=row["species"],
            series=row["series"],
            before=thumbnail(photos, paths[ids[0]]),
            after=thumbnail(photos, paths[ids[1]]),
            before_name=ids[0].rsplit("/", 1)[-1],
            after_name=ids[1].rsplit("/", 1)[-1],
            raw=row["raw_days"],
            calibrated=row["calibrated_days"],
            true=row["true_days"] if has_truth else None,
            lowest=row["lowest_days"] if has_models else None,
            highest=row["highest_days"] if has_models else None,
        )
        found.append(card)
        done()
    return found


@functools.lru_cache(maxsize=512)
def thumbnail(photos: Photos, path: str) -> str:
    """Returns the photo at `path`, made small, as a JPEG data URI; raises as `Photos.read`."""
    if path not in photos:
        raise FileNotFoundError(f"{photos.folder}/{path} is missing, though the catalog lists it; run resize_images again.")
    with naming(f"{photos.folder}/{path}"), Image.open(io.BytesIO(photos.read(path))) as photo:
        photo.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))  # decodes a JPEG at a fraction of its size: four times faster
        small = photo.convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
