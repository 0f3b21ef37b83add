"""Runs side by side: `ui` over a folder of runs, looked at in a browser, and the report stage's own logging. A real server."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browser import chromium
from command_line import pipeline_py
from report_fixture import FakeRun
from run_folder import SCORES, write_run, write_run_json

from components.images import ROOT
from components.report.mlflow_log import connect
from components.report.report import write_report
from components.report.settings import ReportSettings
from launch.tracking import server as mlflow_server
from launch.tracking.mirror import SYNCED, Mirror

FASTER = {**SCORES, "validation_rmse_days": 1.9024, "test_rmse_days_raw": 2.345}
PARENT = {"run": "base", "stage": "train", "kind": "rerun"}
SUCCEEDED_AT, LATER, LAST = (f"2026-11-22T{hour}:00:00+00:00" for hour in (14, 15, 16))


class Server:
    """`pipeline.py ui` over `runs`, and what MLflow's REST API says of it."""

    def __init__(self, runs: Path, process: "subprocess.Popen[str]") -> None:
        self.runs, self.process = runs, process
        self.said: list[str] = []
        while not self.said or not self.said[-1].startswith("Ctrl-C"):
            line = process.stdout.readline()  # type: ignore[union-attr]
            assert line, f"ui ended with {process.wait()}, having said {self.said}"
            self.said.append(line)
        self.page = re.search(r"http://\S+", self.said[-2]).group()  # type: ignore[union-attr]
        self.url, self.experiment = re.match(r"(http://[^/]+)/#/experiments/(\d+)/", self.page).groups()  # type: ignore[union-attr]
        self.port = int(self.url.rpartition(":")[2])

    def api(self, call: str, body: dict[str, Any] | None = None, query: str = "") -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        return plain_request(f"{self.url}/api/2.0/mlflow/{call}{query}", data)

    def found(self) -> dict[str, dict[str, Any]]:
        """Name to info, data and tags of every run that is not deleted."""
        answer = self.api("runs/search", {"experiment_ids": [self.experiment]})
        return {run["info"]["run_name"]: run for run in answer.get("runs", [])}

    def shown(self, name: str) -> dict[str, Any]:
        """A run, as soon as all of it is there."""
        return eventually(lambda: (run := self.found().get(name)) and SYNCED in tags(run) and run, f"{name} is in MLflow")

    def history(self, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
        """(step, value) of every point of a series."""
        answer = self.api("metrics/get-history", query=f"?run_id={run['info']['run_id']}&metric_key={metric}")
        return [(int(point.get("step", 0)), point["value"]) for point in answer["metrics"]]


def plain_request(address: str, data: bytes | None) -> dict[str, Any]:
    """The server's answer."""
    call = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        return json.load(answer)


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}


def values(run: dict[str, Any], kind: str) -> dict[str, Any]:
    return {entry["key"]: entry["value"] for entry in run["data"].get(kind, [])}


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives as soon as that is true."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not so after 180 s: {what}")


