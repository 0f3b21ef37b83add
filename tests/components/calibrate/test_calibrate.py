"""Submissions and scores against arithmetic by hand and NumPy's polyfit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp import dsl
from scipy.stats import t

from components.calibrate import calibrate as stage
from components.calibrate.component import calibrate as face
from components.calibrate.settings import CalibrateSettings

WINNERS_RULES = [
    {"species": "LT", "factor": 1.10},
    {"species": "BC", "factor": 1.05},
    {"series": "LT_1088", "factor": 0.65},
    {"series": "LT_1089", "factor": 0.65},
]
# idx, species, series, prediction of each of two models
TEST = [
    (0, "LT", "LT_1003", 10.0, 12.0),
    (1, "LT", "LT_1088", 20.0, 20.0),
    (2, "BC", "BC_1100", 7.25, 7.75),
    (3, "BC", "BC_1100", -3.0, 1.0),  # mean -1
    (4, "LT", "LT_1089", 0.0, 0.0),
]
OUT_OF_FOLD_COLUMNS = ["pair_id", "species", "series", "fold", "time_delta_days", "baseline_days", "prediction_days"]


def out_of_fold_tables() -> list[pd.DataFrame]:
    """Two folds; LT in three series, BC in two; true = 0.8 * prediction + 2 + a step of each series + noise."""
    random = np.random.default_rng(5)
    rows = []
    for fold, species, series, step in [
        (0, "LT", "LT_01", 0.0),
        (0, "BC", "BC_01", 1.5),
        (1, "LT", "LT_02", -2.0),
        (1, "LT", "LT_03", 3.0),
        (1, "BC", "BC_02", -1.0),
    ]:
        for delta in range(1, 30):
            prediction = (delta - 2 - step) / 0.8 + random.normal(0, 2)  # some are below zero
            rows.append((f"comb_{len(rows):06d}", species, series, fold, delta, 10.0 + fold, prediction))
    table = pd.DataFrame(rows, columns=OUT_OF_FOLD_COLUMNS)
    return [table[table["fold"] == fold] for fold in (0, 1)]


class Job:
    """Input folders of two models and a catalog, and the stage run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.catalog = folder, folder / "catalog"
        self.predictions = [folder / f"predictions_{model}" for model in (0, 1)]
        self.out_of_fold = [folder / f"out_of_fold_{model}" for model in (0, 1)]
        self.histories = [folder / f"history_{model}" for model in (0, 1)]
        for path in (self.catalog, *self.predictions, *self.out_of_fold, *self.histories):
            path.mkdir()
        for model, path in enumerate(self.histories):
            (path / "history.csv").write_text(f"epoch,rmse_days\n1,7.{model}\n")
        (self.catalog / "test_data.csv").write_text(
            "idx,before_file_path,after_file_path\n" + "".join(f"{idx},a,b\n" for idx in (2, 0, 1, 4, 3))
        )
        self.write_predictions(TEST)
        self.write_out_of_fold(out_of_fold_tables())

    def write_predictions(self, rows: list[tuple]) -> None:
        for model, path in enumerate(self.predictions):
            table = pd.DataFrame(
                [(f"comb_{row[0]:06d}", *row[:3], row[3 + model], row[3 + model]) for row in rows],
                columns=["pair_id", "idx", "species", "series", "prediction_days", "view_0"],
            )
            table.iloc[:: 1 - 2 * model].to_csv(path / "predictions.csv", index=False)  # the second model's in reverse

    def write_out_of_fold(self, tables: list[pd.DataFrame]) -> None:
        for path, table in zip(self.out_of_fold, tables, strict=True):
            table.to_csv(path / "out_of_fold.csv", index=False)

    def labels(self, days: dict[int, float]) -> None:
        (self.catalog / "test_labels.csv").write_text(
            "idx,time_delta\n" + "".join(f"{idx},{value}\n" for idx, value in days.items())
        )

    def run(self, calibration: str = "none", rules: list | None = None) -> dict:
        return stage.calibrate(
            catalog=self.catalog,
            predictions=self.predictions,
            out_of_fold=self.out_of_fold,
            histories=self.histories,
            submission=self.folder / "submission",
            settings=CalibrateSettings(calibration=calibration, calibration_rules=rules or []),
        )

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / "submission" / name)

    def json(self, name: str) -> dict:
        return json.loads((self.folder / "submission" / name).read_text())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_raw_is_the_mean_over_models_floored_in_the_order_of_test_data(job: Job) -> None:
    record = job.run()
    text = (job.folder / "submission/submission_raw.csv").read_text()
    assert text == "idx,time_delta\n2,7.5\n0,11.0\n1,20.0\n4,1.0\n3,1.0\n"
    assert (job.folder / "submission/submission_calibrated.csv").read_text() == text
    assert record["counts"]["test_days_floored"] == 2
    assert record["counts"]["models"] == 2


