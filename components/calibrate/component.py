"""The KFP face of calibrate: the predictions of all models in, the submissions and the scores out."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("calibrate"), install_kfp_package=False)
def calibrate(
    catalog: dsl.Input[dsl.Dataset],
    predictions: dsl.Input[list[dsl.Dataset]],
    out_of_fold: dsl.Input[list[dsl.Dataset]],
    submission: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    calibration: str,
    calibration_rules: list,
) -> None:
    """Averages the models' predictions, calibrates them and scores both.

    Args:
        catalog: test_data.csv, and sample_submission.csv and test_labels.csv where there are any.
        predictions: one folder per model.
        out_of_fold: one folder per model.
        submission: both submissions, calibration.json, metrics.json, out_of_fold_calibrated.csv.
        metrics: RMSE in days.
        calibration: none, rules or fit.
        calibration_rules: ordered factors by species or series.
    """
    import json
    from pathlib import Path

    from components.calibrate import calibrate as stage
    from components.calibrate.settings import CalibrateSettings
    from components.contract import schema

    record = stage.calibrate(
        catalog=Path(catalog.path),
        predictions=[Path(folder.path) for folder in predictions],
        out_of_fold=[Path(folder.path) for folder in out_of_fold],
        submission=Path(submission.path),
        settings=CalibrateSettings.of(locals()),
    )
    submission.metadata.update(record["counts"])
    metrics.metadata.update(json.loads((Path(submission.path) / schema.METRICS_JSON).read_text(encoding="utf-8")))
