"""A model that learned nothing is said to be one at the end of its run, in its report and in `list`, in the same words."""

import json
from pathlib import Path

import pandas as pd
import pytest
from report_fixture import FakeRun

from components.calibrate.calibrate import calibrate
from components.calibrate.scores import metadata_of
from components.calibrate.settings import CalibrateSettings
from components.report.report import write_report
from components.report.settings import ReportSettings
from launch.backends.local.backend import LocalBackend
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.terminal import Terminal
from launch.cli.main import main
from launch.runs.dag.wiring import read_wiring
from launch.runs.record import RunRecord
from pipeline import verdelta

WORDS = "equal predictions"


def calibrated(root: Path, days: float | None) -> FakeRun:
    """A made-up run whose models predict `days` out of fold and of every test pair; None leaves their predictions alone."""
    run = FakeRun(root=root, folds=(0,)).write()
    pairs = pd.read_csv(root / "submission/out_of_fold_calibrated.csv").drop(columns="calibrated_days")
    test = pd.read_csv(root / "predictions_0/predictions.csv")
    for table, folder, name in ((pairs, "out_of_fold_0", "out_of_fold.csv"), (test, "predictions_0", "predictions.csv")):
        (root / folder).mkdir(exist_ok=True)
        table.assign(**({} if days is None else {"prediction_days": days})).to_csv(root / folder / name, index=False)
    rows = "".join(f"{idx},a,b\n" for idx in test["idx"])
    (root / "catalog/test_data.csv").write_text(f"idx,before_file_path,after_file_path\n{rows}")
    calibrate(
        catalog=root / "catalog",
        predictions=[root / "predictions_0"],
        out_of_fold=[root / "out_of_fold_0"],
        histories=[root / "histories_0"],
        submission=root / "submission",
        settings=CalibrateSettings(),
    )
    return run


def ended(runs: Path, name: str, artifacts: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run that has these artifacts prints at its end."""
    folder = runs / name
    folder.mkdir(parents=True)
    record = RunRecord(folder, None, {})
    run = LocalRun(folder, runs / ".cache", record, Terminal())
    run.outputs = {"calibrate": {"submission": str(artifacts / "submission")}}
    assert LocalBackend(read_wiring(verdelta), runs).finish(run, succeeded=True) == 0
    record.close()
    return capsys.readouterr().out


def test_a_model_that_learned_nothing_is_said_to_be_one_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = calibrated(tmp_path / "flat", days=9.0)
    calibrated(tmp_path / "fine", days=None)
    stored = json.loads((tmp_path / "flat/submission/metrics.json").read_text())["verdict"]
    assert {(finding["about"], finding["what"]) for finding in stored} >= {("validation", WORDS), ("test", WORDS)}
    assert WORDS in metadata_of(tmp_path / "flat/submission")["verdict"]

    last = ended(tmp_path / "runs", "flat", tmp_path / "flat", capsys).split("SUCCEEDED")[1].splitlines()
    said = [line.strip() for line in last if ":" in line and not line.strip().endswith(".csv")]
    assert said[0].startswith("THE MODEL LEARNED NOTHING: EQUAL PREDICTIONS")
    assert said[1:] == [f"{each['about']}: {each['why']} Likely cause: {each['cause']}" for each in stored]
    assert "NOTHING" not in ended(tmp_path / "runs", "fine", tmp_path / "fine", capsys)

    page, summary = tmp_path / "report.html", tmp_path / "summary.md"
    write_report(**{**fake.arguments(), "html": page, "summary": summary}, settings=ReportSettings())
    assert "<h1>The model learned nothing: equal predictions" in page.read_text()
    assert summary.read_text().splitlines()[2].startswith("**The model learned nothing: equal predictions")
    for text in (page.read_text(), summary.read_text()):
        assert "all 42 predictions lie between 9.00 and 9.00 days. Likely cause: the training did not get anywhere" in text

    capsys.readouterr()
    assert main(verdelta, ["list", "--runs-dir", str(tmp_path / "runs")]) == 0
    header, fine, flat = sorted(capsys.readouterr().out.splitlines(), key=lambda line: (not line.startswith("name"), line))
    assert header.split()[-1] == "verdict" and fine.split()[-1] == "-"
    assert flat.endswith("  equal predictions, worse than the baseline")
    assert json.loads((tmp_path / "runs/flat/run.json").read_text())["verdict"] == stored


def test_what_was_found_out_of_fold_stays_with_models_that_score_new_photos(tmp_path: Path) -> None:
    calibrated(tmp_path, days=9.0)
    calibrate(
        catalog=tmp_path / "catalog",
        predictions=[tmp_path / "predictions_0"],
        calibrated=tmp_path / "submission",
        submission=tmp_path / "scored",
        settings=CalibrateSettings(),
    )
    assert (tmp_path / "scored/metrics.json").read_bytes() == (tmp_path / "submission/metrics.json").read_bytes()
    assert "verdict" in json.loads((tmp_path / "scored/metrics.json").read_text())
