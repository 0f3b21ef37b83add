"""Reads the tables of a run, joined and checked, as one `Run`.

Every table has one row per pair and the columns species, series, before_image_id, after_image_id, baseline_days, raw_days,
calibrated_days and, where the truth is known, true_days; all in days, float64.
"""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract import schema, verified
from components.contract.naming import naming
from components.contract.records import handed_on, read_record
from components.contract.tables.stage_tables import columns_of, read_images, read_table
from components.contract.verdict import VERDICT, Finding
from components.contract.verified import is_there, read_bytes
from components.report.records import FOLD_STAGES


@dataclasses.dataclass(frozen=True)
class Run:
    """All that the page is made of, apart from the photos."""

    records: list[dict[str, Any]]  # stage.json of every stage, in data order; one per fold for train and predict
    folds: list[int]  # the fold held out by each model, in the order of the models
    num_folds: int  # folds that the train series are divided into
    images: pd.DataFrame  # the catalog's rows
    train_pairs: pd.DataFrame  # every train pair, whatever fold
    validation: pd.DataFrame  # the out-of-fold pairs, with `fold`
    test: pd.DataFrame  # the test pairs, with `idx`, and with the `lowest_days` and `highest_days` of the models
    has_test_labels: bool  # whether `test` has true_days
    histories: list[tuple[int, pd.DataFrame]]  # (fold, a row per epoch) of each model; none where an earlier run's models scored
    calibration: dict[str, Any]  # what calibrate did, as it wrote it down
    findings: list[Finding]  # what it found wrong with a model that learned nothing
    intervals: pd.DataFrame | None  # of the test pairs, in their order; None of a calibration that an earlier version made

    @property
    def is_score(self) -> bool:
        """Whether models of an earlier run scored new photos; folds and validation are that run's, whose photos are not here."""
        return not self.histories

    @property
    def is_calibrated(self) -> bool:
        """Whether calibration changed any prediction."""
        return any(bool((frame["raw_days"] != frame["calibrated_days"]).any()) for frame in (self.validation, self.test))


def read_run(*, tables: Path, submission: Path, folded_pairs: Path | None) -> Run:
    """Reads and joins the tables of a run; `folded_pairs` are an earlier run's where its models scored new photos.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a table lacks a column, a row or a number.
    """
    require_of_this_version(submission)
    data_stages = ["resize_images", "generate_pairs", *(["split_folds"] if folded_pairs is None else [])]
    of_models = handed_on(submission, FOLD_STAGES)
    records = [
        *handed_on(tables, data_stages),
        *([] if folded_pairs is None else [read_record(folded_pairs, "split_folds")]),
        read_record(tables, "write_tfrecords"),
        *of_models,
        read_record(submission, "calibrate"),
    ]
    trained = [record for record in of_models if record["stage"] == "train"]
    folds = [int(record["settings"].get("fold", position)) for position, record in enumerate(trained)]
    train_pairs = read_table((folded_pairs or tables) / schema.TRAIN_PAIRS_CSV, schema.FOLDED_PAIRS_COLUMNS)
    baseline = float(train_pairs["time_delta_days"].mean())
    test = read_test(tables, submission)
    calibration, metrics = (read_json(submission / name) for name in (schema.CALIBRATION_JSON, schema.METRICS_JSON))
    histories = [] if folded_pairs else [read_history(submission, position) for position in range(len(folds))]
    return Run(
        records=records,
        folds=folds,
        num_folds=train_pairs["fold"].nunique(),
        images=read_images(tables),
        train_pairs=train_pairs,
        validation=read_validation(submission, train_pairs),
        test=test.assign(baseline_days=baseline),
        has_test_labels=schema.TRUE_DAYS in test,
        histories=list(zip(folds, histories, strict=not folded_pairs)),
        calibration=calibration,
        findings=metrics.get(VERDICT, []),
        intervals=read_intervals(submission, test["idx"]),
    )


def read_intervals(submission: Path, idx: pd.Series) -> pd.DataFrame | None:
    """Returns the intervals of the test pairs `idx`, in their order, or None where there are none."""
    path = submission / schema.INTERVALS_CSV
    if not is_there(path):
        return None
    return read_table(path, schema.INTERVALS_COLUMNS).set_index("idx").loc[idx.to_numpy()].reset_index()


def require_of_this_version(submission: Path) -> None:
    """Raises FileNotFoundError where calibrate, in an earlier version, did not hand on what is known of the models."""
    if not is_there(path := submission / schema.RECORDS_JSON):
        raise FileNotFoundError(
            f"{path}: missing. Expected what calibrate hands on of training and prediction, which earlier versions did not. "
            "Run it again, which trains nothing: python pipeline.py rerun RUN calibrate --downstream"
        )


def read_validation(submission: Path, train_pairs: pd.DataFrame) -> pd.DataFrame:
    """Returns the out-of-fold pairs with their photos. Raises ValueError: there is none, or one is no train pair."""
    path = submission / schema.OUT_OF_FOLD_CALIBRATED_CSV
    table = read_table(path, (*schema.OUT_OF_FOLD_COLUMNS, "calibrated_days"))
    photos = train_pairs[["pair_id", "before_image_id", "after_image_id"]]
    pairs = with_columns_of(table, photos, "pair_id", path)
    return pairs.rename(columns={"time_delta_days": "true_days", "prediction_days": "raw_days"})


def read_test(tables: Path, submission: Path) -> pd.DataFrame:
    """Returns the test pairs with raw, calibrated, lowest, highest and, where known, true days. Raises ValueError."""
    pairs = read_table(tables / schema.TEST_PAIRS_CSV, schema.TEST_PAIRS_COLUMNS)
    path = submission / schema.TEST_CALIBRATED_CSV
    known = [schema.TRUE_DAYS] if schema.TRUE_DAYS in columns_of(path) else []
    days = read_table(path, [*schema.TEST_CALIBRATED_COLUMNS, *known])
    return with_columns_of(pairs, days.rename(columns={"prediction_days": "raw_days"}), "idx", path)


def with_columns_of(table: pd.DataFrame, other: pd.DataFrame, key: str, path: Path) -> pd.DataFrame:
    """Adds the columns of `other`, read from `path`, to the rows of `table`; each row must be found exactly once."""
    absent = table[key][~table[key].isin(other[key])]
    if len(absent) or not len(table):
        example = f", first {absent.iloc[0]}" if len(absent) else ""
        raise ValueError(
            f"{path}: {len(absent)} of {len(table)} pairs have no row{example}; the artifacts belong to different runs. "
            "Run the stages from generate_pairs on again."
        )
    return table.merge(other, on=key, how="left")


def read_json(path: Path) -> dict[str, Any]:
    """Returns what a file that calibrate wrote says; nothing where an earlier version wrote none."""
    return verified.read_json(path) if is_there(path) else {}


def read_history(submission: Path, position: int) -> pd.DataFrame:
    """Returns a model's history with an `epoch` column that counts from 1; other columns as they are."""
    path = submission / schema.HISTORY_OF_MODEL.format(position)
    with naming(path):
        history = pd.read_csv(io.BytesIO(read_bytes(path)))
    return history.assign(epoch=range(1, len(history) + 1))
