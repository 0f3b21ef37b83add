"""Draws the charts of the page from tables of pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from components.report.charts.geometry import WIDTH, Axis, Chart, Dot, Key, Path, Text, band, cloud, jitter, line, x_axis, y_axis
from components.report.scores import Score, score_by

BINS = 12
HISTOGRAM_BINS = 15
BIN_PAIRS = 5  # below this, a quantile says little
ROW = 22  # height of one series in the chart of series


def predicted_against_true(title: str, pairs: pd.DataFrame, css: str) -> Chart:
    """One dot per pair and a line through the medians; on the diagonal, the prediction is right."""
    high = float(max(pairs["true_days"].max(), pairs["calibrated_days"].quantile(0.999), 1))
    x, y = x_axis("true days", 0, high), y_axis("predicted days", 0, high)
    marks: list[Path | Dot | Text] = [line(x, y, [0, x.high], [0, x.high], "reference")]
    marks += cloud(x, y, pairs["true_days"] + 0.8 * jitter(len(pairs)), pairs["calibrated_days"], css)
    middle = binned(pairs, "true_days", "calibrated_days")
    marks += [line(x, y, middle["x"], middle["median"], css, "median") for css in ("halo", "ink")]
    return Chart(title=title, note="", x=x, y=y, marks=marks, keys=[Key(f"dot {css}", "one pair"), Key("line ink", "median")])


def error_against_true(title: str, pairs: pd.DataFrame, colours: Mapping[str, str]) -> Chart:
    """The median error and the band that holds 80 % of the pairs, over the true delta."""
    error = pairs["calibrated_days"] - pairs["true_days"]
    found = {
        name: binned(pairs.assign(error=error)[pairs["species"] == name], "true_days", "error")
        for name in species_shown(pairs, colours)
    }
    size = max(1.0, *(float(np.abs(group[["low", "high"]].to_numpy()).max()) for group in found.values()))
    x, y = x_axis("true days", 0, float(max(pairs["true_days"].max(), 1))), y_axis("predicted minus true days", -size, size)
    marks: list[Path | Dot | Text] = [line(x, y, [x.low, x.high], [0, 0], "reference")]
    marks += [band(x, y, group["x"], group["low"], group["high"], colours[name]) for name, group in found.items()]
    marks += [line(x, y, group["x"], group["median"], colours[name], f"median, {name}") for name, group in found.items()]
    return Chart(title=title, note="", x=x, y=y, marks=marks, keys=species_keys(list(found), colours))


def calibration_curve(title: str, pairs: pd.DataFrame) -> Chart:
    """The mean error over the predicted days, before and after calibration; a calibrated model stays on the zero line."""
    found = {name: mean_errors(pairs, f"{name}_days") for name in ("raw", "calibrated")}
    size = max(1.0, *(float(group["mean"].abs().max()) for group in found.values()))
    high = max(1.0, *(float(group["x"].max()) for group in found.values()))
    x, y = x_axis("predicted days", 0, high), y_axis("predicted minus true days, mean", -size, size)
    marks: list[Path | Dot | Text] = [line(x, y, [x.low, x.high], [0, 0], "reference")]
    for name, group in found.items():
        marks.append(line(x, y, group["x"], group["mean"], name, name))
        marks += [
            Dot(x.at(at), y.at(error), name, f"{name}: around {at:.1f} predicted days, off by {error:+.2f} on average")
            for at, error in zip(group["x"], group["mean"], strict=True)
        ]
    return Chart(title=title, note="", x=x, y=y, marks=marks, keys=[Key("dot raw", "raw"), Key("dot calibrated", "calibrated")])


def mean_errors(pairs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Returns the mean of `column` minus the true days over bins of `column`, as `binned` does."""
    return binned(pairs.assign(error=pairs[column] - pairs["true_days"]), column, "error")


