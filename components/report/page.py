"""Renders the HTML page and the Markdown summary of a run, with every text escaped."""

import dataclasses
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from components.contract import schema
from components.contract.shown import one_line
from components.contract.verdict import sentences
from components.report.charts import plots
from components.report.charts.geometry import Chart, tick_text
from components.report.charts.photo_days import photo_days
from components.report.charts.training import training_curve
from components.report.facts import DataRow, FoldRow, SeriesRow, calibration_lines, data_rows, fold_row, photo_lines, series_rows
from components.report.read import Run
from components.report.records import Remark, Stage, remarks, what_ran
from components.report.scores import ScoreTable, fold_note, score_table, verdict
from components.report.strip import Card
from components.report.sureness import SureRow, sure_lines, sure_rows

NUM_COLOURS = 4  # in style.css; further species use them again
MINUS = "\N{MINUS SIGN}"


@dataclasses.dataclass(frozen=True)
class Page:
    """Everything that both texts show, apart from charts and photos."""

    verdict: str
    findings: list[str]
    validation: ScoreTable
    test: ScoreTable | None
    data: list[DataRow]
    series: list[SeriesRow]
    more_series: int
    photo_lines: list[str]
    folds: list[FoldRow]
    num_models: int
    num_folds: int
    calibration: str
    calibration_lines: list[str]
    sure: list[SureRow]
    sure_lines: list[str]
    stages: list[Stage]
    skipped: list[Remark]
    noticed: list[Remark]
    colours: dict[str, str]
    photo_aspect: float


def page_of(run: Run) -> Page:
    """Works out the figures and sentences of the page."""
    series = run.validation["series"].nunique()
    note = fold_note(sorted(set(run.validation["fold"])), run.num_folds, len(run.validation), series)
    validation = score_table("Validation", note, run.validation)
    test = None
    if run.has_test_labels:
        note = f"Test: {len(run.test):,} labelled pairs of {run.test['series'].nunique()} series, never trained or calibrated on."
        test = score_table("Test", note, run.test)
    series_shown, more_series = series_rows(run)
    species = sorted({*run.images["species"], *run.validation["species"], *run.test["species"]})
    mode = next((str(record["settings"].get("calibration", "")) for record in run.records if record["stage"] == "calibrate"), "")
    return Page(
        verdict=verdict(validation.overall, test.overall if test else None, run.findings),
        findings=sentences(run.findings),
        validation=validation,
        test=test,
        data=data_rows(run),
        series=series_shown,
        more_series=more_series,
        photo_lines=photo_lines(run),
        folds=[fold_row(fold, history) for fold, history in run.histories],
        num_models=len(run.folds),
        num_folds=run.num_folds,
        calibration=mode or "unknown",
        calibration_lines=calibration_lines(run.calibration),
        sure=[] if run.intervals is None else sure_rows(run.intervals, run.test.get(schema.TRUE_DAYS)),
        sure_lines=sure_lines(run.calibration),
        stages=what_ran(run.records, run.folds),
        skipped=remarks(run.records, "skipped"),
        noticed=remarks(run.records, "noticed"),
        colours={name: f"species-{number % NUM_COLOURS}" for number, name in enumerate(species)},
        photo_aspect=photo_aspect(run.records),
    )


def photo_aspect(records: list[dict[str, Any]]) -> float:
    """Returns width / height of the raw photos (of the first one): stored ones are square, whatever the camera's shape."""
    counts = next(record["counts"] for record in records if record["stage"] == "resize_images")
    return counts.get("first_photo_width", 1) / counts.get("first_photo_height", 1)


def charts_of(run: Run, page: Page) -> dict[str, list[Chart]]:
    """Draws the charts of each section; a section without any is empty."""
    labelled = [("Validation", run.validation), *([("Test", run.test)] if run.has_test_labels else [])]
    colours = page.colours
    by_species = [
        (f"{title}, {name}", pairs[pairs["species"] == name], colours[name])
        for title, pairs in labelled
        for name in plots.species_shown(pairs, colours)
    ]
    predicted = [plots.predicted_against_true(*one) for one in by_species]
    if not run.has_test_labels:
        predicted.append(plots.predicted_days(run.test, colours))
    training = training_curve(run.histories, page.validation.overall.baseline)
    return {
        "predicted": predicted,
        "error": [plots.error_against_true(title, pairs, colours) for title, pairs in labelled],
        "series": [plots.series_errors(title, pairs, colours, run.is_calibrated) for title, pairs in labelled],
        "calibration": [plots.calibration_curve(title, pairs) for title, pairs, _ in by_species] if run.is_calibrated else [],
        "training": [training] if training else [],
        "days": [photo_days(page.series, colours)] if page.series else [],
    }


def render_html(run: Run, page: Page, strip: Sequence[Card], worst: Sequence[Card]) -> str:
    """Returns the page: one text that needs nothing else to be shown."""
    longest = max([1.0, *(day for card in (*strip, *worst) for day in (card.calibrated, card.true or 0))])
    return template("report.html.jinja", autoescape=True).render(
        run=run, page=page, charts=charts_of(run, page), strip=strip, worst=worst, longest=longest,
    )  # fmt: skip


def render_summary(run: Run, page: Page) -> str:
    """Returns the Markdown text."""
    # autoescape is made for HTML; `finalize` escapes every value for Markdown
    return template("summary.jinja", autoescape=False, finalize=as_markdown).render(run=run, page=page)


def template(name: str, **options: Any) -> jinja2.Template:
    """Returns a template of this folder."""
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=folder, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options
    )
    environment.filters.update(days=days, signed=signed, clock=clock, day=tick_text)
    return environment.get_template(name)


def as_markdown(value: object) -> str:
    """Escapes a value for a Markdown text or table cell: HTML, and the signs that Markdown reads as markup, line breaks too."""
    text = html.escape(one_line(" ".join(str(value).split())), quote=False)
    return re.sub(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)  # between letters or digits, _ is no markup


def days(value: float, digits: int = 1) -> str:
    """Writes a number of days."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 1) -> str:
    """Writes a difference of days, with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def clock(seconds: float) -> str:
    """Writes a time as 7 s, 3 min 20 s or 1 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
