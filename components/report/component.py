"""The KFP face of report."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("report"), install_kfp_package=False)
def report(
    images: dsl.Input[list[dsl.Dataset]],
    tables: dsl.Input[dsl.Dataset],
    submission: dsl.Input[dsl.Dataset],
    html: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    strip_pairs: int,
    folded_pairs: dsl.Input[dsl.Dataset] = None,
) -> None:
    """Shows how good a run is, in one self-contained page and one Markdown text.

    Args:
        images: the resized photos, one folder per shard.
        tables: those of photos and pairs, and what the stages that made them say of themselves.
        submission: the calibrated predictions, out of fold and of the test pairs, and what training and prediction say of
            themselves.
        html: the page, one file.
        summary: the Markdown text, one file.
        metrics: by species, what calibrate gives over all pairs: RMSE in days; and the bias in days.
        strip_pairs: Test pairs shown as photos with their predicted days.
        folded_pairs: where models of an earlier run scored new photos, that run's train pairs with their folds.
    """
    from pathlib import Path

    from components.contract.shards import joined
    from components.report.report import write_report
    from components.report.settings import ReportSettings

    record = write_report(
        images=joined([Path(part.path) for part in images]),
        tables=Path(tables.path),
        submission=Path(submission.path),
        folded_pairs=folded_pairs and Path(folded_pairs.path),
        html=Path(html.path),
        summary=Path(summary.path),
        settings=ReportSettings.of(locals()),
    )
    html.metadata.update(record["counts"])
    metrics.metadata.update(record["scores"])