def series_errors(title: str, pairs: pd.DataFrame, colours: Mapping[str, str], is_calibrated: bool) -> Chart:
    """RMSE of each series, before and after calibration; species together, largest error first."""
    rows: list[tuple[str, Score]] = []
    for name in species_shown(pairs, colours):
        of_species = score_by(pairs[pairs["species"] == name], "series")
        rows += [(name, found) for found in sorted(of_species, key=lambda one: (-one.calibrated, one.group))]
    left = 14 + 7.2 * min(max(len(found.group) for _, found in rows), 16)
    x = x_axis("RMSE in days", 0, max(max(found.raw, found.calibrated) for _, found in rows), left=left, right=48)
    height = ROW * len(rows) + 52.0
    y = Axis(label="", low=0, high=len(rows), start=8, end=8 + ROW * len(rows), step=1)
    marks: list[Path | Dot | Text] = []
    for number, (name, found) in enumerate(rows):
        at = y.at(number + 0.5)
        title_text = f"{found.group}: raw {found.raw:.2f}, calibrated {found.calibrated:.2f} days, {found.pairs:,} pairs"
        marks.append(Text(left - 10, at + 4, shortened(found.group), f"series {colours[name]}", "end"))
        if is_calibrated:
            marks.append(Path(f"M{x.at(found.raw):g} {at:g}H{x.at(found.calibrated):g}", "line stem", title_text))
            marks.append(Dot(x.at(found.raw), at, "raw", title_text, 4.5))
        marks.append(Dot(x.at(found.calibrated), at, "calibrated", title_text, 4.5))
        marks.append(Text(WIDTH - 4, at + 4, f"{found.calibrated:.1f}", "value", "end"))
    keys = [Key("dot raw", "raw"), Key("dot calibrated", "calibrated")] if is_calibrated else [Key("dot calibrated", "predicted")]
    return Chart(title=title, note="", x=x, y=y, marks=marks, keys=keys, height=height, y_ticks=False)


def predicted_days(pairs: pd.DataFrame, colours: Mapping[str, str]) -> Chart:
    """How often each number of days is predicted, by species: all that can be seen of test pairs without labels."""
    x = x_axis("predicted days", 0, max(1.0, float(pairs["calibrated_days"].quantile(0.999))))
    edges = np.linspace(0, x.high, HISTOGRAM_BINS + 1)
    shown = species_shown(pairs, colours)
    counts = {
        name: np.histogram(pairs.loc[pairs["species"] == name, "calibrated_days"].clip(upper=edges[-1]), edges)[0]
        for name in shown
    }
    y = y_axis("test pairs", 0, float(max(1, *(found.max() for found in counts.values()))))
    centres = list((edges[:-1] + edges[1:]) / 2)
    marks: list[Path | Dot | Text] = [
        band(x, y, centres, [0] * len(centres), list(counts[name]), colours[name]) for name in shown
    ]
    marks += [line(x, y, centres, list(counts[name]), colours[name], name) for name in shown]
    note = "The dataset has no test labels: this is what the model says, not how right it is."
    return Chart(title="Test, predicted days", note=note, x=x, y=y, marks=marks, keys=species_keys(shown, colours))


def binned(pairs: pd.DataFrame, by: str, of: str) -> pd.DataFrame:
    """Divides `pairs` into at most BINS bins of equal width by `by`; a bin with a few pairs only is left out.

    Returns:
        One row per bin, in order: x (mean of `by`); mean, median, low and high (10 % and 90 % quantiles) of `of`.
    """
    group = pd.cut(pairs[by], BINS, labels=False) if pairs[by].nunique() > BINS else pairs[by]
    size = pairs.groupby(group)[by].transform("size")
    enough = size >= min(BIN_PAIRS, size.max())
    found = pairs[enough].groupby(group[enough])[of]
    return pd.DataFrame(
        {
            "x": pairs[enough].groupby(group[enough])[by].mean(),
            "mean": found.mean(),
            "median": found.median(),
            "low": found.quantile(0.1),
            "high": found.quantile(0.9),
        }
    )


def species_shown(pairs: pd.DataFrame, colours: Mapping[str, str]) -> list[str]:
    """Lists the species that `pairs` holds, in the page's order."""
    present = set(pairs["species"])
    return [name for name in colours if name in present]


def species_keys(names: Sequence[str], colours: Mapping[str, str]) -> list[Key]:
    """Returns the legend of species."""
    return [Key(f"dot {colours[name]}", name) for name in names]


def shortened(name: str, most: int = 16) -> str:
    """Cuts a long series name so that it fits beside its row."""
    return name if len(name) <= most else name[: most - 1] + "…"
