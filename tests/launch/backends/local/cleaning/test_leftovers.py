"""What runs that were killed left behind is gone with the next command, and nothing of runs that go on."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.images import ROOT
from components.sample_dataset.settings import SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset
from launch.backends.local.cleaning.leftovers import ALIVE, HALF_WRITTEN, among_runs
from launch.runs.record import LOCK, RunRecord, is_running

# Begins a run with a temporary folder and files half written, says so, and waits to be killed.
RUN = """
import sys, time
from pathlib import Path
from launch.backends.local.cleaning.leftovers import among_runs
from launch.runs.record import RunRecord
runs, temporary = Path(sys.argv[1]), Path(sys.argv[2])
(runs / "one/artifacts/stage").mkdir(parents=True)
record = RunRecord(runs / "one", None, {})
with among_runs(runs), record.scratch(temporary) as scratch:
    (scratch / "decoded").write_text("images")
    (runs / "one/artifacts/stage/.partial-0123.csv").write_text("half")
    (runs / "one/artifacts/stage/whole.csv").write_text("whole")
    (runs / ".training").mkdir()
    (runs / ".training/.partial-0123").write_text("half")
    (runs / ".training/0123").write_text("whole")
    print("begun", flush=True)
    time.sleep(600)
"""


def begun(code: str, *arguments: Path) -> subprocess.Popen[str]:
    """A process that has said so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_a_killed_run_left_is_gone_with_the_next_one_and_nothing_else(tmp_path: Path) -> None:
    runs, temporary = tmp_path / "runs", tmp_path / "tmp"
    temporary.mkdir()
    (temporary / "verdelta-somebody-else").mkdir()
    process = begun(RUN, runs, temporary)
    try:
        before = files(tmp_path)
        assert len(before) == 8 and is_running(runs / "one")
        with among_runs(runs):
            assert files(tmp_path) == before, "it goes on"
    finally:
        process.kill()
        process.wait()
    with among_runs(runs):
        left = {"runs/one/run.json", "runs/one/artifacts/stage/whole.csv", "runs/.training/0123", f"runs/{ALIVE}"}
        assert files(tmp_path) == left
    assert [path.name for path in temporary.iterdir()] == ["verdelta-somebody-else"]


def test_a_run_that_ends_leaves_nothing_to_clear(tmp_path: Path) -> None:
    (tmp_path / "runs/one").mkdir(parents=True)
    record = RunRecord(tmp_path / "runs/one", None, {})
    with record.scratch(tmp_path) as scratch:
        assert (record.folder / LOCK).read_text() == f"{scratch}\n" and scratch.stat().st_mode & 0o777 == 0o700
    record.close()
    assert files(tmp_path) == {"runs/one/run.json"} and not scratch.exists()


def test_no_folder_that_is_not_a_runs_is_removed_whatever_the_file_says(tmp_path: Path) -> None:
    folder = tmp_path / "runs/one"
    (tmp_path / "mine").mkdir()
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / LOCK).write_text(f"{tmp_path}/mine\n/\n\n..\n")
    with among_runs(tmp_path / "runs"):
        assert (tmp_path / "mine").is_dir() and not (folder / LOCK).exists()


def test_what_runs_share_waits_until_no_other_goes_on(tmp_path: Path) -> None:
    names = [pattern.replace("*", "0123") for pattern in HALF_WRITTEN]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with (tmp_path / ALIVE).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with among_runs(tmp_path):
            assert files(tmp_path) == {ALIVE, *names}
    with among_runs(tmp_path), among_runs(tmp_path):
        assert files(tmp_path) == {ALIVE}


WRITE = """
import sys
from pathlib import Path
from components.sample_dataset import write
from components.sample_dataset.settings import SampleDatasetSettings
if __name__ == "__main__":
    print("begun", flush=True)
    write.write_sample_dataset(Path(sys.argv[1]), SampleDatasetSettings(), workers=2)
"""


def children(process: int) -> list[int]:
    """The processes that a process has started, and those that have been started by these."""
    own = [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [*own, *(each for child in own for each in children(child))]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["raw", "with [brackets]"])
def test_killed_while_it_writes_the_sample_data_leaves_no_process_and_the_next_one_no_half(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    script = tmp_path / "write.py"
    script.write_text(WRITE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, script, output], env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(list(tmp_path.glob(".*.partial-*/train_dataset/*/*/*"))) >= 2)
        workers = children(process.pid)
        assert len(workers) == 3  # multiprocessing's own, too
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not any(map(alive, workers)))
    half = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert half == [f".{name}.partial-{process.pid}"]
    write_sample_dataset(
        output, SampleDatasetSettings(series_per_species=4, days=8, width=32, height=24, test_pairs=8), workers=1
    )
    assert {path.name for path in tmp_path.iterdir()} == {name, "write.py"}
