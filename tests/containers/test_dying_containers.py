"""A stage whose container dies fails the run, every time and in words; nothing of it is left in the engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.images import image_for
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.terminal import Terminal
from launch.runs.record import STAGE_FAILED, RunRecord

# What is read too late is missed now and then, of any container alike: of the one that ends first there are the most tries.
TRIES, OTHERS = 100, 25
IMAGE = image_for("split_folds")
MISSING = "did not write note, which it declares as output"
DEATHS = {  # shell command, what the run must say, tries
    "exit 3 at once": ("exit 3", "exit status 3; its last line: it wrote nothing", TRIES),
    "exit 3 after a line": ("echo no luck; exit 3", "exit status 3; its last line: no luck", 3),
    "killed by a signal": ("kill -KILL $$", "ended by SIGKILL", OTHERS),
    "crashed": ("kill -SEGV $$", "ended by SIGSEGV", 3),
    "out of memory": ("exec tail /dev/zero", "ran out of memory", OTHERS),
    "a worker out of memory": ("tail /dev/zero; exit 0", "ran out of memory", OTHERS),
    "its output missing": ("exit 0", MISSING, OTHERS),
}


def dying(command: str) -> Callable[..., Any]:
    """A pipeline with a stage for each fold, which runs a shell command in its container."""

    @dsl.container_component
    def stage(note: dsl.Output[dsl.Dataset], fold: int):  # noqa: ARG001
        return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", command])

    @dsl.pipeline(name="dying")
    def pipeline(folds: list):
        with dsl.ParallelFor(folds) as fold:
            stage(fold=fold).set_memory_limit("32M").set_caching_options(False)

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
def run(tmp_path: Path) -> Iterator[LocalRun]:
    """A local run in containers, two stages at a time."""
    with (tmp_path / "terminal").open("w") as lines:
        record = RunRecord(tmp_path, None, {})
        yield LocalRun(tmp_path, tmp_path / ".cache", record, Terminal(lines), parallel=2, containers=True)
        record.close()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("death", DEATHS)
def test_a_container_that_dies_fails_its_stage_and_the_run_every_time(run: LocalRun, death: str) -> None:
    """kfp.local works through a loop to its end whatever fails in it, so one run is as many tries as it has folds."""
    command, reason, tries = DEATHS[death]
    assert not run.execute(dying(command), {"folds": list(range(tries))})
    assert sorted(entry.fold for entry in run.record.stages if entry.state == STAGE_FAILED) == list(range(tries))
    assert sorted(failure.fold for failure in run.failures) == list(range(tries))
    assert [failure for failure in run.failures if failure.stage != "stage" or reason not in failure.reason] == []


@pytest.mark.usefixtures("engine")
def test_a_stage_that_leaves_its_output_out_fails_the_run(run: LocalRun) -> None:
    assert not run.execute(writing, {"text": ""})
    (failure,) = run.failures
    assert (failure.stage, MISSING in failure.reason) == ("write_note", True), failure


@pytest.mark.usefixtures("engine")
def test_a_container_that_does_its_work_is_a_success(run: LocalRun) -> None:
    assert run.execute(writing, {"text": "done"})
    assert (Path(run.outputs["write_note"]["note"]) / "note.txt").read_text() == "done"


def test_no_container_is_left_behind(containers_with: Callable[[str], list[str]], run: LocalRun) -> None:
    run.execute(dying("echo behind; exit 3"), {"folds": [0, 1]})
    assert [failure.reason for failure in run.failures] == ["exit status 3; its last line: behind"] * 2
    assert containers_with("echo behind") == []
