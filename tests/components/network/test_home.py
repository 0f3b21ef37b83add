"""Training and predicting are the same whatever lies in the user's home folder: an old Keras leaves settings there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples_fixture import write_examples

from components.images import ROOT

PLAIN = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow"}


def predictions(examples: Path, output: Path, home: Path) -> bytes:
    """What a process with that home folder trains and predicts."""
    program = [sys.executable, str(ROOT / "tests/support/train_and_predict.py"), str(examples), str(output)]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_HOME"} | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}",
        "KERAS_BACKEND": "tensorflow",
        "SMALL_ENCODER": "1",
        "HOME": str(home),
    }
    if os.geteuid() == 0:  # whom no mode of a folder keeps from writing
        program = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *program]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (output / "predictions/predictions.csv").read_bytes()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def expected(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    home = tmp_path_factory.mktemp("home")
    return predictions(examples, home / "output", home)


@pytest.mark.parametrize(
    "changed",
    [{"image_data_format": "channels_first"}, {"floatx": "float16", "epsilon": 0.1, "backend": "torch"}],
    ids=["channels_first", "all else"],
)
def test_keras_json_changes_nothing(examples: Path, tmp_path: Path, expected: bytes, changed: dict) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps(PLAIN | changed))
    assert predictions(examples, tmp_path / "output", tmp_path) == expected


@pytest.mark.parametrize("home", ["read-only/missing", "read-only"])
def test_a_home_that_cannot_be_written_changes_nothing(examples: Path, tmp_path: Path, expected: bytes, home: str) -> None:
    (tmp_path / "read-only").mkdir(mode=0o555)
    assert predictions(examples, tmp_path / "output", tmp_path / home) == expected
    assert not list((tmp_path / "read-only").iterdir())
