"""Finds in a photo's name whatever a person may read as its time: dates, times of day, numbers with a day word, numbers.

It decides nothing: which of the marks counts is seen from all names of a series together (days.py).
"""

import dataclasses
import datetime
import re
from collections.abc import Iterator

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"(?P<month>{'|'.join(MONTHS)})[a-z]*"
YEAR, MONTH_DIGITS, DAY = r"(?P<year>(?:19[7-9]|20[0-9])[0-9])", "(?P<month>[0-9]{1,2})", "(?P<day>[0-9]{1,2})"
SIGN, SIGN_OR_NONE = "(?P<sign>[-_. /])", "[-_. ]?"
CLOCK = (
    r"(?:(?:T|, ?|[-_. ]| at |[-_]at[-_]| +- +)?(?P<hour>[01][0-9]|2[0-3]|[0-9](?=[-_:.h]))(?P<colon>[-_:.h ]?)"
    r"(?P<minute>[0-5][0-9])"
    r"(?:(?:(?P=colon)|m)(?P<second>[0-5][0-9])(?:[.,]?[0-9]{3}(?![0-9]))?)?(?P<noon> ?[ap]\.?m\b)?Z?)?(?![0-9])"
)
DATES = tuple(
    (order, re.compile(f"(?<![0-9]){text}{CLOCK}", re.IGNORECASE))
    for order, text in (
        ("year, month, day", f"{YEAR}{SIGN}{MONTH_DIGITS}(?P=sign){DAY}"),
        ("year, month, day", f"{YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})"),
        ("year, month, day", f"{YEAR}{SIGN_OR_NONE}{MONTH}{SIGN_OR_NONE}{DAY}"),
        ("day, month, year", f"{DAY}{SIGN}{MONTH_DIGITS}(?P=sign){YEAR}"),
        ("month, day, year", f"{MONTH_DIGITS}{SIGN}{DAY}(?P=sign){YEAR}"),
        ("day, month, year", f"{DAY}{SIGN_OR_NONE}{MONTH}{SIGN_OR_NONE}{YEAR}"),
        ("month, day, year", f"{MONTH}{SIGN_OR_NONE}{DAY}[-_., ]{{1,2}}{YEAR}"),
    )
)
# days after sowing, planting, transplanting, germination, emergence, inoculation; days post inoculation, germination, emergence
WORDS = "(?P<word>da[sptgei]|dp[ige]|days?(?:[ _-]?(?:after|post)[ _-]?[a-z]+)?|d)"
UNITS = "(?P<word>weeks?|wks?|wa[spt]|w|months?|mon|hours?|hrs?|hpi|h|minutes?|mins?|seconds?|secs?)"
DIGITS = "(?P<number>[0-9]+(?:[.,][0-9]+)?)"
GAP = "(?P<gap>[ _=#:+\N{MINUS SIGN}-]{0,3}|[ _-]?(?:minus|neg)[ _-]?)"
WITH_DAYS, WITH_UNIT = (
    tuple(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (f"(?<![a-z]){words}{GAP}{DIGITS}", f"(?<![0-9.,]){DIGITS}(?P<gap>[ _-]?){words}(?![a-z0-9])")
    )
    for words in (WORDS, UNITS)
)
ENDING = re.compile(f"(?P<gap>[\N{MINUS SIGN}-]*){DIGITS}$")
COUNTED = re.compile(  # what cameras and programs write before a counter of photos
    r"(?:^|[_ -])_?(?:img|dsc[nf]?|mg|pict?|picture|gopr|gp|mvi|cimg|sam|pxl|win|wa|image|photo|frame|capture|snapshot|scan|"
    r"screenshot|p)[_ -]?$",
    re.IGNORECASE,
)
EAST_ASIAN = ((re.compile(r"\s*[년年月월]\s*"), "-"), (re.compile(r"(?<=[0-9])\s*[일日]"), " "))
HAS_YEAR = re.compile(YEAR)
TAKEN = "\0"  # stands where a date or a day word was; no name holds it


@dataclasses.dataclass(frozen=True)
class Mark:
    """One thing in a name that may be its time."""

    days: float  # of a date, days since 1970 with the time of day; of a number, the number without its sign
    text: str  # the number's digits; the date as it is written
    sign: str = ""  # "" none, "-" below zero, "?" a dash that is a minus or a separator


@dataclasses.dataclass(frozen=True)
class Name:
    """The marks of one name."""

    stem: str  # the name without its ending
    dates: dict[str, Mark]  # mark by the way it is read; two stems with one way are read alike
    words: dict[str, Mark]
    number: Mark | None  # what the name ends with
    others: tuple[str, ...]  # the numbers that are in no date and beside no day word, but for the one that ends the name
    units: tuple[str, ...]  # numbers of weeks, hours and the like
    tail: str  # a number that follows at once on one with a day word, "1" of DAT07_1 and DAT7p1; empty for none
    is_counter: bool  # whether the number that ends the name is a camera's counter, by what stands before it