def test_what_the_report_shows_of_the_models_is_handed_on(job: Job) -> None:
    settings = {"fold": 1, "epochs": 4}
    (job.out_of_fold[0] / "stage.json").write_text(json.dumps({"stage": "train", "settings": settings, "counts": {}}))
    job.labels({0: 12, 1: 18.5, 2: 7, 3: 1, 4: 2})
    job.run("rules", [{"species": "LT", "factor": 2.0}])
    assert (job.folder / "submission/test_calibrated.csv").read_text().splitlines() == [
        "idx,prediction_days,calibrated_days,lowest_days,highest_days,true_days",
        "2,7.5,7.5,7.25,7.75,7.0",
        "0,11.0,22.0,10.0,12.0,12.0",
        "1,20.0,40.0,20.0,20.0,18.5",
        "4,1.0,2.0,0.0,0.0,2.0",  # of the models, as they predicted; raw and calibrated, as submitted
        "3,1.0,1.0,-3.0,1.0,1.0",
    ]
    for model in (0, 1):
        handed_on = job.folder / f"submission/history-{model}.csv"
        assert handed_on.read_bytes() == (job.histories[model] / "history.csv").read_bytes()
    records = job.json("records.json")["records"]
    assert [record["stage"] for record in records] == ["train", "train", "predict", "predict"]
    assert records[0] == {"stage": "train", "settings": settings, "counts": {}, "skipped": []}
    assert [bool(record["skipped"]) for record in records] == [False, True, True, True]  # those have left no record


def test_lists_of_different_lengths_are_refused(job: Job) -> None:
    del job.histories[1]
    with pytest.raises(ValueError, match=r"as many predictions, out_of_fold, histories.* got .*'histories': 1"):
        job.run()


def test_a_run_of_an_earlier_version_can_score_and_its_trainings_are_said_to_be_unknown(job: Job) -> None:
    job.run()
    for name in ("records.json", "manifest.json"):
        (job.folder / "submission" / name).unlink()
    stage.calibrate(
        catalog=job.catalog, predictions=job.predictions, calibrated=job.folder / "submission",
        submission=job.folder / "scored", settings=CalibrateSettings(),
    )  # fmt: skip
    records = json.loads((job.folder / "scored/records.json").read_text())["records"]
    assert [record["stage"] for record in records] == ["train", "train", "predict", "predict"]
    assert "missing" in records[1]["skipped"][0]["why"]
    assert not list((job.folder / "scored").glob("history*"))


def test_sample_submission_decides_the_order_where_there_is_one(job: Job) -> None:
    (job.catalog / "sample_submission.csv").write_text("idx,time_delta\n" + "".join(f"{idx},0\n" for idx in (4, 3, 2, 1, 0)))
    job.run()
    assert list(job.table("submission_raw.csv")["idx"]) == [4, 3, 2, 1, 0]
    assert list(job.table("submission_raw.csv")["time_delta"]) == [1.0, 1.0, 7.5, 20.0, 11.0]


