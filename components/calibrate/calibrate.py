"""Makes a run's submissions of its models' predictions: averaged, calibrated, and scored where the truth is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.calibrate.intervals import intervals_table
from components.calibrate.linear import floor_days
from components.calibrate.scores import score_test, score_validation
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, RAW, read_out_of_fold, read_photos, read_predictions
from components.calibrate.verdict import judge_test, judge_validation
from components.calibrate.ways import Skipped, apply_calibration, fit_calibration, read_calibration
from components.contract import schema
from components.contract.artifacts import atomic_write, write_json, write_record
from components.contract.records import hand_on, handed_on, read_record
from components.contract.tables.by_idx import read_labels, read_order, require_same_idx
from components.contract.tables.cells import guarded
from components.contract.tables.stage_tables import read_table, require_table
from components.contract.verdict import VERDICT
from components.contract.verified import read_bytes


def calibrate(
    *,
    catalog: Path,
    predictions: Sequence[Path],
    submission: Path,
    settings: CalibrateSettings,
    out_of_fold: Sequence[Path] | None = None,
    histories: Sequence[Path] | None = None,
    calibrated: Path | None = None,
) -> dict[str, Any]:
    """Writes both submissions, the calibration, the scores, all that the report shows of the models and, last, stage.json.

    The submission and the out-of-fold pairs are treated alike: the raw days are floored, calibrated, floored again. With
    `calibrated` nothing is fitted: calibration, out-of-fold pairs and their scores are an earlier run's.

    Args:
        catalog: test_data.csv; sample_submission.csv and test_labels.csv where the dataset has them.
        predictions: one folder per model; their mean is the raw prediction.
        settings: the way to calibrate; with `calibrated` those of the earlier run.
        out_of_fold: one folder per model, each of another fold.
        histories: of their trainings, which are handed on as they are.
        calibrated: in its place, the folder that calibrate wrote in the run that trained the models.

    Returns:
        The stage's record.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: tables or lists that do not fit together, a prediction that is not finite, or both or neither of
            `out_of_fold` and `calibrated`.
    """
    if (out_of_fold is None) == (calibrated is None):
        raise ValueError(f"out_of_fold={out_of_fold}, calibrated={calibrated}: expected one of them, to fit on or to apply.")
    require_same_length(predictions=predictions, out_of_fold=out_of_fold, histories=histories)
    more = schema.PHOTO_IDS if settings.cadence_days else ()
    test, photos = in_submission_order(read_predictions(predictions, more), *read_order(catalog)), read_photos(predictions)
    counts = {"models": len(predictions), "test_pairs": len(test)}
    floored = floor(test, "test")
    submission.mkdir(parents=True, exist_ok=True)
    out_of_fold_csv, skipped = submission / schema.OUT_OF_FOLD_CALIBRATED_CSV, Skipped()
    if calibrated is None:
        validation = read_out_of_fold(out_of_fold or [], more)
        counts["out_of_fold_pairs"] = len(validation)
        floored |= floor(validation, "out_of_fold")
        calibration, skipped = fit_calibration(validation, read_photos(out_of_fold or []), catalog, settings)
        scores, found = score_validation(validation), judge_validation(validation, floored["out_of_fold_days_floored"])
        write_table(out_of_fold_csv, validation)
        trained = [read_record(folder, "train") for folder in out_of_fold or []]
        for number, folder in enumerate(histories or []):
            copy_table(folder / schema.HISTORY_CSV, submission / schema.HISTORY_OF_MODEL.format(number))
    else:
        calibration, scores, found = read_calibration(calibrated)
        copy_table(calibrated / out_of_fold_csv.name, out_of_fold_csv)
        trained = handed_on(calibrated, ["train"], len(predictions))
        validation = read_table(out_of_fold_csv, ("pair_id", "time_delta_days"))
    calibration, left = apply_calibration(test, photos, catalog, calibration)
    if "intervals" in calibration:
        write_table(submission / schema.INTERVALS_CSV, intervals_table(test, photos, calibration["intervals"]))
    labels, oracle = (read_labels(catalog, test["idx"], name) for name in (schema.TEST_LABELS_CSV, schema.TEST_ORACLE_CSV))
    found += judge_test(test, floored["test_days_floored"], float(validation["time_delta_days"].std()), labels)
    metrics = scores | score_test(test, labels, oracle) | ({VERDICT: found} if found else {})
    for name, column in ((schema.SUBMISSION_RAW_CSV, RAW), (schema.SUBMISSION_CALIBRATED_CSV, CALIBRATED)):
        write_table(submission / name, test[["idx", column]].set_axis(list(schema.SUBMISSION_COLUMNS), axis=1))
    known = {} if labels is None else {schema.TRUE_DAYS: labels}
    write_table(submission / schema.TEST_CALIBRATED_CSV, test[list(schema.TEST_CALIBRATED_COLUMNS)].assign(**known))
    hand_on(submission, [*trained, *(read_record(folder, "predict") for folder in predictions)])
    write_json(submission / schema.CALIBRATION_JSON, calibration)
    write_json(submission / schema.METRICS_JSON, metrics)
    return write_record(submission, "calibrate", settings, counts | floored, skipped + left)


def require_same_length(**lists: Sequence[Path] | None) -> None:
    """Raises ValueError where those lists that there are differ in length."""
    lengths = {name: len(found) for name, found in lists.items() if found is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected as many {', '.join(lengths)}, one of each per model; got {lengths}.")


def floor(table: pd.DataFrame, name: str) -> dict[str, int]:
    """Floors the raw days of a table; returns how many were, as a count of the record."""
    count = int((table[RAW] <= 0).sum())
    table[RAW] = floor_days(table[RAW].to_numpy())
    return {f"{name}_days_floored": count}


def in_submission_order(test: pd.DataFrame, order: pd.Series, source: Path) -> pd.DataFrame:
    """Returns the predictions in the order of `order`, the idx of a submission.

    Raises:
        ValueError: an idx of `source` has no prediction, or a prediction has no idx there.
    """
    require_same_idx(order, test["idx"], source, missing="has no prediction")
    return test.set_index("idx").loc[order.to_numpy()].reset_index()


def copy_table(source: Path, target: Path) -> None:
    """Copies a table as it is, whole."""
    content = read_bytes(require_table(source))
    with atomic_write(target) as partial:
        partial.write_bytes(content)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a CSV, whole, with floats in the fewest digits that read back exactly."""
    with atomic_write(path) as partial:
        guarded(table).to_csv(partial, index=False)
