"""KFP face of calibrate for new photos: the models' predictions and an earlier calibration in, the submissions out."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("calibrate"), install_kfp_package=False)
def calibrate(
    catalog: dsl.Input[dsl.Dataset],
    predictions: dsl.Input[list[dsl.Dataset]],
    calibrated: dsl.Input[dsl.Dataset],
    submission: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Averages the models' predictions and calibrates them as the run that trained the models did.

    Args:
        catalog: test_data.csv, and sample_submission.csv and test_labels.csv where there are any.
        predictions: one folder per model.
        calibrated: the submission of the run that trained the models: calibration.json and the out-of-fold pairs.
        submission: both submissions, calibration.json, metrics.json, out_of_fold_calibrated.csv.
        metrics: RMSE in days.
    """
    import json
    from pathlib import Path

    from components.calibrate.apply import apply_calibration
    from components.contract import schema

    record = apply_calibration(
        catalog=Path(catalog.path),
        predictions=[Path(folder.path) for folder in predictions],
        calibrated=Path(calibrated.path),
        submission=Path(submission.path),
    )
    submission.metadata.update(record["counts"])
    metrics.metadata.update(json.loads((Path(submission.path) / schema.METRICS_JSON).read_text(encoding="utf-8")))
