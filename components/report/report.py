"""Writes report.html and summary.md, whole or not at all."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from components.contract.artifacts import atomic_write, file_digest
from components.contract.photos import Photos
from components.report.page import page_of, render_html, render_summary
from components.report.read import read_run
from components.report.scores import detailed_scores
from components.report.settings import ReportSettings
from components.report.strip import cards, largest_errors, spread_pairs
from components.report.track import track

LARGEST_ERRORS = 6


def write_report(
    *,
    images: Path,
    tables: Path,
    submission: Path,
    html: Path,
    summary: Path,
    settings: ReportSettings,
    folded_pairs: Path | None = None,
) -> dict[str, Any]:
    """Writes the page and the summary of one run, and tells an MLflow server of it where the environment names one.

    See README.md for what is read from each folder. Returns the stage's record.

    Args:
        tables: the folder of write_tfrecords that holds no photos.
        submission: folder of calibrate; test scores are shown if it knows the true days.
        html, summary: the files that become the page and the Markdown text.
        folded_pairs: folder of split_folds in the run whose models scored new photos; what would show that run's photos or its
            training is left out. None where `tables` has the train pairs.

    Raises:
        FileNotFoundError: a table or a photo is missing.
        ValueError: a table lacks a column or a row, or the artifacts belong to different runs.
    """
    run = read_run(tables=tables, submission=submission, folded_pairs=folded_pairs)
    shown = spread_pairs(run.test, settings.strip_pairs)
    errors = largest_errors(run.validation, 0 if run.is_score else LARGEST_ERRORS)
    bar = tqdm(total=len(shown) + len(errors), desc="report", unit="pair", file=sys.stdout, mininterval=2, ncols=90)
    with Photos(images) as photos, bar:
        strip, worst = (cards(chosen, run.images, photos, bar.update) for chosen in (shown, errors))
    page = page_of(run)
    written = {html: render_html(run, page, strip, worst), summary: render_summary(run, page)}
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    track(run, page, settings, written[html], written[summary], submission)
    skipped = [] if run.has_test_labels else [{"what": "test scores", "why": "the dataset has no test_labels.csv"}]
    skipped += [
        {"what": f"validation curve of fold {fold}", "why": "history.csv has no val_rmse_days"}
        for fold, history in run.histories
        if "val_rmse_days" not in history
    ]
    return {
        "stage": "report",
        "settings": dataclasses.asdict(settings),
        "counts": {
            "strip_pairs": len(strip),
            "largest_errors": len(worst),
            "html_bytes": html.stat().st_size,
            "html_sha256": file_digest(html),  # nothing can lie beside an artifact that is one file
            "summary_sha256": file_digest(summary),
        },
        "scores": detailed_scores([page.validation, *([page.test] if page.test else [])]),
        "skipped": skipped,
    }
