"""What a user's account may be like: a pipe that nobody reads, another language, another Keras backend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import in_process, write_raw

from components.images import ROOT


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw")


def command(arguments: list[str], **environment: str) -> dict:
    """What `subprocess.run` takes to run the command line."""
    return {
        "args": [sys.executable, "pipeline.py", *arguments],
        "cwd": ROOT,
        "env": {**os.environ, **environment},
        "stderr": subprocess.PIPE,
    }


@pytest.mark.parametrize("arguments", [["check", "--raw"], ["list", "--runs-dir"], ["run", "--help"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_read_enough_is_no_error(raw: Path, arguments: list[str]) -> None:
    """As after `| head -0`: nobody reads from the start."""
    read, write = os.pipe()
    os.close(read)
    arguments = [*arguments, str(raw)] if arguments[-1].startswith("--r") else arguments
    done = subprocess.run(**command(arguments), stdout=write, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode in (0, 141)


def test_a_reader_of_one_line_ends_check_without_a_traceback(raw: Path) -> None:
    with subprocess.Popen(**command(["check", "--raw", str(raw)], PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said and "BrokenPipe" not in said
    assert process.returncode in (0, 141)  # 0 where all was written before


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}],
    ids=["C", "ASCII", "Latin 1"],
)
def test_names_in_any_language_are_shown_on_any_terminal(raw: Path, environment: dict[str, str]) -> None:
    photo = raw / "train_dataset/LT/LT_01/DAT02.png"
    for name in ("상추 DAT03.png", "Größe DAT03.png"):
        (photo.parent / name).write_bytes(b"no photo")
    environment = environment if environment.get("PYTHONUTF8") != "0" else {**environment, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(**command(["check", "--raw", str(raw)], **environment), stdout=subprocess.PIPE, check=False)
    assert done.returncode == 1, done
    said = done.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8"))
    assert "two photos of one day" in said
    assert "Traceback" not in said + done.stderr.decode()


@pytest.mark.parametrize("backend", ["torch", "numpy", "openvino"])
def test_another_keras_backend_is_refused_before_anything_runs(raw: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = raw.parent / "runs"
    monkeypatch.setenv("KERAS_BACKEND", backend)
    done = in_process("run", "--raw", str(raw), "--runs-dir", str(runs), "--set", "num_folds=2")
    assert done.returncode == 2
    assert f"ERROR: KERAS_BACKEND={backend}: expected tensorflow or jax; unset the variable" in done.stderr
    assert not runs.exists()


@pytest.mark.parametrize("name", ["{{$}}", "{{$.inputs.parameters['raw']}}"])
def test_a_path_that_kubeflow_pipelines_would_change_is_refused_before_anything_runs(raw: Path, name: str) -> None:
    place = raw.rename(raw.with_name(name))
    done = in_process("run", "--raw", str(place), "--runs-dir", str(raw.parent / "runs"), "--set", "num_folds=2")
    assert done.returncode == 2
    assert f"ERROR: {place}: Kubeflow Pipelines would put something else in the place of" in done.stderr
    assert not (raw.parent / "runs").exists()


@pytest.mark.parametrize("home", ["missing", "unset", "read-only"])
def test_check_needs_no_home(raw: Path, home: str) -> None:
    place = raw.parent / "home"
    if home == "read-only":
        place.mkdir(mode=0o555)
    found = command(["check", "--raw", str(raw)], HOME=str(place))
    if home == "unset":
        del found["env"]["HOME"]
    if os.geteuid() == 0:
        found["args"] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *found["args"]]
    done = subprocess.run(**found, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0, done
    assert done.stderr == b""
    assert not place.exists() or not list(place.iterdir())