def test_rules_compound_in_order(job: Job) -> None:
    job.run("rules", WINNERS_RULES)
    calibrated = job.table("submission_calibrated.csv").set_index("idx")["time_delta"]
    assert calibrated[0] == 11.0 * 1.10
    assert calibrated[1] == 20.0 * 1.10 * 0.65
    assert calibrated[1] == pytest.approx(20.0 * 0.715)
    assert calibrated[2] == 7.5 * 1.05
    assert calibrated[3] == 1.0 * 1.05  # the floor comes first, then the factor
    assert calibrated[4] == 1.0 * 1.10 * 0.65
    calibration = job.json("calibration.json")
    assert calibration["mode"] == "rules"
    assert calibration["rules"] == WINNERS_RULES
    assert calibration["factors"] == pytest.approx({"BC_1100": 1.05, "LT_1003": 1.10, "LT_1088": 0.715, "LT_1089": 0.715})


def test_raw_submission_does_not_depend_on_calibration(job: Job) -> None:
    raws = []
    for calibration, rules in (("none", []), ("rules", WINNERS_RULES), ("fit", [])):
        job.run(calibration, rules)
        raws.append((job.folder / "submission/submission_raw.csv").read_bytes())
    assert len(set(raws)) == 1


def test_a_rule_that_matches_nothing_is_reported(job: Job) -> None:
    record = job.run("rules", [{"species": "LT", "factor": 1.1}, {"series": "LT_9", "factor": 2}])
    assert record["skipped"] == [
        {"what": '{"series": "LT_9", "factor": 2}', "why": "a calibration rule that matches no test pair"}
    ]
    assert job.json("stage.json") == record


def expected_slopes(pairs: pd.DataFrame) -> dict[str, float]:
    """The slope of each species, by the formulas of components/calibrate/README.md: the means of its series', shrunk."""
    x = pairs["prediction_days"].where(pairs["prediction_days"] > 0, 1.0)
    logs: dict[str, list[float]] = {}
    for name in pairs["series"].unique():
        own = (pairs["series"] == name).to_numpy()
        slope = np.linalg.lstsq(x[own].to_numpy()[:, None], pairs["time_delta_days"][own].to_numpy(), rcond=None)[0][0]
        logs.setdefault(name[:2], []).append(float(np.log(slope)))
    freedom = sum(len(found) - 1 for found in logs.values())
    spread = sum(np.var(found) * len(found) for found in logs.values()) / freedom if freedom else np.inf
    strict = t.ppf(1 - 0.01 / len(logs) / 2, freedom) ** 2 if freedom else 1.0
    means = {name: (np.mean(found), len(found)) for name, found in logs.items()}
    return {
        name: float(np.exp(mean * max(0.0, 1 - strict * spread / count / mean**2) * (count > 1)))
        for name, (mean, count) in means.items()
    }


def test_fit_multiplies_by_the_mean_slope_of_a_species_series_as_far_as_they_agree(job: Job) -> None:
    tables = [table.assign(prediction_days=table["prediction_days"] * 3) for table in out_of_fold_tables()]
    job.write_out_of_fold(tables)
    job.run("fit")
    pairs = pd.concat(tables)
    calibrated = job.table("submission_calibrated.csv").set_index("idx")["time_delta"]
    slopes = expected_slopes(pairs)
    assert min(slopes.values()) < 0.95 and max(slopes.values()) <= 1.0  # not what leaves days alone
    for species, raws in (("LT", {0: 11.0, 1: 20.0, 4: 1.0}), ("BC", {2: 7.5, 3: 1.0})):
        part = pairs[pairs["species"] == species]
        fit = job.json("calibration.json")["fits"][species]
        assert (fit["slope"], fit["intercept"]) == (pytest.approx(slopes[species]), 0.0)
        assert (fit["pairs"], fit["series"]) == (len(part), part["series"].nunique())
        for idx, raw in raws.items():
            assert calibrated[idx] == pytest.approx(slopes[species] * raw)


def test_validation_of_the_fit_leaves_each_series_out(job: Job) -> None:
    tables = [table.assign(prediction_days=table["prediction_days"] * 3) for table in out_of_fold_tables()]
    job.write_out_of_fold(tables)
    job.run("fit")
    pairs = pd.concat(tables, ignore_index=True)
    x = pairs["prediction_days"].where(pairs["prediction_days"] > 0, 1.0).to_numpy()
    held_out = x.copy()
    for series in pairs["series"].unique():
        inside = (pairs["series"] == series).to_numpy()
        held_out[inside] *= expected_slopes(pairs[~inside]).get(series[:2], 1.0)
    held_out[held_out <= 0] = 1.0
    error = held_out - pairs["time_delta_days"].to_numpy()
    assert job.json("metrics.json")["validation_rmse_days_calibrated"] == pytest.approx(np.sqrt(np.mean(error**2)))
    table = job.table("out_of_fold_calibrated.csv")
    assert list(table.columns) == [*OUT_OF_FOLD_COLUMNS, "calibrated_days"]
    np.testing.assert_allclose(table["calibrated_days"], held_out)
    np.testing.assert_allclose(table["prediction_days"], x)


