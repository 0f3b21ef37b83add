"""What GPUs and TPUs compute with: the same code trains and predicts under JAX, on any number of devices and processes.

XLA compiles with its cheapest options here: the tests are about what is computed, not how fast.
"""

import json
import os
import socket
import subprocess
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from examples_fixture import write_examples
from train_and_predict import PREDICT, SMALL_TRAIN

from components.images import ROOT
from components.network.devices import PROCESS_VARIABLES, several_processes
from components.network.infer import encode, pair_days
from components.network.model import split_model
from components.predict.predict import predict
from components.train.fit import load_fold
from tests.benchmarks.accelerator import BASE

JAX_PYTHON = ROOT / ".venv-jax/bin/python"
QUICK_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
TWO_DEVICES = "--xla_force_host_platform_device_count=2"
RESULTS = {
    "history/history.csv": ["loss", "rmse_days", "val_rmse_days"],
    "out_of_fold/out_of_fold.csv": ["prediction_days"],
    "predictions/predictions.csv": ["prediction_days", "view_0", "view_1"],
}


# The benchmark of one variant, where JAX takes the CPU's client for one that counts no operations, as GPUs' and TPUs' are.
ON_A_DEVICE = """
import json, sys
from jax._src import xla_bridge
from shallow_encoder import shallow_encoders
from tests.benchmarks import accelerator_step, timing
xla_bridge.using_pjrt_c_api = lambda _: True
accelerator_step.PHOTOS, timing.SECONDS = 8, 0.0
with shallow_encoders():
    print(json.dumps(accelerator_step.measure(json.loads(sys.argv[1]))))
"""


# One job, the second part of which counts by name what JAX compiled, and found compiled.
COUNTED = """
import collections, json, sys
from pathlib import Path
from jax import monitoring
from jax._src import compiler
import train_and_predict
named, events = collections.Counter(), collections.Counter()
monitoring.register_event_listener(lambda event, **_: events.update([event.rpartition("/")[2]]))
compile_or_get = compiler.compile_or_get_cached
def counted(backend, program, *rest, **more):
    named[program.operation.attributes["sym_name"].value] += 1
    return compile_or_get(backend, program, *rest, **more)
compiler.compile_or_get_cached = counted
train_and_predict.PREDICT = train_and_predict.PredictSettings(tta_views=2, prediction_batch_size=12)
train_and_predict.main(*map(Path, sys.argv[1:]))
print(json.dumps([named, events["cache_misses"], events["cache_hits"]]))
"""


# Three steps that keep what JAX would, and three that compute twice: their losses, and the bytes that are kept for the way back.
TWICE = """
import dataclasses, json
import jax, keras, numpy
from jax._src.ad_checkpoint import saved_residuals
from shallow_encoder import shallow_encoders
from train_and_predict import TRAIN
from components.network.model import build_model
from components.train.ahead import lower_step
from components.train.optimizer import compile_model
rng = numpy.random.default_rng(0)
photos = rng.integers(0, 256, (2, 3, 32, 32, 3), "uint8")
batch = photos, rng.normal(size=(2, 3, 1)).astype("float32"), numpy.ones((2, 3), "float32")
for twice in (False, True):
    keras.utils.set_random_seed(1)
    settings = dataclasses.replace(TRAIN, rematerialize=twice)
    with shallow_encoders():
        network = build_model(settings)
    compile_model(network, settings)
    lowered = lower_step(network, settings)
    names = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    state = network._get_jax_state(**dict.fromkeys(names, True))
    trainable, other, optimizer, metrics = state
    loss = lambda weights: network.compute_loss_and_updates(
        weights, other, metrics, *batch, training=True, optimizer_variables=optimizer)[0]
    kept = sum(aval.size * aval.dtype.itemsize for aval, why in saved_residuals(loss, trainable) if "argument" not in why)
    step, losses = lowered.compile(), []
    temporaries = step.memory_analysis().temp_size_in_bytes
    for _ in range(3):
        logs, state = step(state, batch)
        losses.append(float(logs["loss"]))
    print(json.dumps([losses, kept, temporaries]))
"""


