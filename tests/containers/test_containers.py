"""What a stage's container gets of this machine, what of its output arrives, and how it is stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
import requests
from command_line import pipeline_py, write_raw

from components.images import ROOT, image_for
from launch.backends.local import kfp_local
from launch.backends.local.isolation.containers import (
    ENGINE_TIMEOUT_SECONDS,
    connect,
    lines,
    remove_abandoned,
    require_images,
    run_container,
)
from launch.backends.local.isolation.places import Place
from launch.backends.local.isolation.processes import RunningStages
from launch.runs.record import is_running
from tests.containers.one_stage import main as one_stage_main

IMAGE = image_for("split_folds")


def test_lines_are_whole_whatever_the_pieces() -> None:
    text = "1%\r2%\r\n\nnö\nlast".encode()
    whole = ["1%", "2%", "", "nö", "last"]
    for size in range(1, len(text) + 1):  # cut within a line end, and within a letter
        assert list(lines(text[start : start + size] for start in range(0, len(text), size))) == whole
    assert list(lines([])) == []
    assert list(lines([b"\xff broken\n"])) == ["\ufffd broken"]


def test_without_an_engine_the_command_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    done = pipeline_py(
        "run", "--raw", str(write_raw(tmp_path / "raw")), "--runner", "docker", "--runs-dir", str(tmp_path / "runs")
    )
    assert done.returncode == 2
    assert "ERROR: --runner docker: no Docker engine answers" in done.stderr
    assert "or run with --runner subprocess" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_images_that_are_not_there_are_named_with_the_way_to_make_them(engine: docker.DockerClient) -> None:
    require_images(engine, [IMAGE])
    with pytest.raises(ValueError, match=r"1 images are not on this machine, such as verdelta-data:0123\. .*make images"):
        require_images(engine, [IMAGE, "verdelta-data:0123"])


def test_connect_finds_the_engine(engine: docker.DockerClient) -> None:
    assert connect().version()["ApiVersion"] == engine.version()["ApiVersion"]


def test_an_engine_that_does_not_answer_in_the_end_does_not_change_what_became_of_the_stage(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = docker.models.containers.Container.remove

    def remove_slowly(container: docker.models.containers.Container, **options: bool) -> None:
        remove(container, **options)
        raise requests.exceptions.ReadTimeout("too slow")

    monkeypatch.setattr(docker.models.containers.Container, "remove", remove_slowly)
    seen: list[str] = []
    place = Place(user="", readable={}, writable=(), network="none", environment={})
    assert run_container(engine, RunningStages(), IMAGE, ["echo", "done"], place, seen.append) == (0, False)
    assert seen == ["done"]


def test_a_container_says_itself_that_a_process_of_it_was_killed_for_memory(engine: docker.DockerClient) -> None:
    """The engine says so too, but for about one container in 300."""
    place = Place(user="", readable={}, writable=(), network="none", environment={}, memory_bytes=32 * 1024 * 1024)
    assert run_container(engine, RunningStages(), IMAGE, ["sh", "-c", "tail /dev/zero; exit 0"], place, print)[0] == 137
    assert run_container(engine, RunningStages(), IMAGE, ["sh", "-c", "exit 3"], place, print) == (3, False)


@pytest.mark.usefixtures("engine")
def test_the_engine_of_a_running_container_has_the_time_that_it_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[docker.DockerClient] = []

    def note(client: docker.DockerClient, *_: object) -> tuple[int, bool]:
        clients.append(client)
        return 0, False

    monkeypatch.setattr(kfp_local, "run_container", note)
    one_stage_main(tmp_path / "run", str(tmp_path), ["true"])
    assert [client.api.timeout for client in clients] == [ENGINE_TIMEOUT_SECONDS]


def one_stage(folder: Path, raw: Path, *command: str) -> subprocess.Popen[str]:
    """Starts a run of one stage; its lines are in logs/stage.log below `folder`."""
    arguments = [sys.executable, "tests/containers/one_stage.py", str(folder), str(raw), *command]
    return subprocess.Popen(arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)


LOOK_AROUND = """
import os, pathlib, socket, sys
def attempt(name, action):
    try:
        action()
        print(name, "allowed")
    except OSError as error:
        print(name, "denied")
