"""Reads the tables of a run, joined and checked, as one `Run`.

Every table has one row per pair and the columns species, series, before_image_id, after_image_id, baseline_days, raw_days,
calibrated_days and, where the truth is known, true_days; all in days, float64.
"""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract import schema, verified
from components.contract.naming import names_first
from components.contract.tables.by_idx import read_labels
from components.contract.tables.stage_tables import read_images, read_table, require_table
from components.contract.verdict import VERDICT, Finding
from components.contract.verified import is_there, read_bytes
from components.report.records import read_record


@dataclasses.dataclass(frozen=True)
class Run:
    """All that the page is made of, apart from the photos.

    Attributes:
        records: stage.json of every stage, in data order; one per fold for train and predict.
        folds: the fold held out by each model, in the order of the models.
        num_folds: folds that the train series are divided into.
        images: the catalog's rows.
        train_pairs: every train pair, whatever fold.
        validation: the out-of-fold pairs, with `fold`.
        test: the test pairs, with `idx`, and with the `lowest_days` and `highest_days` of the models.
        has_test_labels: whether `test` has true_days.
        histories: (fold, history) of each model, one row per epoch; none where an earlier run's models scored new photos.
        calibration: what calibrate did, as it wrote it down.
        findings: what it found wrong with a model that learned nothing.
    """

    records: list[dict[str, Any]]
    folds: list[int]
    num_folds: int
    images: pd.DataFrame
    train_pairs: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    has_test_labels: bool
    histories: list[tuple[int, pd.DataFrame]]
    calibration: dict[str, Any]
    findings: list[Finding]

    @property
    def is_score(self) -> bool:
        """Whether models of an earlier run scored new photos; folds and validation are that run's, whose photos are not here."""
        return not self.histories

    @property
    def is_calibrated(self) -> bool:
        """Whether calibration changed any prediction."""
        return any(bool((frame["raw_days"] != frame["calibrated_days"]).any()) for frame in (self.validation, self.test))


def read_run(
    *, catalog: Path, pairs: Path, folded_pairs: Path, examples: Path, models: Sequence[Path],
    histories: Sequence[Path] | None, predictions: Sequence[Path], submission: Path,
) -> Run:  # fmt: skip
    """Reads and joins the tables of a run; `histories` are None where nothing was trained.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a table lacks a column, a row or a number, or the lists of folders differ in length.
    """
    lengths = {"models": len(models), "predictions": len(predictions)}
    lengths |= {} if histories is None else {"histories": len(histories)}
    if not models or len(set(lengths.values())) > 1:
        raise ValueError(f"Expected as many models, histories and predictions, at least one of each; got {lengths}.")
    trained = [read_record(folder, "train") for folder in models]
    folds = [int(record["settings"].get("fold", position)) for position, record in enumerate(trained)]
    records = [
        *(read_record(folder, name) for folder, name in ((catalog, "resize_images"), (pairs, "generate_pairs"))),
        *(read_record(folder, name) for folder, name in ((folded_pairs, "split_folds"), (examples, "write_tfrecords"))),
        *trained,
        *(read_record(folder, "predict") for folder in predictions),
        read_record(submission, "calibrate"),
    ]
    train_pairs = read_table(folded_pairs / schema.TRAIN_PAIRS_CSV, schema.FOLDED_PAIRS_COLUMNS)
    baseline = float(train_pairs["time_delta_days"].mean())
    test = read_test(pairs, submission, predictions, catalog)
    calibration, metrics = (read_json(submission / name) for name in (schema.CALIBRATION_JSON, schema.METRICS_JSON))
    return Run(
        records=records,
        folds=folds,
        num_folds=train_pairs["fold"].nunique(),
        images=read_images(catalog),
        train_pairs=train_pairs,
        validation=read_validation(submission, train_pairs),
        test=test.assign(baseline_days=baseline),
        has_test_labels="true_days" in test,
        histories=[(fold, read_history(folder)) for fold, folder in zip(folds, histories or [], strict=histories is not None)],
        calibration=calibration,
        findings=metrics.get(VERDICT, []),
    )


def read_validation(submission: Path, train_pairs: pd.DataFrame) -> pd.DataFrame:
    """Returns the out-of-fold pairs with their photos.

    Raises:
        ValueError: there is none, or one that is not among the train pairs.
    """
    path = submission / schema.OUT_OF_FOLD_CALIBRATED_CSV
    table = read_table(path, (*schema.OUT_OF_FOLD_COLUMNS, "calibrated_days"))
    photos = train_pairs[["pair_id", "before_image_id", "after_image_id"]]
    return renamed(with_columns_of(table, photos, "pair_id", path), time_delta_days="true_days", prediction_days="raw_days")


def read_test(pairs: Path, submission: Path, predictions: Sequence[Path], catalog: Path) -> pd.DataFrame:
    """Returns the test pairs with both submissions, the models' lowest and highest days and, where known, the true days.

    Raises:
        ValueError: a test pair is missing from one of the tables; as `read_labels`.
    """
    table = read_table(pairs / schema.TEST_PAIRS_CSV, schema.TEST_PAIRS_COLUMNS)
    for name, column in ((schema.SUBMISSION_RAW_CSV, "raw_days"), (schema.SUBMISSION_CALIBRATED_CSV, "calibrated_days")):
        path = submission / name
        table = with_columns_of(table, renamed(read_table(path, schema.SUBMISSION_COLUMNS), time_delta=column), "idx", path)
    for number, folder in enumerate(predictions):
        path = folder / schema.PREDICTIONS_CSV
        days = read_table(path, ("idx", "prediction_days"))
        table = with_columns_of(table, renamed(days, prediction_days=f"model_{number}"), "idx", path)
    by_model = table[[f"model_{number}" for number in range(len(predictions))]]
    table = table.drop(columns=by_model.columns).assign(lowest_days=by_model.min(axis=1), highest_days=by_model.max(axis=1))
    true_days = read_labels(catalog, table["idx"])
    return table if true_days is None else table.assign(true_days=true_days)


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


def renamed(table: pd.DataFrame, **names: str) -> pd.DataFrame:
    """Returns `table` with columns renamed, old=new."""
    return table.rename(columns=names)


@names_first
def read_history(folder: Path) -> pd.DataFrame:
    """Returns history.csv with an `epoch` column that counts from 1; other columns as they are."""
    require_table(path := folder / schema.HISTORY_CSV)
    history = pd.read_csv(io.BytesIO(read_bytes(path)))
    return history.assign(epoch=range(1, len(history) + 1))
