"""Reads the days of a series from the names of its photos, or refuses names that a person could read in two ways.

docs/data.md says which names are understood. Days are numbers of days, whole wherever the names say no more.
"""

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence

from components.contract.schema import DAY_DECIMALS
from components.resize_images.day_names import YEAR, Mark, Name, read_name

NUMBER = "the number that ends the name"
MAX_DAY = 36_525  # a century: a larger number is a date or a serial number, and would make wrong labels
NO_DAY = "the name has no date, no number with a day word, and does not end in digits, so the photo has no day"
TIME_OF_DAY = re.compile("(?<![0-9])(?:[01][0-9]|2[0-3])([-.:])[0-5][0-9]\\1[0-5][0-9]$")
HELP = (
    "Rename the files, for example to DAT07.png or 2021-06-30.png, or say each photo's day in train_dataset/days.csv "
    "(species,series,file,day)"
)


class DaysError(ValueError):
    """The names of a series do not say its days, or say them in two ways; `names` are two that show it."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        self.names, self.reason = tuple(names[:2]), reason
        super().__init__(f"{' and '.join(map(repr, self.names))}: {reason}")


@dataclasses.dataclass(frozen=True)
class SeriesDays:
    """The days of a series' photos, in the order of their names."""

    days: tuple[float, ...]  # whole numbers wherever all of them are
    way: str  # how they were read


def read_series(stems: Sequence[str]) -> SeriesDays:
    """Returns the days that the names of one series say.

    Dates count days since the first of them. A date or a number with a day word counts before a number that only ends the name.

    Raises:
        DaysError: names without a day; of mixed forms; that can be read in two ways; that give two photos one day.
    """
    names = [read_name(stem) for stem in stems]
    ways = explicit_ways(names)
    if not ways:
        refuse_mixed(names)
        refuse_odd_numbers(names)
        ways = signed(NUMBER, [name.number for name in names if name.number])
    refuse_units(names)
    choices = {way: days for way, days in ways.items() if len(set(days)) > 1} or ways
    refuse_two_ways(names, choices)
    way, days = next(iter(choices.items()))
    refuse_one_day(names, days)
    return SeriesDays(tidy(days), way.removesuffix(MINUS))


MINUS = ", its dash a minus"


def explicit_ways(names: Sequence[Name]) -> dict[str, tuple[float, ...]]:
    """Returns the days by each date and each number with a day word that all names have; a constant one tells nothing of time."""
    found: dict[str, tuple[float, ...]] = {}
    for attribute in ("words", "dates"):
        marks = [getattr(name, attribute) for name in names]
        for way in marks[0]:
            if all(way in each for each in marks):
                values = [each[way] for each in marks]
                is_date = attribute == "dates"
                found |= {way: since_first([mark.days for mark in values])} if is_date else signed(way, values)
    return found


def since_first(days: Sequence[float]) -> tuple[float, ...]:
    """Returns days since the first of them."""
    first = min(days)
    return tuple(round(day - first, DAY_DECIMALS) for day in days)


def signed(way: str, marks: Sequence[Mark]) -> dict[str, tuple[float, ...]]:
    """Returns the numbers with their signs; in two ways, where a dash may be either.

    A dash before some of the numbers is a minus. Before all of them it parts the word from the number where that is written with
    zeros (DAT-07), and may be either where it is not (DAT-7).
    """
    signs = {mark.sign for mark in marks}
    texts = [mark.text for mark in marks]
    padded = len(set(map(len, texts))) == 1 and any(text.startswith("0") and text != "0" for text in texts)
    is_minus = signs != {"?"}
    read = tuple(-mark.days if mark.sign == "-" or (mark.sign == "?" and is_minus) else mark.days for mark in marks)
    both = {way: read}
    if signs == {"?"} and not padded and len(marks) > 1:
        both[way + MINUS] = tuple(-mark.days for mark in marks)
    return both


def refuse_mixed(names: Sequence[Name]) -> None:
    """Raises DaysError where some names have a date or a day word and others have it not, or another."""
    ways = [frozenset(name.dates) | frozenset(name.words) for name in names]
    if not any(ways):
        return
    one = next(number for number, each in enumerate(ways) if each)
    other = next((number for number, each in enumerate(ways) if not each & ways[one]), None)
    other = next(number for number, each in enumerate(ways) if each != ways[one]) if other is None else other
    said = [" and ".join(sorted(ways[number])) or "no date and no day word" for number in (one, other)]
    if not names[other].number and not ways[other]:
        raise DaysError([names[other].stem, names[one].stem], NO_DAY)
    raise DaysError([names[one].stem, names[other].stem], f"names of two forms in one series ({said[0]}; {said[1]})")


