"""Says what raw data means before a photo is decoded: photos, their days, what is equal, and all that is wrong with it."""

import dataclasses
from collections.abc import Sequence
from pathlib import PurePosixPath

from components.contract import schema
from components.raw.identity import EqualPhotos, describe_leaks, find_equal_photos
from components.raw.layout import RawListing
from components.raw.source import RawSource
from components.raw.storage import find_photos
from components.raw.walk import printable
from components.resize_images.catalog import name_problems
from components.resize_images.day_sources import DatedSeries, date_photos
from components.resize_images.settings import ResizeImagesSettings

NOT_READ = "not read"
SHOWN_PROBLEMS, SHOWN_FILES = 20, 5


@dataclasses.dataclass(frozen=True)
class Understood:
    """What raw data means."""

    listing: RawListing  # photos, tables, and everything else that lies there
    series: Sequence[DatedSeries]  # train series with their days
    equal: Sequence[EqualPhotos]  # photos of equal bytes
    problems: Sequence[str]  # what ends a run, in words, each with its place and what would help

    def lines(self) -> list[str]:
        """Returns what to show of it: a line per series, and what lies there unread."""
        said = [f"days of {each}" for each in self.series]
        for files, what in ((self.listing.bad, "bad photos"), (self.noted(), "other files")):
            if files:
                shown = "; ".join(f"{printable(path)}: {why}" for path, why in list(files.items())[:SHOWN_FILES])
                said.append(f"{len(files)} {what}: {shown}{'; ...' if len(files) > SHOWN_FILES else ''}")
        return [*said, *(f"equal photos, {each.where}: {each}" for each in self.equal)]

    def noted(self) -> dict[PurePosixPath, str]:
        """Returns what is not read and would be no photo, with the reasons."""
        return {**dict.fromkeys(self.listing.ignored, NOT_READ), **self.listing.others}


def understand(source: RawSource, settings: ResizeImagesSettings, splits: Sequence[str] = schema.SPLITS) -> Understood:
    """Returns what the raw data of a place means; photos are hashed where their sizes are equal, and not decoded.

    Raises as `find_photos`; `splits` are both, or test alone where nothing is trained.
    """
    listing = find_photos(source, splits)
    series, problems = date_photos(source, listing, settings.days_from) if schema.TRAIN in splits else ([], [])
    unread = [f"{source}/{path}: {why}. Expected a table; mend or remove it." for path, why in listing.unread_tables.items()]
    bad = [
        f"{source}/{printable(path)}: {why}. Expected an 8-bit PNG or JPEG that can be read; replace or remove it, or set "
        "on_bad_photo=skip to leave such photos out."
        for path, why in (listing.bad.items() if settings.on_bad_photo == "fail" else ())
    ]
    problems = [*unread, *bad, *name_problems(listing), *problems]
    equal = find_equal_photos(source, listing)
    leaks = describe_leaks(equal, str(source)) if settings.on_equal_photos == "fail" else None
    return Understood(listing, series, equal, [*problems, *([leaks] if leaks else [])])


def refuse(understood: Understood) -> None:
    """Raises ValueError with all problems, if there are any."""
    left = len(understood.problems) - SHOWN_PROBLEMS
    if understood.problems:
        raise ValueError("\n".join([*understood.problems[:SHOWN_PROBLEMS], *([f"and {left} more such"] if left > 0 else [])]))