@contextlib.contextmanager
def serving(runs: Path) -> Iterator[Server]:
    command = [sys.executable, "-u", str(ROOT / "pipeline.py"), "ui", "--port", "0", "--runs-dir", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Server(runs, process)
    finally:
        process.terminate()
        print(process.communicate(timeout=180)[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two finished runs, which tests leave alone, and one that failed."""
    runs = tmp_path_factory.mktemp("compare") / "runs"
    write_run(runs, "base", started=SUCCEEDED_AT)
    write_run(runs, "faster", started=LATER, scores=FASTER, parent=PARENT, learning_rate=0.0123)
    write_run_json(runs / "broken", started=LAST, state="FAILED", error="stage train (fold 0): ValueError: diverged")
    with serving(runs) as found:
        yield found


# In the browser


def test_two_runs_are_selected_and_compared_in_the_browser(server: Server, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        browser.resize(1900, 1000)  # the table leaves out columns that do not fit
        browser.open(server.page)
        # the table has the columns of `list`
        browser.wait_for_text("base", "faster", "broken", "learning_rate", "0.0123", "0.004", "1.411", "1.9024", "FAILED")
        for name in ("base", "faster"):
            browser.click(f"//*[@role='row'][.//a[normalize-space()='{name}']]//input[contains(@id, 'ag-')]")
        browser.click("//button[normalize-space()='Compare']")
        text = browser.wait_for_text("Comparing 2 Runs", "lstm_units", "learning_rate\t0.004\t0.0123", "1.411", "1.902")
        assert "preset\tsmoke\tsmoke" in text and "parent\t\tbase" in text
        for table in ("Parameters", "Metrics"):
            browser.click(f"//button[@aria-label='{table} - Show diff only']")
        browser.wait(lambda: "lstm_units" not in browser.text(), "parameters that differ alone")
        text = browser.wait_for_text("learning_rate\t0.004\t0.0123", "validation_rmse_days", "1.411", "1.902", "1.758", "2.345")
        assert "baseline_rmse_days" not in text.partition("Run details")[2]


def test_the_report_is_shown_as_an_artifact(server: Server, tmp_path: Path) -> None:
    run_id = server.found()["base"]["info"]["run_id"]
    with chromium(tmp_path) as browser:
        browser.resize(1440, 900)
        browser.open(f"{server.url}/#/experiments/{server.experiment}/runs/{run_id}/artifacts")
        browser.click("//*[text()='report.html']")
        browser.enter_frame("//iframe")
        text = browser.wait_for_text("On plants it never trained on", "What the model says about test photos", "Scores")
        assert "Validation RMSE" in text


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_fits_the_screen(server: Server, tmp_path: Path, width: int) -> None:
    with chromium(tmp_path) as browser:
        browser.resize(width, 844)
        browser.open((server.runs / "base" / "report.html").as_uri())
        wide = browser.script("return document.documentElement.scrollWidth")
        broken = browser.script("return [...document.images].filter(image => !image.naturalWidth).length")
        assert (wide, broken) == (width, 0)


# What MLflow holds


def test_a_run_has_its_parameters_scores_tags_and_summary(server: Server) -> None:
    run = server.found()["faster"]
    parameters = json.loads((server.runs / "faster/run.json").read_text())["parameters"]
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    assert values(run, "params") == shown
    assert {name: value for name, value in values(run, "metrics").items() if "/" not in name} == FASTER
    own = {name: value for name, value in tags(run).items() if not name.startswith("mlflow.")}
    assert own == {"state": "SUCCEEDED", "preset": "smoke", "parent": "base", "parent_stage": "train", "kind": "rerun"}
    assert tags(run)["mlflow.note.content"] == (server.runs / "faster/summary.md").read_text()
    assert run["info"]["status"] == "FINISHED"


def test_every_column_of_every_history_is_a_series_over_epochs(server: Server) -> None:
    run = server.found()["base"]
    expected = {}
    for fold in (0, 1):
        history = pd.read_csv(server.runs / f"base/artifacts/histories_{fold}/history.csv")
        for column in history.columns.drop("epoch"):
            expected[f"fold_{fold}/{column}"] = list(zip(history["epoch"], history[column], strict=True))
    assert len(expected) == 10
    assert {name for name in values(run, "metrics") if "/" in name} == set(expected)
    for name, points in expected.items():
        assert server.history(run, name) == points


def test_a_failed_run_says_why(server: Server) -> None:
    run = server.found()["broken"]
    assert (run["info"]["status"], tags(run)["state"]) == ("FAILED", "FAILED")
    assert "stage train (fold 0): ValueError: diverged" in tags(run)["mlflow.note.content"]


def test_artifacts_are_the_runs_files_themselves_and_no_model_is_among_them(server: Server) -> None:
    run = server.found()["base"]
    folder = server.runs / ".mlflow/artifacts" / run["info"]["artifact_uri"].partition(":/")[2]
    shown = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    results = {"report.html", "summary.md", "submission_raw.csv", "submission_calibrated.csv", "run.json", "logs/train-0.log"}
    assert shown == results
    assert all((folder / name).samefile(server.runs / "base" / name) for name in shown)


# Keeping up


def test_a_run_that_goes_on_is_updated_until_it_ends(server: Server) -> None:
    folder = server.runs / "going"
    folder.mkdir()
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as a run's process does
        write_run_json(folder, started=LAST, state="FAILED", error="the run did not come to its end")
        run = server.shown("going")
        assert (run["info"]["status"], tags(run)["state"]) == ("RUNNING", "RUNNING")
    write_run_json(folder, started=LAST, metrics=SCORES)
    run = eventually(lambda: (run := server.found()["going"])["info"]["status"] == "FINISHED" and run, "the run's end")
    assert values(run, "metrics") == SCORES
    shutil.rmtree(folder)


def test_a_deleted_folder_leaves_the_ui_and_comes_back_with_its_folder(server: Server, tmp_path: Path) -> None:
    write_run_json(server.runs / "moved", started=LAST, metrics=SCORES)
    first = server.shown("moved")
    shutil.move(server.runs / "moved", tmp_path / "moved")
    eventually(lambda: "moved" not in server.found(), "a run whose folder is gone is gone")
    shutil.move(tmp_path / "moved", server.runs / "moved")
    again = server.shown("moved")
    assert again["info"]["run_id"] == first["info"]["run_id"]
    shutil.rmtree(server.runs / "moved")


def test_a_run_deleted_in_the_ui_stays_deleted_there_and_keeps_its_folder(server: Server) -> None:
    write_run_json(server.runs / "unwanted", started=LAST, metrics=SCORES)
    run = server.shown("unwanted")
    server.api("runs/delete", {"run_id": run["info"]["run_id"]})
    write_run_json(server.runs / "marker", started=LAST)  # when this one is there, there has been another round
    server.shown("marker")
    assert "unwanted" not in server.found() and (server.runs / "unwanted/run.json").is_file()
    for name in ("unwanted", "marker"):
        shutil.rmtree(server.runs / name)


def test_a_new_run_of_an_old_name_is_another_run(server: Server) -> None:
    write_run_json(server.runs / "twice", started=LATER, metrics=SCORES)
    first = server.shown("twice")
    shutil.rmtree(server.runs / "twice")
    write_run_json(server.runs / "twice", started=LAST, metrics=FASTER)
    second = eventually(lambda: (run := server.shown("twice")) and values(run, "metrics") == FASTER and run, "the second")
    assert second["info"]["run_id"] != first["info"]["run_id"]
    shutil.rmtree(server.runs / "twice")


def test_logging_a_run_again_changes_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    without_mlflow_variables(monkeypatch)
    client = connect(server.url)
    before = server.found()["base"]
    client.delete_tag(before["info"]["run_id"], SYNCED)  # as if the program had been ended in the middle
    assert Mirror(client, server.runs, server.runs / ".mlflow/artifacts").sync() == []
    after = server.found()["base"]
    assert after == before
    assert len(server.history(after, "fold_0/loss")) == 4


def test_an_unreadable_history_is_named_and_the_rest_is_shown(server: Server) -> None:
    stages = [{"stage": "train", "fold": 0, "outputs": {"history": str(server.runs / "nowhere")}}]
    write_run_json(server.runs / "lost", started=LAST, metrics=SCORES, stages=stages)
    run = server.shown("lost")
    assert values(run, "metrics") == SCORES
    line = server.process.stdout.readline()  # type: ignore[union-attr]
    assert line.startswith("lost: no training curve of fold 0") and "nowhere" in line
    shutil.rmtree(server.runs / "lost")


# The process


def test_the_server_answers_on_this_machine_only_and_sends_no_telemetry(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        pass
    with pytest.raises(ConnectionRefusedError):  # also this machine, but not the address it listens on
        socket.create_connection(("127.0.0.2", server.port), timeout=5)
    processes = [pid for pid in pids() if f"\0{server.port}\0" in command(pid)]
    assert processes
    for pid in processes:
        assert b"MLFLOW_DISABLE_TELEMETRY=true\0" in Path("/proc", pid, "environ").read_bytes()


def test_what_cannot_be_served_is_said_with_status_2(server: Server, tmp_path: Path) -> None:
    taken = pipeline_py("ui", "--runs-dir", str(tmp_path), "--port", str(server.port))
    assert (taken.returncode, f"--port {server.port}: Address already in use" in taken.stderr) == (2, True), taken.stderr
    twice = pipeline_py("ui", "--runs-dir", str(server.runs), "--port", "0")
    assert (twice.returncode, "another `ui` serves these runs" in twice.stderr) == (2, True), twice.stderr
    nowhere = pipeline_py("ui", "--runs-dir", str(tmp_path / "no"), "--port", "0")
    assert (nowhere.returncode, f"{tmp_path / 'no'}: no such folder" in nowhere.stderr) == (2, True), nowhere.stderr
    assert pipeline_py("ui", "--runs-dir", str(tmp_path), "--port", "70000").returncode == 2


def test_without_an_mlflow_server_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_server, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="run `make ui`"):
        mlflow_server.server_python()


@pytest.fixture
def heeding_hangups() -> Iterator[None]:
    """What is started meanwhile heeds SIGHUP, also where nohup, which has it ignored, started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeding_hangups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_ends_it_and_all_it_started(tmp_path: Path, number: signal.Signals) -> None:
    write_run_json(tmp_path / "runs/one", started=LAST, metrics=SCORES)
    with serving(tmp_path / "runs") as started:
        marks = ["mlflow", "server", str(started.port)]
        children = [pid for pid in pids() if all(mark in command(pid) for mark in marks)]
        assert children
        started.process.send_signal(number)
        assert started.process.wait(180) == 0
        assert not [pid for pid in children if command(pid)]
        assert started.process.stdout.read().splitlines()[-1] == "stopped"  # type: ignore[union-attr]


def pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def command(pid: str) -> str:
    with contextlib.suppress(OSError):
        return Path("/proc", pid, "cmdline").read_text()
    return ""


# From the report stage, as in a cluster


@pytest.fixture
def fake(tmp_path: Path) -> FakeRun:
    return FakeRun(root=tmp_path / "artifacts").write()


def without_mlflow_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `connect` sets in the environment is gone after the test, and what the machine has set does not matter in it."""
    for name in [*(name for name in os.environ if name.startswith("MLFLOW_")), "MLFLOW_HTTP_REQUEST_MAX_RETRIES"]:
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def reported(fake: FakeRun, monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    without_mlflow_variables(monkeypatch)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return write_report(**fake.arguments(), settings=ReportSettings(strip_pairs=6))


def rmse(predicted: pd.Series, true: pd.Series) -> float:
    return float(((predicted - true) ** 2).mean() ** 0.5)


def test_a_report_logs_its_run_where_the_environment_names_a_server(
    server: Server, fake: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(fake, monkeypatch, MLFLOW_TRACKING_URI=server.url, MLFLOW_EXPERIMENT_NAME="cluster")
    experiment = server.api("experiments/get-by-name", query="?experiment_name=cluster")["experiment"]["experiment_id"]
    (run,) = server.api("runs/search", {"experiment_ids": [experiment]})["runs"]
    parameters = values(run, "params")
    assert (parameters["folds"], parameters["encoder"], parameters["strip_pairs"]) == ("[0, 1]", "B0", "6")
    pairs = pd.read_csv(fake.root / "submission/out_of_fold_calibrated.csv")
    scores = {name: value for name, value in values(run, "metrics").items() if "/" not in name}
    assert set(scores) == set(SCORES)
    assert scores["baseline_rmse_days"] == pytest.approx(rmse(pairs["baseline_days"], pairs["time_delta_days"]))
    assert scores["validation_rmse_days"] == pytest.approx(rmse(pairs["prediction_days"], pairs["time_delta_days"]))
    assert scores["validation_rmse_days_calibrated"] == pytest.approx(rmse(pairs["calibrated_days"], pairs["time_delta_days"]))
    labels = pd.read_csv(fake.root / "catalog/test_labels.csv").set_index("idx")["time_delta"]
    for kind in ("raw", "calibrated"):
        days = pd.read_csv(fake.root / f"submission/submission_{kind}.csv").set_index("idx")["time_delta"]
        assert scores[f"test_rmse_days_{kind}"] == pytest.approx(rmse(days, labels))
    losses = pd.read_csv(fake.root / "histories_1/history.csv")["loss"]
    assert server.history(run, "fold_1/loss") == list(enumerate(losses, start=1))
    assert run["info"]["status"] == "FINISHED"
    client = connect(server.url)
    for name, file in (
        ("report.html", fake.arguments()["html"]),
        ("submission_raw.csv", fake.root / "submission/submission_raw.csv"),
    ):
        assert Path(client.download_artifacts(run["info"]["run_id"], name)).read_bytes() == file.read_bytes()


def test_below_a_pipelines_mlflow_run_the_report_logs_to_that_one(
    server: Server, fake: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new(**parent: str) -> str:
        given = [{"key": key, "value": value} for key, value in parent.items()]
        return server.api("runs/create", {"experiment_id": "0", "start_time": 1, "tags": given})["run"]["info"]["run_id"]

    pipeline = new()
    task = new(**{"mlflow.parentRunId": pipeline})
    reported(fake, monkeypatch, MLFLOW_TRACKING_URI=server.url, MLFLOW_RUN_ID=task)
    upper, lower = (server.api("runs/get", query=f"?run_id={run_id}")["run"] for run_id in (pipeline, task))
    assert set(SCORES) <= set(values(upper, "metrics")) and values(lower, "metrics") == {}
    assert upper["info"]["status"] == "RUNNING"  # it ends with the pipeline


def test_a_server_that_does_not_answer_is_named_and_the_report_is_whole(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        uri = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        reported(fake, monkeypatch, MLFLOW_TRACKING_URI=uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert f"NOT LOGGED to MLflow at {uri}" in capsys.readouterr().out
    assert fake.arguments()["html"].read_text().endswith("</html>") and fake.arguments()["summary"].is_file()