def refuse_odd_numbers(names: Sequence[Name]) -> None:
    """Raises DaysError where the numbers that end the names are none, are a camera's, or are not the only ones that change."""

    def refuse(is_odd: Callable[[Name], object], reason: str) -> None:
        odd = [name.stem for name in names if is_odd(name)]
        if odd:
            raise DaysError([*odd, *(name.stem for name in names if name.stem not in odd)], reason)

    refuse(lambda name: not name.number, NO_DAY)
    texts = [name.number.text for name in names if name.number]
    refuse(lambda name: name.is_counter, "the number that ends the name is a camera's counter of photos, and no day")
    refuse(
        lambda name: name.number and name.number.days > MAX_DAY,
        f"the number that ends the name, read as the photo's day, is larger than {MAX_DAY}; if it is a date, write its year with "
        "four digits",
    )
    if all(len(text) == 4 and looks_like_month_and_day(text) for text in texts):
        refuse(lambda _: True, "four digits are a month and a day, or a number of days")
    if all(re.search(f"{YEAR}[-_. ](?:0[1-9]|1[0-2])$", name.stem) for name in names):
        refuse(lambda _: True, "a year and a month without a day, or two numbers")
    refuse(lambda name: TIME_OF_DAY.search(name.stem), "a time of day without its date, or three numbers")
    if all(len(text) == 6 for text in texts) and any(float(text) > 366 for text in texts):
        refuse(lambda _: True, "six digits are a date without its century, a time, or a number")
    whole, parts = zip(*((text.replace(",", ".").split(".") + [""])[:2] for text in texts), strict=True)
    if any(parts) and len(names) > 1:
        if len(set(whole)) == 1:
            refuse(lambda _: True, "the number before the point is the same in all names: days with a fraction, or two numbers")
        if len({len(part) for part in parts}) > 1 and any(part.endswith("0") for part in parts):
            refuse(lambda _: True, "fractions of a day, or two numbers with a point between them")
    if len({name.others for name in names}) > 1:
        one = names[0]
        other = next(name for name in names if name.others != one.others)
        raise DaysError([one.stem, other.stem], "more than one number changes from name to name, and any of them may be the day")


def looks_like_month_and_day(text: str) -> bool:
    """Whether four digits are a month and a day, in either order."""
    first, second = int(text[:2]), int(text[2:])
    return (1 <= first <= 12 and 1 <= second <= 31) or (1 <= second <= 12 and 1 <= first <= 31)


def refuse_units(names: Sequence[Name]) -> None:
    """Raises DaysError where the names count weeks, hours or the like."""
    with_unit = [name for name in names if name.units]
    if with_unit and (len({name.units for name in names}) > 1 or not any(name.words or name.dates for name in names)):
        other = next((name for name in names if name.units != with_unit[0].units), with_unit[0])
        stems = list(dict.fromkeys([with_unit[0].stem, other.stem]))
        raise DaysError(stems, "the names count weeks, hours or another unit, and not days")


def refuse_two_ways(names: Sequence[Name], choices: dict[str, tuple[float, ...]]) -> None:
    """Raises DaysError where two ways give the photos of a series other days apart."""
    apart = {way: tuple(round(day - days[0], DAY_DECIMALS) for day in days) for way, days in choices.items()}
    if len(set(apart.values())) > 1:
        one = next(iter(apart))
        other = next(way for way in apart if apart[way] != apart[one])
        place = next(number for number in range(len(names)) if apart[one][number] != apart[other][number])
        raise DaysError(
            [names[0].stem, names[place].stem],
            f"the names can be read in two ways: {apart[one][place]:g} days apart by {one}, {apart[other][place]:g} by {other}",
        )
    if len({name.tail for name in names}) > 1 and all(name.words for name in names):
        stems = [next(name.stem for name in names if name.tail), next(name.stem for name in names if name.tail != names[0].tail)]
        raise DaysError(list(dict.fromkeys(stems)), "another number follows that with the day word: a fraction, or two numbers")


def refuse_one_day(names: Sequence[Name], days: Sequence[float]) -> None:
    """Raises DaysError where two photos have one day, or the days span more than a century."""
    if len(set(days)) < len(days):
        twice = Counter(days).most_common(1)[0][0]
        same = [name.stem for name, day in zip(names, days, strict=True) if day == twice]
        raise DaysError(same, f"two photos of one day ({twice:g}), by their names")
    if max(map(abs, days)) > MAX_DAY:
        order = sorted(range(len(days)), key=lambda number: -abs(days[number]))
        stems = [names[number].stem for number in order]
        raise DaysError(stems, f"day {days[order[0]]:g}. Expected days counted from one start, at most {MAX_DAY}")


def tidy(days: Sequence[float]) -> tuple[float, ...]:
    """Returns whole numbers as int where all of the days are whole."""
    return tuple(int(day) for day in days) if all(float(day).is_integer() for day in days) else tuple(map(float, days))


def longest_gap(days: Sequence[float]) -> float:
    """Returns the most days between two photos that follow each other, 0 for a single one."""
    return max((after - before for before, after in itertools.pairwise(sorted(days))), default=0)