def test_one_series_of_a_species_says_nothing_and_stays_raw_in_validation(job: Job) -> None:
    tables = [table[table["series"] != "BC_02"] for table in out_of_fold_tables()]
    job.write_out_of_fold(tables)
    record = job.run("fit")
    assert [(entry["what"], "validat" in entry["why"]) for entry in record["skipped"]] == [("BC", True)]
    table = job.table("out_of_fold_calibrated.csv")
    alone = table[table["species"] == "BC"]
    assert list(alone["calibrated_days"]) == list(alone["prediction_days"])
    assert job.json("calibration.json")["fits"]["BC"]["series"] == 1


def test_a_test_species_without_out_of_fold_pairs_keeps_its_predictions_and_is_reported(job: Job) -> None:
    job.write_out_of_fold([table[table["species"] == "LT"] for table in out_of_fold_tables()])
    record = job.run("fit")
    assert [entry["what"] for entry in record["skipped"]] == ["BC"]
    assert "without out-of-fold pairs" in record["skipped"][0]["why"]
    calibrated = job.table("submission_calibrated.csv").set_index("idx")["time_delta"]
    assert (calibrated[2], calibrated[3]) == (7.5, 1.0)
    assert calibrated[0] == pytest.approx(11.0 * job.json("calibration.json")["fits"]["LT"]["slope"])


def test_predictions_that_mean_nothing_have_no_negative_slope(job: Job) -> None:
    turned = [table.assign(prediction_days=40 - table["time_delta_days"]) for table in out_of_fold_tables()]
    job.write_out_of_fold(turned)
    job.run("fit")
    assert all(0 < fit["slope"] <= 4 for fit in job.json("calibration.json")["fits"].values())


def label_a_few(job: Job) -> None:
    (job.catalog / "few_labels.csv").write_text("idx,time_delta\n1,13\n0,\n")


def test_a_few_labels_correct_their_series_alone_and_are_no_scores(job: Job) -> None:
    job.run()
    before = job.table("submission_calibrated.csv").set_index("idx")["time_delta"]
    label_a_few(job)
    job.run()
    after = job.table("submission_calibrated.csv").set_index("idx")["time_delta"]
    assert 13 / 20 < after[1] / before[1] < 1
    assert after.drop(1).equals(before.drop(1))
    assert job.json("calibration.json")["few_labels"] == {"LT_1088": {"factor": pytest.approx(after[1] / before[1]), "labels": 1}}
    assert not [name for name in job.json("metrics.json") if name.startswith("test_")]


def test_new_photos_have_a_few_labels_of_their_own(job: Job) -> None:
    label_a_few(job)
    job.run()
    stage.calibrate(
        catalog=job.catalog, predictions=job.predictions, calibrated=job.folder / "submission",
        submission=job.folder / "scored", settings=CalibrateSettings(),
    )  # fmt: skip
    for name in ("submission_calibrated.csv", "calibration.json", "intervals.csv"):
        assert (job.folder / "scored" / name).read_bytes() == (job.folder / "submission" / name).read_bytes()


def test_a_few_labels_need_a_calibration_that_says_how_much_series_differ(job: Job) -> None:
    job.run()
    path = job.folder / "submission/calibration.json"
    (job.folder / "submission/manifest.json").unlink()
    earlier = json.loads(path.read_text())
    del earlier["series_law"]
    path.write_text(json.dumps(earlier))
    label_a_few(job)
    with pytest.raises(ValueError, match=r"few_labels.csv: .* earlier version.* rerun RUN calibrate"):
        stage.calibrate(
            catalog=job.catalog, predictions=job.predictions, calibrated=job.folder / "submission",
            submission=job.folder / "scored", settings=CalibrateSettings(),
        )  # fmt: skip