def start(*arguments: Path | str, flags: str = "", **variables: str) -> subprocess.Popen:
    """Starts a Python process with the JAX backend on the CPU: train_and_predict.py, or what `-c` gives it."""
    if not JAX_PYTHON.exists():
        pytest.skip(f"no {JAX_PYTHON}: make .venv-jax/done")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    environment |= {"XLA_FLAGS": f"{QUICK_TO_COMPILE} {flags}", **variables}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = arguments if arguments[0] == "-c" else (ROOT / "tests/support/train_and_predict.py", *arguments)
    return subprocess.Popen([JAX_PYTHON, *command], env=environment, **pipes)


def finish(*processes: subprocess.Popen) -> None:
    for process in processes:
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output


def columns(folder: Path) -> dict[str, np.ndarray]:
    return {file: pd.read_csv(folder / file)[names].to_numpy() for file, names in RESULTS.items()}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFRecords and tables of four train series and one test series."""
    return write_examples(tmp_path_factory.mktemp("jax"))


@pytest.fixture(scope="module")
def trained(examples: Path) -> Path:
    """What one process on one device made of the examples, with the small encoder."""
    finish(start(examples, examples.parent / "one", SMALL_ENCODER="1"))
    return examples.parent / "one"


def test_the_saved_model_is_the_one_that_was_validated(examples: Path, trained: Path) -> None:
    """Averaged weights and re-estimated statistics are what is saved, and not what the optimizer went on with."""
    encoder, head = split_model(keras.saving.load_model(trained / "model/model.keras", compile=False))
    data = load_fold(examples, SMALL_TRAIN)
    features = encode(encoder, data.images, batch_size=4)
    days = pair_days(head, features, data.validation["before"].to_numpy(), data.validation["after"].to_numpy())
    out_of_fold = pd.read_csv(trained / "out_of_fold/out_of_fold.csv").set_index("pair_id")
    expected = out_of_fold.loc[data.validation["pair_id"], "prediction_days"]
    assert np.ptp(days) > 1e-3  # different pairs get different days
    np.testing.assert_allclose(days, expected, atol=1e-4)


def test_every_epoch_is_in_the_history(trained: Path) -> None:
    history = pd.read_csv(trained / "history/history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert np.isfinite(history[["loss", "rmse_days", "val_rmse_days"]]).all(axis=None)
    assert history["loss"].nunique() == 2


def test_two_devices_train_and_predict_what_one_does(examples: Path, trained: Path, tmp_path: Path) -> None:
    """Float32 sums over two halves of a batch round otherwise than over the whole: 1e-6 of a value per step, grown to ten times
    that by 12 steps of Adam. Statistics of half a batch each, or other images left out, would change the first digits.
    """
    finish(start(examples, tmp_path, flags=TWO_DEVICES, SMALL_ENCODER="1"))
    expected = columns(trained)
    for file, values in columns(tmp_path).items():
        np.testing.assert_allclose(values, expected[file], rtol=2e-5, err_msg=file)


def test_two_processes_train_and_predict_what_one_does_and_the_first_alone_writes(
    examples: Path, trained: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folders = [tmp_path / str(number) for number in range(2)]
    names = [dict(zip(PROCESS_VARIABLES, (address, "2", str(number)), strict=True)) for number in range(2)]
    processes = [
        start(examples, folder, folders[0] / "model", SMALL_ENCODER="1", **variables)
        for folder, variables in zip(folders, names, strict=True)
    ]
    finish(*processes)
    expected = columns(trained)
    for file, values in columns(folders[0]).items():
        np.testing.assert_allclose(values, expected[file], rtol=2e-5, err_msg=file)
    assert not folders[1].exists()


def test_a_batch_that_the_devices_cannot_share_is_refused(examples: Path, tmp_path: Path) -> None:
    process = start(examples, tmp_path / "three", flags=TWO_DEVICES.replace("=2", "=3"), SMALL_ENCODER="1")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "cliques_per_batch=4: expected a multiple of 3" in output
    assert not (tmp_path / "three").exists()


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("platforms", "words"),
    [
        ("cuda,cpu", "JAX_PLATFORMS=cuda,cpu: JAX found no GPU and would compute on the CPU."),  # which JAX does not mention
        ("tpu,cpu", "Unable to initialize backend 'tpu'"),
    ],
)
def test_a_stage_that_should_find_an_accelerator_and_does_not_fails(
    examples: Path, tmp_path: Path, platforms: str, words: str
) -> None:
    process = start(examples, tmp_path / "none", SMALL_ENCODER="1", JAX_PLATFORMS=platforms)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert words in output
    assert not (tmp_path / "none").exists()


def test_a_second_run_compiles_nothing_and_predict_what_validation_has_compiled(examples: Path, tmp_path: Path) -> None:
    """A step, a pass without training, BatchNorm's and the head, each once; the images of this fold are fewer than a batch."""
    counts = []
    for folder in ("first", "second"):
        variables = {"SMALL_ENCODER": "1", "VERDELTA_COMPILE_CACHE": str(tmp_path / "programs")}
        process = start("-c", COUNTED, str(examples), str(tmp_path / folder), **variables)
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output
        counts.append(json.loads(output.splitlines()[-1]))
    (named, compiled, found), second = counts
    assert {name: number for name, number in named.items() if "train_step" in name} == {"jit_train_step": 1}
    assert [named[name] for name in ("jit_image_halves", "jit_days_of_pairs")] == [1, 1]  # the same in both stages
    # validation's; BatchNorm's, made ahead and for the fewer images there are; and predict's, which is validation's
    assert named["jit_stateless"] == 4
    assert found >= 1 and compiled == sum(named.values()) - found  # found at least: predict's pass
    assert second == [named, 0, sum(named.values())]
    pd.testing.assert_frame_equal(*(pd.read_csv(tmp_path / name / "predictions/predictions.csv") for name in ("first", "second")))


