"""A stage whose container dies fails the run, every time and in words; nothing of it is left in the engine."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from kfp import dsl

from components.images import image_for
from launch.kfp_local import LocalRun
from launch.record import RunRecord
from launch.terminal import Terminal

TRIES = 100
IMAGE = image_for("split_folds")
DEATHS = {  # shell command, what the run must say, tries
    "exit 3 at once": ("exit 3", "exit status 3; its last line: it wrote nothing", TRIES),
    "exit 3 after a line": ("echo no luck; exit 3", "exit status 3; its last line: no luck", 3),
    "killed by a signal": ("kill -KILL $$", "ended by SIGKILL", TRIES),
    "crashed": ("kill -SEGV $$", "ended by SIGSEGV", 3),
    "out of memory": ("exec tail /dev/zero", "ran out of memory", TRIES),
    "a worker out of memory": ("tail /dev/zero; exit 0", "ran out of memory", 3),
}


def dying(command: str) -> Callable[..., Any]:
    """A pipeline of one stage, which runs a shell command in its container."""

    @dsl.container_component
    def stage():
        return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", command])

    @dsl.pipeline(name="dying")
    def pipeline():
        stage().set_memory_limit("32M").set_caching_options(False)

    return pipeline


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def write_note(note: dsl.Output[dsl.Dataset], text: str):
    """Writes a note, unless there is nothing to write."""
    import pathlib

    if text:
        pathlib.Path(note.path).mkdir()
        pathlib.Path(note.path, "note.txt").write_text(text)


@dsl.pipeline(name="writing")
def writing(text: str):
    """A pipeline of one stage, which writes a note."""
    write_note(text=text).set_caching_options(False)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[LocalRun]:
    """One local run after the other, in containers."""

    def endless() -> Iterator[LocalRun]:
        for number in itertools.count():
            folder = tmp_path / f"run-{number}"
            folder.mkdir()
            with Path(os.devnull).open("w") as nowhere:
                record = RunRecord(folder, None, {})
                yield LocalRun(folder, tmp_path / ".cache", record, Terminal(nowhere), containers=True)
                record.close()

    return endless()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("death", DEATHS)
def test_a_container_that_dies_fails_the_run_every_time(runs: Iterator[LocalRun], death: str) -> None:
    command, reason, tries = DEATHS[death]
    pipeline = dying(command)
    for number, run in zip(range(tries), runs, strict=False):
        assert not run.execute(pipeline, {}), f"try {number} was taken for a success"
        (failure,) = run.failures
        assert (failure.stage, reason in failure.reason) == ("stage", True), f"try {number}: {failure}"


@pytest.mark.usefixtures("engine")
def test_a_container_that_leaves_its_output_out_fails_the_run_every_time(runs: Iterator[LocalRun]) -> None:
    for number, run in zip(range(TRIES), runs, strict=False):
        assert not run.execute(writing, {"text": ""}), f"try {number} was taken for a success"
        (failure,) = run.failures
        assert "did not write note, which it declares as output" in failure.reason, f"try {number}: {failure}"


@pytest.mark.usefixtures("engine")
def test_a_container_that_does_its_work_is_a_success(runs: Iterator[LocalRun]) -> None:
    run = next(runs)
    assert run.execute(writing, {"text": "done"})
    assert (Path(run.outputs["write_note"]["note"]) / "note.txt").read_text() == "done"


def test_no_container_is_left_behind(engine: docker.DockerClient, runs: Iterator[LocalRun]) -> None:
    next(runs).execute(dying("exit 3"), {})
    assert engine.containers.list(all=True, filters={"ancestor": IMAGE}) == []
