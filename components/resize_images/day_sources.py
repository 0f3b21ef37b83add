"""Finds the days of train photos where they are said: in days.csv, in the photos' names, or in their EXIF data; never mixed."""

import dataclasses
import datetime
import io
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from PIL import Image

from components.contract.tables.user_tables import hint_of, read_cells
from components.raw.layout import DAYS_TABLE, RawListing
from components.raw.source import UNREADABLE, RawSource
from components.raw.walk import printable
from components.resize_images.day_names import read_name
from components.resize_images.days import HELP, MAX_DAY, DaysError, SeriesDays, longest_gap, read_series, since_first, tidy
from components.resize_images.picture import FORMATS
from components.resize_images.read_ahead import map_contents

NAME, EXIF, TABLE = "name", "exif", "table"
COLUMNS = ("species", "series", "file")  # of days.csv, and one of VALUES
VALUES = ("day", "date")
EXIF_HELP = ", or set days_from=exif to take the time that the camera wrote into each photo"
EXIF_IFD, DATE_TIME_ORIGINAL = 0x8769, 0x9003
Series = tuple[str, str]  # species, series


@dataclasses.dataclass(frozen=True)
class DatedSeries:
    """A train series with the days of its photos."""

    name: Series  # species and series
    photos: Mapping[PurePosixPath, float]  # day by path, in the order of the paths
    way: str  # how they were read

    @property
    def has_fractions(self) -> bool:
        """Whether any day is no whole number."""
        return any(day % 1 for day in self.photos.values())

    def __str__(self) -> str:
        days = sorted(self.photos.values())
        first = min(self.photos, key=lambda path: (self.photos[path], path))
        gap = f", longest gap {longest_gap(days):g}" if len(days) > 1 else ""
        return (
            f"{'/'.join(self.name)}: {len(days)} photos, days {days[0]:g} to {days[-1]:g}{gap}, by {self.way} "
            f"({first.name} is day {days[0]:g})"
        )


def date_photos(source: RawSource, listing: RawListing, days_from: str) -> tuple[list[DatedSeries], list[str]]:
    """Returns the train series with their days, and what is wrong with the others; each series is read in one way, `days_from`.

    Of days_from=name a series that days.csv has is read from there.
    """
    series: dict[Series, list[PurePosixPath]] = {}
    for path in sorted(listing.train):
        series.setdefault((path.parts[1], path.parts[2]), []).append(path)
    place = f"{source}/{DAYS_TABLE}"
    if listing.days is None and days_from == TABLE:
        return [], [f"{place}: missing, and days_from=table. Expected {','.join(COLUMNS)},day; add it."]
    if listing.days is not None and days_from == EXIF:
        return [], [f"{place}: is there, and days_from=exif would not read it. Remove one of the two."]
    try:
        table = read_days_table(source.read(listing.days), place) if listing.days else {}
    except (ValueError, *UNREADABLE) as error:
        return [], [str(error)]
    unknown = [key for key in table if key not in series]
    problems = [f"{place}: {'/'.join(key)} is no train series. Correct its rows or remove them." for key in unknown]
    found = []
    for key, paths in series.items():
        try:
            if key in table:
                days = by_table(paths, table[key])
            elif days_from == TABLE:
                raise DaysError([path.name for path in paths], f"{DAYS_TABLE} has no row of the series")
            else:
                days = by_exif(source, paths) if days_from == EXIF else read_series([path.stem for path in paths])
        except DaysError as error:
            files = {path.stem: path.name for path in paths}
            shown = " and ".join(f"{paths[0].parent}/{files.get(name, name)}" for name in error.names)
            problems.append(f"{source}: {printable(shown)}: {error.reason}. {HELP}{EXIF_HELP if days_from == NAME else ''}.")
            continue
        found.append(DatedSeries(key, dict(zip(paths, days.days, strict=True)), days.way))
    return found, problems


