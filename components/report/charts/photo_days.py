"""Draws when the photos of each train series were taken, so that days that were read wrongly stand out."""

from collections.abc import Mapping, Sequence

from components.report.charts.geometry import Axis, Chart, Dot, Key, Path, Text, tick_text, x_axis
from components.report.charts.plots import ROW, shortened
from components.report.facts import SeriesRow


def photo_days(rows: Sequence[SeriesRow], colours: Mapping[str, str]) -> Chart:
    """One row per series, one dot per photo; a line joins the two photos in a row that lie farthest apart."""
    left = 14 + 7.2 * min(max(len(row.series) for row in rows), 16)
    x = x_axis("day", min(row.days[0] for row in rows), max(row.days[-1] for row in rows), left=left)
    y = Axis(label="", low=0, high=len(rows), start=8, end=8 + ROW * len(rows), step=1)
    marks: list[Path | Dot | Text] = []
    for number, row in enumerate(rows):
        at = y.at(number + 0.5)
        title = f"{row.series}: {len(row.days):,} photos, days {tick_text(row.days[0])} to {tick_text(row.days[-1])}"
        marks.append(Text(left - 10, at + 4, shortened(row.series), f"series {colours[row.species]}", "end"))
        before, after = row.longest_gap
        gap = f"{title}; the longest gap is {tick_text(row.gap_days)} days, from day {tick_text(before)} to {tick_text(after)}"
        marks.append(Path(f"M{x.at(before):g} {at:g}H{x.at(after):g}", "line stem", gap))
        dots = dict.fromkeys(f"M{x.at(day):g} {at:g}h0" for day in row.days)
        marks.append(Path("".join(dots), f"dots photos {colours[row.species]}", title))
    species = dict.fromkeys(row.species for row in rows)
    keys = [*(Key(f"dot {colours[name]}", name) for name in species), Key("line stem", "longest gap")]
    return Chart(
        title="Photos over days", note="", x=x, y=y, marks=marks, keys=keys, height=ROW * len(rows) + 52.0, y_ticks=False
    )