print("user", os.getuid())
attempt("reading raw", lambda: list(pathlib.Path(sys.argv[1]).iterdir()))
places = {"raw": sys.argv[1], "root": "/", "/tmp": "/tmp", "code": "/opt/verdelta", "scratch": os.environ["TMPDIR"]}
for name, folder in places.items():
    attempt(f"writing {name}", lambda: pathlib.Path(folder, "new").touch())
attempt("calling out", lambda: socket.create_connection(("1.1.1.1", 53), timeout=3))
"""


@pytest.mark.usefixtures("engine")
def test_a_stage_is_not_root_writes_to_the_runs_folder_alone_and_has_no_network(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    raw.chmod(0o777)
    assert one_stage(tmp_path / "run", raw, "python", "-c", LOOK_AROUND).wait() == 0
    seen = dict(line.rsplit(maxsplit=1) for line in (tmp_path / "run/logs/stage.log").read_text().splitlines())
    assert int(seen.pop("user")) == (os.getuid() or 10001)
    allowed = {name for name, outcome in seen.items() if outcome == "allowed"}
    assert (len(seen), allowed) == (7, {"reading raw", "writing scratch"})


def logged(run: Path, process: subprocess.Popen[str], text: str) -> Path:
    """Waits until the stage of a run has written `text`, and returns its log."""
    log, deadline = run / "logs/stage.log", time.monotonic() + 180
    while not (log.exists() and text in log.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return log


@pytest.mark.usefixtures("engine")
def test_a_progress_bar_is_seen_while_it_moves(tmp_path: Path) -> None:
    process = one_stage(tmp_path / "run", tmp_path, "sh", "-c", "printf '10%%|\\r20%%|\\r'; sleep 600")
    try:
        logged(tmp_path / "run", process, "10%|")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=180)


def test_a_stopped_run_ends_its_container(containers_with: Callable[[str], list[str]], tmp_path: Path) -> None:
    process = one_stage(tmp_path / "run", tmp_path, "sh", "-c", "echo asleep; sleep 600; echo awake")
    try:
        log = logged(tmp_path / "run", process, "asleep")
        assert containers_with("echo awake") == ["running"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=180) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert "awake" not in log.read_text()
    assert containers_with("echo awake") == []


def test_a_launcher_that_is_killed_takes_its_container_along(
    engine: docker.DockerClient, containers_with: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """Nobody is left who could remove it: the next command does."""
    process = one_stage(tmp_path / "run", tmp_path, "sh", "-c", "echo asleep; sleep 600; echo on its own")
    try:
        logged(tmp_path / "run", process, "asleep")
        assert remove_abandoned(engine, tmp_path, is_running) == 0 and containers_with("echo on its own") == ["running"]
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 60
    while containers_with("echo on its own") == ["running"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert containers_with("echo on its own") == ["exited"]
    assert remove_abandoned(engine, tmp_path / "another", is_running) == 0
    assert remove_abandoned(engine, tmp_path, is_running) == 1
    assert containers_with("echo on its own") == []


def test_a_stage_that_is_told_to_end_hears_it_and_may_take_its_time(tmp_path: Path) -> None:
    """As kfp starts it: from a shell, which would end at the signal, and the container with it."""
    save = "lambda *_: (time.sleep(3), print('saved'), sys.exit())"
    code = f"import signal, sys, time; signal.signal(15, {save}); print('asleep'); time.sleep(600)"
    shell = f'_KFP_RUNTIME=true python3 -u -c "{code}"\n\n'
    process = one_stage(tmp_path / "run", tmp_path, "sh", "-ec", shell)
    try:
        log = logged(tmp_path / "run", process, "asleep")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=180) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert "saved" in log.read_text()