def read_name(stem: str) -> Name:
    """Returns all marks of one name."""
    text = stem
    if re.search(r"[0-9]\s*[년年]", stem):
        for sign, replacement in EAST_ASIAN:
            text = sign.sub(replacement, text)
    found = list(dates_in(text)) if HAS_YEAR.search(text) else []  # most names have none, and the search takes its time
    dates, left = number_ways([(way, mark) for way, mark, _ in found]), hidden(text, [span for *_, span in found])
    matches = word_matches(left, WITH_DAYS)
    tails = [match[1] for span in (each.end() for each in matches) if (match := re.match("[_p-]([0-9]+)", left[span:]))]
    words = number_ways([(f"the number with {match['word'].lower()}", mark_of(match)) for match in matches])
    left = hidden(left, [match.span() for match in matches])
    units = tuple(match["number"] for match in word_matches(left, WITH_UNIT))
    ending = ENDING.search(left)
    before = left[: ending.start()] if ending else left
    number = Mark(to_number(ending["number"]), ending["number"], sign_of(before, ending["gap"])) if ending else None
    others = tuple(re.findall("[0-9]+", before))
    return Name(stem, dates, words, number, others, units, next(iter(tails), ""), bool(ending and COUNTED.search(before)))


def dates_in(text: str) -> Iterator[tuple[str, Mark, tuple[int, int]]]:
    """Yields (way, mark, place) of each date, in each order of day and month that makes one, by place.

    30.06.2021 with dots has its day first; only where that makes no date is it read month first.
    """
    found: dict[tuple[int, str], tuple[str, Mark, tuple[int, int]]] = {}
    for order, pattern in DATES:
        for match in pattern.finditer(text):
            days = days_of(match)
            dotted = match.groupdict().get("sign") == "." and order == "month, day, year"
            if days is None or (dotted and (match.start(), "day, month, year") in found):
                continue
            way = f"the date{' and time' if match['hour'] else ''} ({order})"
            found.setdefault((match.start(), order), (way, Mark(days, match[0]), match.span()))
    yield from (found[key] for key in sorted(found))


def days_of(match: re.Match[str]) -> float | None:
    """Returns the days since 1970 of a date, with its time of day; None where there is no such day."""
    month = match["month"].lower()
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
    hour = int(match["hour"] or 0)
    if match["noon"]:
        hour = hour % 12 + (12 if match["noon"].strip()[0] in "pP" else 0)
    try:
        date = datetime.date(int(match["year"]), number, int(match["day"]))
    except ValueError:
        return None
    seconds = hour * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0)
    return (date - datetime.date(1970, 1, 1)).days + seconds / 86_400


def word_matches(text: str, patterns: tuple[re.Pattern[str], ...]) -> list[re.Match[str]]:
    """Returns the numbers with a word, in order: after the word, or else before it where it has none after it."""
    after, before = (list(pattern.finditer(text)) for pattern in patterns)
    taken = [match.span("word") for match in after]
    return sorted([*after, *(match for match in before if match.span("word") not in taken)], key=lambda match: match.start())


def mark_of(match: re.Match[str]) -> Mark:
    """Returns the mark of a number with a word."""
    is_after = match.start("word") == match.start()
    return Mark(to_number(match["number"]), match["number"], sign_of(match["word"], match["gap"]) if is_after else "")


def sign_of(before: str, gap: str) -> str:
    """Returns the sign of a number by what stands before it, as `Mark.sign` has it."""
    if re.search("minus|neg|\N{MINUS SIGN}", gap, re.IGNORECASE):
        return "-"
    if not gap.endswith("-"):
        return ""
    inner = (before + gap)[:-1][-1:]
    if inner in ("", "_", "=", "-") or (inner == " " and not gap.startswith(" -")):
        return "-"
    return "?" if inner.isalpha() else ""


def number_ways(marks: list[tuple[str, Mark]]) -> dict[str, Mark]:
    """Returns the marks by way; what is there twice gets a number."""
    ways: dict[str, Mark] = {}
    for way, mark in marks:
        again = sum(1 for known in ways if known == way or known.startswith(f"{way}, no. "))
        ways[f"{way}, no. {again + 1}" if again else way] = mark
    return ways


def hidden(text: str, spans: list[tuple[int, int]]) -> str:
    """Returns the text with TAKEN in the places of what has been read."""
    for start, end in spans:
        text = text[:start] + TAKEN * (end - start) + text[end:]
    return text


def to_number(digits: str) -> float:
    """Returns the number of digits with a decimal point or comma."""
    return float(digits.replace(",", "."))
