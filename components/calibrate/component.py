"""The KFP face of calibrate."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("calibrate"), install_kfp_package=False)
def calibrate(
    catalog: dsl.Input[dsl.Dataset],
    predictions: dsl.Input[list[dsl.Dataset]],
    submission: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    calibration: str,
    calibration_rules: list,
    cadence_days: float,
    interval_coverage: float,
    out_of_fold: dsl.Input[list[dsl.Dataset]] = None,
    histories: dsl.Input[list[dsl.Dataset]] = None,
    calibrated: dsl.Input[dsl.Dataset] = None,
) -> None:
    """Averages the models' predictions, calibrates them and scores both.

    Of `out_of_fold` and `calibrated` one is given: what to fit the calibration on, or an earlier run's to apply.

    Args:
        catalog: test_data.csv, and sample_submission.csv, test_labels.csv and few_labels.csv where there are any.
        predictions: one folder per model.
        submission: both submissions, calibration.json, metrics.json, and what else the report shows of the models.
        metrics: RMSE in days, and what is wrong with a model that learned nothing.
        calibration: none, rules or fit.
        calibration_rules: ordered factors by species or series.
        cadence_days: days between a series' photos where they are regular.
        interval_coverage: share of pairs that intervals are to hold.
        out_of_fold: one folder per model.
        histories: one folder per model, given with `out_of_fold`.
        calibrated: the submission of the run that trained the models: its calibration and its out-of-fold pairs.
    """
    from pathlib import Path

    from components.calibrate.calibrate import calibrate
    from components.calibrate.scores import metadata_of
    from components.calibrate.settings import CalibrateSettings

    record = calibrate(
        catalog=Path(catalog.path),
        predictions=[Path(folder.path) for folder in predictions],
        out_of_fold=out_of_fold and [Path(folder.path) for folder in out_of_fold],
        histories=histories and [Path(folder.path) for folder in histories],
        calibrated=calibrated and Path(calibrated.path),
        submission=Path(submission.path),
        settings=CalibrateSettings.of(locals()),
    )
    submission.metadata.update(record["counts"])
    metrics.metadata.update(metadata_of(Path(submission.path)))
