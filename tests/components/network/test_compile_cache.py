"""Programs that XLA compiled for one process are there for the next, whatever becomes of the place where they are kept."""

import ast
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from gcs_server import BUCKET, gcs_server

from components.images import ROOT
from components.network.store import FolderStore

JAX_PYTHON = ROOT / ".venv-jax/bin/python"
# Two programs, the second one slow to compile; what they give, and JAX's own count of what it compiled and what it found.
COMPUTE = """
import collections, sys
from components.network.compile_cache import keep_programs
import jax, numpy
from jax import monitoring
events = collections.Counter()
monitoring.register_event_listener(lambda event, **_: events.update([event.rpartition("/")[2]]))
keep_programs()
def long(values):
    for number in range(200):
        values = jax.numpy.sin(values * number)
    return values
numbers = numpy.array([1.0, 2.0], numpy.float32)
print([float(jax.jit(lambda values: values.sum() + 1)(numbers)), float(jax.jit(long)(numbers)[0])])
print([events["cache_misses"], events["cache_hits"]])
"""


def start(place: Path | str, *, within: Sequence[str] = (), **variables: str) -> subprocess.Popen:
    if not JAX_PYTHON.exists():
        pytest.skip(f"no {JAX_PYTHON}: make .venv-jax/done")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    environment |= {"VERDELTA_COMPILE_CACHE": str(place), **variables}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*within, JAX_PYTHON, "-c", COMPUTE], env=environment, **pipes)


def finish(process: subprocess.Popen) -> tuple[list[float], list[int], list[str]]:
    """Results, [compiled, found], and warnings."""
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    *said, results, counts = output.splitlines()
    assert "Error reading persistent" not in errors and "Error writing persistent" not in errors
    return ast.literal_eval(results), ast.literal_eval(counts), said


def programs(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_file()]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float], int]:
    """A place that a first process has filled; its results, and how many programs it compiled."""
    place = tmp_path_factory.mktemp("filled") / "programs"
    results, (compiled, found), said = finish(start(place))
    assert compiled >= 2 and found == 0 and said == []
    assert len(programs(place)) == compiled
    return place, results, compiled


def test_a_second_process_compiles_nothing(filled: tuple[Path, list[float], int]) -> None:
    place, results, compiled = filled
    assert finish(start(place)) == (results, [0, compiled], [])


def test_five_processes_at_once_end_right_and_compile_each_program_once(
    filled: tuple[Path, list[float], int], tmp_path: Path
) -> None:
    ended = [finish(process) for process in [start(tmp_path / "programs") for _ in range(5)]]
    assert [results for results, _, _ in ended] == [filled[1]] * 5
    assert sum(compiled for _, (compiled, _), _ in ended) == filled[2]
    assert len(programs(tmp_path / "programs")) == filled[2]


def test_a_damaged_program_is_said_compiled_and_kept_anew(filled: tuple[Path, list[float], int]) -> None:
    place, results, compiled = filled
    long, cut = sorted(programs(place), key=lambda path: path.stat().st_size)[-2:]
    cut.write_bytes(cut.read_bytes()[:-100])
    changed = bytearray(long.read_bytes())
    changed[len(changed) // 2] ^= 1
    long.write_bytes(changed)
    found, counts, said = finish(start(place))
    assert (found, counts) == (results, [2, compiled - 2])
    assert len(said) == 2 and all("is damaged where it is kept, and compiled anew" in line for line in said)
    assert finish(start(place)) == (results, [0, compiled], [])


@pytest.mark.parametrize("place", ["/proc/programs", "/dev/null/programs"])
def test_a_place_that_cannot_be_written_is_said_once(filled: tuple[Path, list[float], int], place: str) -> None:
    results, _, said = finish(start(place))
    assert results == filled[1]
    assert len(said) == 1 and said[0].startswith(f"warning: VERDELTA_COMPILE_CACHE={place} cannot be used")


def test_a_place_that_can_only_be_read_is_said_once_and_ignored(filled: tuple[Path, list[float], int]) -> None:
    """XLA must write its notes on autotuning beside the programs, so that none is taken from there."""
    place, results, compiled = filled
    kept = {path.name: path.stat().st_mtime_ns for path in programs(place)}
    mount = f'mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec "$@"'  # as nothing else keeps root out
    found, counts, said = finish(start(place, within=("unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh")))
    assert (found, counts) == (results, [compiled, 0])
    assert len(said) == 1 and "compiled programs cannot be kept" in said[0] and "Read-only file system" in said[0]
    assert {path.name: path.stat().st_mtime_ns for path in programs(place)} == kept


def test_without_a_place_nothing_is_kept(filled: tuple[Path, list[float], int]) -> None:
    assert finish(start("")) == (filled[1], [0, 0], [])


def test_a_bucket_keeps_programs_too(filled: tuple[Path, list[float], int]) -> None:
    with gcs_server() as url:
        place = f"gs://{BUCKET}/runs/programs"
        assert finish(start(place, STORAGE_EMULATOR_HOST=url)) == (filled[1], [filled[2], 0], [])
        assert finish(start(place, STORAGE_EMULATOR_HOST=url)) == (filled[1], [0, filled[2]], [])


def test_a_bucket_that_is_not_there_is_said_once(filled: tuple[Path, list[float], int]) -> None:
    with gcs_server() as url:
        results, _, said = finish(start("gs://another/programs", STORAGE_EMULATOR_HOST=url))
    assert results == filled[1]
    assert len(said) == 1 and said[0].startswith("warning: compiled programs cannot be kept")


def test_what_was_used_longest_ago_goes_when_the_bound_is_passed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "programs", most_bytes=1000)
    for age, key in enumerate("abcd"):
        store.write(key, [key.encode() * 300])
        os.utime(tmp_path / "programs" / key, (1000 + age, 1000 + age)) if key != "d" else None
        if key == "c":
            assert store.read("a") == b"a" * 300  # from now on b is the oldest
    assert store.read("b") is None
    assert [store.read(key) for key in "acd"] == [key.encode() * 300 for key in "acd"]
    assert sorted(path.name for path in (tmp_path / "programs").iterdir()) == ["a", "c", "d"]
