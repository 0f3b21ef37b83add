"""The geometry of charts, in SVG user units, for the page's template to draw.

The template writes every text, so that its escaping covers names that come from data; colours are CSS classes, so that one
chart serves light and dark pages.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

WIDTH, HEIGHT = 480, 340
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 30, 42
DOT_LAYERS = 6
MANY_POINTS = 1500  # above this, dots are drawn fainter


@dataclasses.dataclass(frozen=True)
class Axis:
    """A linear scale from values [low, high] to positions [start, end], with ticks at round values."""

    label: str
    low: float
    high: float
    start: float
    end: float
    step: float

    def at(self, value: float) -> float:
        """Returns the position of `value`, kept inside the axis."""
        inside = min(max(value, self.low), self.high)
        return round(self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The position and text of each tick."""
        numbers = range(math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9) + 1)
        return [(self.at(number * self.step), tick_text(number * self.step)) for number in numbers]


@dataclasses.dataclass(frozen=True)
class Path:
    """A line, an area or a cloud of dots: SVG path data, CSS classes, and a text shown on hover."""

    d: str
    css: str
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Dot:
    """One circle."""

    x: float
    y: float
    css: str
    title: str = ""
    r: float = 4


@dataclasses.dataclass(frozen=True)
class Text:
    """One line of text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    css: str = ""
    anchor: str = "start"


@dataclasses.dataclass(frozen=True)
class Key:
    """An entry of the legend: a swatch of the same CSS classes as the mark, and its name."""

    css: str
    name: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart as the template draws it: axes, then marks in order; `note` says how to read it."""

    title: str
    note: str
    x: Axis
    y: Axis
    marks: list[Path | Dot | Text]
    keys: list[Key]
    width: float = WIDTH
    height: float = HEIGHT
    y_ticks: bool = True


def tick_text(value: float) -> str:
    """Writes a number in as few digits as it has."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def x_axis(label: str, low: float, high: float, *, left: float = LEFT, right: float = RIGHT) -> Axis:
    """Returns the horizontal axis of a chart, widened to round values."""
    return axis(label, low, high, left, WIDTH - right)


def y_axis(label: str, low: float, high: float) -> Axis:
    """Returns the vertical axis of a chart, upwards, widened to round values."""
    return axis(label, low, high, HEIGHT - BOTTOM, TOP)


def axis(label: str, low: float, high: float, start: float, end: float, least_step: float = 0.0) -> Axis:
    """Returns an axis from at most `low` to at least `high` whose ends are ticks, at least `least_step` apart."""
    step = max(tick_step(low, high), least_step)
    low = math.floor(low / step + 1e-9) * step
    high = math.ceil(high / step - 1e-9) * step
    return Axis(label=label, low=low, high=high if high > low else low + step, start=start, end=end, step=step)


def tick_step(low: float, high: float, most: int = 8) -> float:
    """Returns the smallest of 1, 2, 5, 10, ... (or their tenths) that divides the range into at most `most` steps."""
    rough = max((high - low) / most, 1e-3)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def line(x: Axis, y: Axis, xs: Iterable[float], ys: Iterable[float], css: str, title: str = "") -> Path:
    """Joins the points in order; a point that is not a number breaks the line."""
    parts, pen = [], "M"
    for value_x, value_y in zip(xs, ys, strict=True):
        if not math.isfinite(value_y):
            pen = "M"
            continue
        parts.append(f"{pen}{x.at(value_x):g} {y.at(value_y):g}")
        pen = "L"
    return Path(d="".join(parts), css=f"line {css}", title=title)


def band(x: Axis, y: Axis, xs: Iterable[float], low: Iterable[float], high: Iterable[float], css: str) -> Path:
    """Fills the area between `low` and `high`."""
    edges = [(x.at(at), y.at(lower), y.at(upper)) for at, lower, upper in zip(xs, low, high, strict=True)]
    there, back = [f"{at:g} {upper:g}" for at, _, upper in edges], [f"{at:g} {lower:g}" for at, lower, _ in reversed(edges)]
    return Path(d="M" + "L".join(there + back) + "Z", css=f"band {css}")


def cloud(x: Axis, y: Axis, xs: Iterable[float], ys: Iterable[float], css: str) -> list[Path]:
    """Draws one dot per point, as zero-length strokes in a few translucent paths.

    Inside one path overlapping strokes do not darken each other; with the points dealt out to several paths, dense places
    look dense. On whole units, and without repeats inside a path, 15,000 points take about 100 KB.
    """
    points = [f"M{x.at(value_x):.0f} {y.at(value_y):.0f}h0" for value_x, value_y in zip(xs, ys, strict=True)]
    layers = [dict.fromkeys(points[start::DOT_LAYERS]) for start in range(DOT_LAYERS)]
    density = "dense" if len(points) > MANY_POINTS else "sparse"
    return [Path(d="".join(layer), css=f"dots {density} {css}") for layer in layers if layer]


def jitter(count: int) -> np.ndarray:
    """Returns `count` offsets in [-0.5, 0.5), the same ones every time, that spread whole days over their width."""
    return (np.arange(count) * 0.6180339887498949) % 1.0 - 0.5


def spaced(heights: Sequence[float], distance: float, lowest: float) -> list[float]:
    """Moves label heights apart to at least `distance`, in their order, none below `lowest` (downwards is larger)."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    moved = list(heights)
    for before, after in itertools.pairwise(order):
        moved[after] = max(moved[after], moved[before] + distance)
    overflow = max(moved, default=lowest) - lowest
    return [height - max(overflow, 0) for height in moved]
