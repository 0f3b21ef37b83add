"""What can change a result is in the cache's keys: Python, variables, processor; and every variable that stages read is known."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.images import ROOT, image_for
from components.settings import STAGES
from launch.backends.local.cache import computed_by as module
from launch.backends.local.cache.computed_by import computed_by, devices, matters
from launch.backends.local.cache.stage_cache import StageCache

TENSORS, SUMS = {"train", "predict"}, {"train", "predict", "calibrate"}
# Read, and without influence on what is computed: beginnings of names, by who reads them.
READ = {
    "this project": ("MLFLOW_", "VERDELTA_", "KERAS_DISTRIBUTION_", "DISABLE_GCS_"),
    "this test": ("PYTEST", "PY_COLORS", "NO_COLOR", "FORCE_COLOR", "CI"),
    "Python and the system": ("PATH", "HOME", "TMP", "TEMP", "LANG", "LC_", "XDG_", "USER", "TERM", "COLUMNS", "LINES", "SHELL"),
    "Python": ("PYTHON", "_PYTHON", "PY_SAX_PARSER", "SOURCE_DATE_EPOCH", "WRAPT_DISABLE_EXTENSIONS"),
    "the network": ("SSL_CERT_", "REQUESTS_", "CURL_", "GRPC_", "CLOUD", "HTTP", "NO_PROXY", "http", "no_proxy"),
    "processes": ("JOBLIB_", "LOKY_"),
    "memory and files": ("PILLOW_", "HDF5_PLUGIN_PATH"),
    "what is said": (
        "_KFP_RUNTIME",
        "AUTOGRAPH_VERBOSITY",
        "ENABLE_RUNTIME_UPTIME_TELEMETRY",
        "TEMPORARILY_DISABLE_PROTOBUF_VERSION_CHECK",
    ),
    "tests of others": ("ABSL_", "TEST_", "TF2_BEHAVIOR"),
}


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., set[str]]:
    """A function that sets variables and returns the stages whose keys are other ones then."""
    for name in [name for name in os.environ if matters(name, "train")]:
        monkeypatch.delenv(name)

    def keys(in_containers: bool) -> dict[str, str]:
        cache = StageCache(str(tmp_path), computed_by(in_containers))
        return {stage: cache.compute_key(stage, image_for(stage), [], {}) for stage in STAGES}

    def other(in_containers: bool = False, **variables: str) -> set[str]:
        before = keys(in_containers)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return {stage for stage, key in keys(in_containers).items() if key != before[stage]}

    return other


@pytest.mark.parametrize(
    ("variables", "stages"),
    [
        ({"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}, TENSORS),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, TENSORS),
        ({"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"}, TENSORS),
        ({"JAX_PLATFORMS": "cpu"}, TENSORS),
        ({"JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"}, TENSORS),
        ({"NVIDIA_TF32_OVERRIDE": "0"}, TENSORS),
        ({"KERAS_BACKEND": "jax"}, TENSORS),
        ({"OMP_NUM_THREADS": "1"}, TENSORS),
        ({"PANDAS_FUTURE_INFER_STRING": "0"}, set(STAGES)),
        ({"PYTHONHASHSEED": "7"}, set(STAGES)),
        ({"TF_CPP_MIN_LOG_LEVEL": "0"}, set()),
        ({"TF_CLI_CONFIG_FILE": "/home/someone/.terraformrc"}, set()),  # Terraform's
        ({"CUDA_VISIBLE_DEVICES": "1"}, set()),  # which of several equal ones
        ({"MLFLOW_TRACKING_URI": "http://localhost"}, set()),
    ],
)
def test_variables_that_change_what_is_computed_change_the_keys(
    changed: Callable[..., set[str]], variables: dict[str, str], stages: set[str]
) -> None:
    assert changed(**variables) == stages
    assert changed(in_containers=True, **variables) == set()  # which are given none of them


def test_another_processor_changes_the_keys_of_the_stages_that_add_up_fractions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("model name\t: One\nflags\t\t: fpu avx2 sse4_1\n\nmodel name\t: One\nflags\t\t: fpu avx2 sse4_1\n")
    monkeypatch.setattr(module, "CPU_INFO", told)
    assert module.processor().endswith("cores avx2 sse4_1")
    one = computed_by(in_containers=True)
    told.write_text("model name\t: One\nflags\t\t: fpu avx2 avx512f sse4_1\n")
    other = computed_by(in_containers=True)
    assert {stage for stage in STAGES if one[image_for(stage)] != other[image_for(stage)]} == SUMS
    monkeypatch.setattr(module, "available_cores", lambda: 96)
    assert " 96 cores " in module.processor()


def test_another_python_changes_all_keys_but_those_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    here, in_containers = computed_by(in_containers=False), computed_by(in_containers=True)
    monkeypatch.setattr(module.platform, "python_version", lambda: "3.13.99")
    assert {image for image, key in computed_by(in_containers=False).items() if key == here[image]} == set()
    assert computed_by(in_containers=True) == in_containers


def test_the_settings_of_keras_change_the_keys_of_training_and_its_own_defaults_do_not(
    changed: Callable[..., set[str]], tmp_path: Path
) -> None:
    (tmp_path / "keras").mkdir()
    said = {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}
    (tmp_path / "keras/keras.json").write_text(json.dumps(said))
    assert changed(KERAS_HOME=str(tmp_path / "none")) == set()
    assert changed(KERAS_HOME=str(tmp_path / "keras")) == set()
    (tmp_path / "keras/keras.json").write_text(json.dumps({**said, "epsilon": 1e-3}))
    assert changed(KERAS_HOME=str(tmp_path / "none")) == TENSORS


def test_gpus_are_known_by_their_number_and_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text("Model: \t\t NVIDIA L4\nIRQ:   \t\t 24\n")
    monkeypatch.setattr(module, "GPU_MODELS", (str(tmp_path), "*/information"))
    assert devices(["0", "1", "2", "3"], parallel=2) == ["2 of NVIDIA L4"]
    assert devices(["0"], parallel=2) == ["1 of NVIDIA L4"]
    assert devices([], parallel=1) == []


LISTENING = """
import collections.abc, json, os, sys
read = set()
original = os.environ
class Listening(collections.abc.MutableMapping):
    def __getitem__(self, name): read.add(name); return original[name]
    def __setitem__(self, name, value): original[name] = value
    def __delitem__(self, name): del original[name]
    def __iter__(self): return iter(original)
    def __len__(self): return len(original)
    def copy(self): return dict(original)
os.environ = Listening()
os.getenv = lambda name, default=None: os.environ.get(name, default)
from pathlib import Path
from one_process_run import OneProcessRun
OneProcessRun(Path(sys.argv[1]))
Path(sys.argv[2]).write_text(json.dumps(sorted(map(os.fsdecode, read))))
"""


def test_every_variable_that_the_stages_read_is_in_the_keys_or_known_to_be_harmless(
    tmp_path: Path, record_property: Callable[..., None]
) -> None:
    """What Python code reads; of what the libraries' own code reads, only the beginnings of names are known."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # whoever copies all reads all
    environment = {**kept, "PYTHONPATH": path}
    command = [sys.executable, "-c", LISTENING, str(tmp_path / "run"), str(tmp_path / "read.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    read = json.loads((tmp_path / "read.json").read_text())
    known = tuple(beginning for beginnings in READ.values() for beginning in beginnings)
    in_keys = [name for name in read if matters(name, "train")]
    unknown = [name for name in read if not matters(name, "train") and not name.startswith((*known, *module.HARMLESS))]
    assert unknown == []
    assert "KERAS_BACKEND" in in_keys
    record_property("count", f"{len(read)} variables read by all stages: {len(in_keys)} in the keys, others harmless")