def read_days_table(content: bytes, place: str) -> dict[Series, dict[str, tuple[str, float]]]:
    """Returns {(species, series): {file: (form, days)}} of a table of days, a file without its ending in lower case.

    Raises:
        ValueError: as `read_cells`, or a row that says no day, or says it twice; names the line.
    """
    lines, header, rows = read_cells(content, place, COLUMNS)
    value = [name for name in VALUES if header.count(name) == 1]
    if len(value) != 1:
        raise ValueError(f"{place}: columns {', '.join(header)}. Expected {', '.join(COLUMNS)}, and day or date.")
    found: dict[Series, dict[str, tuple[str, float]]] = {}
    for line, row in zip(lines, rows, strict=True):
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        files, file = found.setdefault((cells["species"], cells["series"]), {}), key_of(cells["file"])
        if file in files:
            raise ValueError(f"{place}, line {line}: {cells['file']} of {cells['series']} is there twice. Remove a row.")
        files[file] = days_in(cells[value[0]], value[0], f"{place}, line {line}")
    return found


def days_in(text: str, column: str, place: str) -> tuple[str, float]:
    """Returns the form and the days that a cell says: a number, or a date's days since 1970. Raises ValueError: neither."""
    if column == "day":
        try:
            days = float(text)
        except ValueError:
            days = math.nan
        if not abs(days) <= MAX_DAY:
            raise ValueError(
                f"{place}: day={text!r}{hint_of(text)}. Expected a number of days, such as 7 or 7.5, of at most {MAX_DAY}."
            )
        return column, days
    dates = read_name(text).dates
    if len(dates) != 1:
        raise ValueError(f"{place}: date={text!r}. Expected one date, such as 2021-06-30 or 2021-06-30 09:15.")
    way, mark = next(iter(dates.items()))
    return way, mark.days


def key_of(file: str) -> str:
    """Returns what a table's file and a photo's name are compared by: without folder and ending, in lower case, composed."""
    name = unicodedata.normalize("NFC", PurePosixPath(file.replace("\\", "/")).name).lower()
    return name.rsplit(".", 1)[0] if name.endswith((".png", ".jpg", ".jpeg")) else name


def by_table(paths: Sequence[PurePosixPath], rows: Mapping[str, tuple[str, float]]) -> SeriesDays:
    """Returns the days of the table, equal ones, too. Raises DaysError: a photo without a row, or a row without a photo."""
    keys = [key_of(path.name) for path in paths]
    if missing := [path.name for path, key in zip(paths, keys, strict=True) if key not in rows]:
        raise DaysError(missing, f"{len(missing)} photos of the series have no row in {DAYS_TABLE}")
    if spare := [key for key in rows if key not in keys]:
        raise DaysError(spare, f"{DAYS_TABLE} has rows of files that are not there")
    days = [rows[key][1] for key in keys]
    return SeriesDays(tidy(days if rows[keys[0]][0] == "day" else since_first(days)), DAYS_TABLE.name)


def by_exif(source: RawSource, paths: Sequence[PurePosixPath]) -> SeriesDays:
    """Returns days since the first by the camera's times. Raises DaysError: photos without such a time, or two of one time."""
    moments = list(map_contents(source, paths, lambda _, content: exif_days(content), lambda *_: None))
    if missing := [path.name for path, moment in zip(paths, moments, strict=True) if moment is None]:
        raise DaysError(missing, f"{len(missing)} photos have no EXIF DateTimeOriginal")
    days = since_first([moment for moment in moments if moment is not None])
    if same := [path.name for path, day in zip(paths, days, strict=True) if days.count(day) > 1]:
        raise DaysError(same, "two photos of one time, by EXIF DateTimeOriginal")
    return SeriesDays(tidy(days), "EXIF DateTimeOriginal")


def exif_days(content: bytes) -> float | None:
    """Returns the days since 1970 of a photo's DateTimeOriginal; None where it has none that can be read."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as photo:
            text = photo.getexif().get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL)
        moment = datetime.datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except Exception:  # whatever Pillow's readers raise: the photo says no time, which is an error of its own
        return None
    return (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)


def of_all(found: Sequence[DatedSeries]) -> Callable[[PurePosixPath], float | None]:
    """Returns a function that gives a photo's day, None of a test photo."""
    days = {each.name: each.photos for each in found}
    return lambda path: days.get((path.parts[1], path.parts[2]), {}).get(path)