def test_scores_are_root_mean_squares_in_days(job: Job) -> None:
    job.labels({9: 4, 4: 1, 3: 2, 2: 7, 1: 16, 0: 10})  # idx 9 is no test pair
    job.run("rules", WINNERS_RULES)
    pairs = pd.concat(out_of_fold_tables())
    y, x = pairs["time_delta_days"], pairs["prediction_days"].where(pairs["prediction_days"] > 0, 1.0)
    factor = pairs["species"].map({"LT": 1.10, "BC": 1.05})

    def rmse(error: pd.Series | np.ndarray) -> float:
        return float(np.sqrt((error**2).mean()))

    expected = {
        "baseline_rmse_days": rmse(pairs["baseline_days"] - y),
        "validation_rmse_days": rmse(x - y),
        "validation_rmse_days_calibrated": rmse(x * factor - y),
        "test_rmse_days_raw": rmse(np.array([11 - 10, 20 - 16, 7.5 - 7, 1 - 2, 1 - 1])),
        "test_rmse_days_calibrated": rmse(np.array([12.1 - 10, 14.3 - 16, 7.875 - 7, 1.05 - 2, 0.715 - 1])),
    }
    assert job.json("metrics.json") == pytest.approx(expected)


def test_without_labels_there_is_no_test_score_and_without_calibration_both_scores_agree(job: Job) -> None:
    job.run()
    metrics = job.json("metrics.json")
    assert sorted(metrics) == ["baseline_rmse_days", "validation_rmse_days", "validation_rmse_days_calibrated"]
    assert metrics["validation_rmse_days"] == metrics["validation_rmse_days_calibrated"]
    assert job.json("calibration.json")["mode"] == "none"


def test_floats_are_written_exactly(job: Job) -> None:
    job.write_predictions([(idx, species, series, idx + 1 / 3, idx + 2 / 7) for idx, species, series, *_ in TEST])
    job.run()
    written = job.table("submission_raw.csv").set_index("idx")["time_delta"]
    assert [written[idx] for idx in range(5)] == [((idx + 1 / 3) + (idx + 2 / 7)) / 2 for idx in range(5)]


def repeat_fold(job: Job) -> None:
    job.write_out_of_fold([out_of_fold_tables()[0], out_of_fold_tables()[0]])


def drop_pair(job: Job) -> None:
    path = job.predictions[1] / "predictions.csv"
    pd.read_csv(path).query("idx != 3").to_csv(path, index=False)


