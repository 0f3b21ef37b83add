"""The KFP face of report."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("report"), install_kfp_package=False)
def report(
    catalog: dsl.Input[dsl.Dataset],
    images: dsl.Input[list[dsl.Dataset]],
    pairs: dsl.Input[dsl.Dataset],
    folded_pairs: dsl.Input[dsl.Dataset],
    examples: dsl.Input[dsl.Dataset],
    models: dsl.Input[list[dsl.Model]],
    predictions: dsl.Input[list[dsl.Dataset]],
    submission: dsl.Input[dsl.Dataset],
    html: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    strip_pairs: int,
    histories: dsl.Input[list[dsl.Dataset]] = None,
) -> None:
    """Shows how good a run is, in one self-contained page and one Markdown text.

    Args:
        catalog: the table of photos; with test_labels.csv, test scores are shown as well.
        images: the resized photos, one folder per shard.
        pairs: the test pairs.
        folded_pairs: the train pairs with their folds.
        examples: the TFRecords, of which only the stage's record is read.
        models: one trained model per fold, of which only the stage's record is read.
        predictions: one set of test predictions per fold, in the order of the models.
        submission: the submissions, the calibrated out-of-fold predictions and the calibration.
        html: the page, one file.
        summary: the Markdown text, one file.
        metrics: by species, what calibrate gives over all pairs: RMSE in days; and the bias in days.
        strip_pairs: Test pairs shown as photos with their predicted days.
        histories: one training history per fold, in the order of the models; none where models of an earlier run scored new
            photos. Then folded_pairs, models and validation figures are that run's.
    """
    from pathlib import Path

    from components.contract.shards import joined
    from components.report.report import write_report
    from components.report.settings import ReportSettings

    record = write_report(
        catalog=Path(catalog.path),
        images=joined([Path(part.path) for part in images]),
        pairs=Path(pairs.path),
        folded_pairs=Path(folded_pairs.path),
        examples=Path(examples.path),
        models=[Path(model.path) for model in models],
        histories=histories and [Path(history.path) for history in histories],
        predictions=[Path(prediction.path) for prediction in predictions],
        submission=Path(submission.path),
        html=Path(html.path),
        summary=Path(summary.path),
        settings=ReportSettings.of(locals()),
    )
    html.metadata.update(record["counts"])
    metrics.metadata.update(record["scores"])