def test_half_of_the_variables_that_name_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROCESS_VARIABLES, "TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES"):
        monkeypatch.delenv(name, raising=False)
    assert not several_processes()
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "one-host")
    assert not several_processes()
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "one-host,another-host")
    assert several_processes()
    monkeypatch.setenv(PROCESS_VARIABLES[1], "2")
    with pytest.raises(ValueError, match=r"KERAS_DISTRIBUTION_JOB_ADDRESSES and KERAS_DISTRIBUTION_PROCESS_ID: not set"):
        several_processes()


def test_both_backends_predict_the_same_days_with_an_efficientnet(examples: Path, tmp_path: Path) -> None:
    """An EfficientNet trained for a step under JAX; what it then predicts there, and under TensorFlow."""
    finish(start(examples, tmp_path / "jax"))
    predict(examples=examples, model=tmp_path / "jax/model", predictions=tmp_path / "tensorflow", settings=PREDICT)
    theirs = pd.read_csv(tmp_path / "jax/predictions/predictions.csv")
    ours = pd.read_csv(tmp_path / "tensorflow/predictions.csv")
    numbers = RESULTS["predictions/predictions.csv"]
    pd.testing.assert_frame_equal(ours.drop(columns=numbers), theirs.drop(columns=numbers))
    np.testing.assert_allclose(ours[numbers], theirs[numbers], atol=1e-3)


def test_a_step_that_computes_twice_keeps_less_and_learns_the_same() -> None:
    process = start("-c", TWICE)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    print(output)
    (losses, kept, _), (losses_twice, kept_twice, _) = (json.loads(line) for line in output.splitlines()[-2:])
    assert len(set(losses)) == 3
    np.testing.assert_allclose(losses_twice, losses, rtol=1e-5)
    assert kept_twice < kept / 5


def test_the_accelerator_benchmark_measures_a_device_whose_client_counts_no_operations() -> None:
    variant = BASE | {"encoder": "B0", "dim": 32, "mixed_precision": "mixed_bfloat16", "images": 4, "clique_size": 2}
    variant |= {"more": True, "traced": True, "rematerialize": True}
    process = start("-c", ON_A_DEVICE, json.dumps(variant))
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    result = json.loads(output.splitlines()[-1])
    assert result["device"] == "cpu"
    measured = {name: result[name] for name in ("flops", "peak", "step_seconds", "host_step_seconds", "predict_seconds")}
    assert all(value > 0 for value in measured.values()), measured
    assert max(result["phases"].values()) > 0