def drop_column(job: Job) -> None:
    path = job.predictions[1] / "predictions.csv"
    pd.read_csv(path).drop(columns="series").to_csv(path, index=False)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda job: job.write_predictions([(*TEST[0][:3], 1.0, np.nan)]), ["predictions_1", "comb_000000", "learning_rate"]),
        (lambda job: job.write_predictions([(*TEST[0][:3], np.inf, 1.0)]), ["predictions_0", "comb_000000", "is 'inf'"]),
        (lambda job: job.write_predictions([TEST[0], TEST[0]]), ["comb_000000", "twice"]),
        (drop_pair, ["predictions_1", "predictions_0", "comb_000003", "same test pairs"]),
        (drop_column, ["predictions_1", "Expected pair_id, idx, species, series"]),
        (repeat_fold, ["comb_000000", "out_of_fold_0", "out_of_fold_1", "no fold twice"]),
        (lambda job: (job.predictions[0] / "predictions.csv").unlink(), ["predictions_0", "missing"]),
        (lambda job: (job.out_of_fold[1] / "out_of_fold.csv").unlink(), ["out_of_fold_1", "missing"]),
        (
            lambda job: [found.clear() for found in (job.predictions, job.out_of_fold, job.histories)],
            ["no predictions folder", "folds"],
        ),
        (lambda job: job.labels({0: 1, 1: 1, 2: 1, 4: 1}), ["test_labels.csv", "idx 3", "complete the file"]),
        (lambda job: job.labels({0: 1, 1: 1, 2: 1, 3: "", 4: 1}), ["test_labels.csv", "idx 3"]),
    ],
    ids=[
        "not a number", "infinite", "pair twice", "different pairs", "missing column", "fold twice", "no predictions.csv",
        "no out_of_fold.csv", "no models", "label missing", "label empty",
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_are_errors(job: Job, damage, words: list[str]) -> None:
    damage(job)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        job.run()
    assert all(word in str(error.value) for word in words), error.value
    assert not (job.folder / "submission/stage.json").exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("idx,time_delta\n0,0\n1,0\n2,0\n3,0\n4,0\n8,0\n", "idx 8 is not in test_data.csv"),
        ("idx,time_delta\n0,0\n1,0\n2,0\n4,0\n", "idx 3 is not in the file"),
        ("idx,time_delta\n0,0\n0,0\n", "line 3: idx=0 is there twice"),
        ("id,time_delta\n0,0\n", "Expected idx, time_delta"),
        ("idx,time_delta\n0,0\nx,0\n", "line 3: idx='x'.*whole number"),
        ("idx,time_delta\n0,0\n,0\n", "line 3: idx=''.*whole number"),
        ("idx,time_delta\n0,0,\n1,0,\n", "line 2: 3 fields"),
        ("", "the file is empty"),
    ],
    ids=["not predicted", "not asked for", "twice", "column", "text", "no idx", "trailing comma", "empty"],
)
def test_a_sample_submission_of_other_pairs_is_an_error(job: Job, rows: str, words: str) -> None:
    (job.catalog / "sample_submission.csv").write_text(rows)
    with pytest.raises(ValueError, match=rf"sample_submission\.csv.*{words}"):
        job.run()


@pytest.mark.parametrize("name", ["sample_submission.csv", "test_labels.csv"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"idx,time_delta\n0,1,\n1,1,\n", ["line 2", "3 fields", "Expected 2"]),
        (b"idx,time_delta\n0,1\n1.5,1\n", ["line 3", "idx='1.5'", "whole number"]),
        (b"idx,time_delta\n0,1\n1,\xc0\xcf\n", ["line 3", "save it as UTF-8"]),
        (b"", ["the file is empty", "idx,time_delta"]),
        (b'idx,time_delta\n0,"1\n', ["quotes in pairs"]),
    ],
    ids=["trailing comma", "idx no whole number", "cp949", "empty", "open quote"],
)
def test_a_malformed_table_is_an_error_that_names_line_and_fix(job: Job, name: str, content: bytes, words: list[str]) -> None:
    (job.catalog / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        job.run()
    assert type(error.value) is ValueError
    assert all(word in str(error.value) for word in [name, *words]), error.value


def test_component_writes_the_same_and_logs_scores(job: Job) -> None:
    job.labels(dict.fromkeys(range(5), 5))
    record = job.run("rules", WINNERS_RULES)
    submission, metrics = dsl.Dataset(uri=str(job.folder / "out")), dsl.Metrics(uri=str(job.folder / "metrics"))
    face.python_func(
        catalog=dsl.Dataset(uri=str(job.catalog)),
        predictions=[dsl.Dataset(uri=str(path)) for path in job.predictions],
        out_of_fold=[dsl.Dataset(uri=str(path)) for path in job.out_of_fold],
        histories=[dsl.Dataset(uri=str(path)) for path in job.histories],
        submission=submission,
        metrics=metrics,
        calibration="rules",
        calibration_rules=WINNERS_RULES,
        cadence_days=0.0,
        interval_coverage=0.9,
    )
    names = "calibration.json history-0.csv history-1.csv intervals.csv manifest.json metrics.json"
    written = [
        *names.split(),
        "out_of_fold_calibrated.csv",
        "records.json",
        "stage.json",
        "submission_calibrated.csv",
        "submission_raw.csv",
        "test_calibrated.csv",
    ]
    assert sorted(path.name for path in (job.folder / "out").iterdir()) == written
    for path in (job.folder / "out").iterdir():
        assert path.read_bytes() == (job.folder / "submission" / path.name).read_bytes()
    assert metrics.metadata == job.json("metrics.json")
    assert len(metrics.metadata) == 5
    assert submission.metadata == record["counts"]
