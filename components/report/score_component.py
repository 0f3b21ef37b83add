"""KFP face of report for new photos: their artifacts and the training run's go in; one HTML page and a summary come out."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("report"), install_kfp_package=False)
def report(
    catalog: dsl.Input[dsl.Dataset],
    images: dsl.Input[list[dsl.Dataset]],
    pairs: dsl.Input[dsl.Dataset],
    folded_pairs: dsl.Input[dsl.Dataset],
    examples: dsl.Input[list[dsl.Dataset]],
    models: dsl.Input[list[dsl.Model]],
    predictions: dsl.Input[list[dsl.Dataset]],
    submission: dsl.Input[dsl.Dataset],
    html: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    strip_pairs: int,
) -> None:
    """Shows what the models say about the new photos, in one self-contained page and one Markdown text.

    Args:
        catalog: the table of photos; with test_labels.csv, test scores are shown as well.
        images: the resized photos, one folder per shard.
        pairs: the test pairs.
        folded_pairs: the train pairs of the run that trained the models.
        examples: the TFRecords, one folder per shard, of which only the stage's record is read.
        models: one trained model per fold, of which only the stage's record is read.
        predictions: one set of predictions per fold, in the order of the models.
        submission: the submissions, and the calibration and out-of-fold predictions of the run that trained the models.
        html: the page, one file.
        summary: the Markdown text, one file.
        strip_pairs: Test pairs shown as photos with their predicted days.
    """
    from pathlib import Path

    from components.contract.examples import join_examples
    from components.contract.shards import joined
    from components.report.report import write_report
    from components.report.settings import ReportSettings

    record = write_report(
        catalog=Path(catalog.path),
        images=joined([Path(part.path) for part in images]),
        pairs=Path(pairs.path),
        folded_pairs=Path(folded_pairs.path),
        examples=join_examples([Path(part.path) for part in examples]),
        models=[Path(model.path) for model in models],
        histories=None,
        predictions=[Path(prediction.path) for prediction in predictions],
        submission=Path(submission.path),
        html=Path(html.path),
        summary=Path(summary.path),
        settings=ReportSettings.of(locals()),
    )
    html.metadata.update(record["counts"])
