"""A training that is stopped, however and wherever, ends as if nothing had happened, and repeats no more than it has to."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from examples_fixture import write_examples
from gcs_server import BUCKET, gcs_server
from resumed_training import SETTINGS, STEPS, train_small

from components.images import ROOT
from components.network.store import DIGEST_BYTES, FolderStore, sealed
from components.train.saved_state import PLACE, SavedState, State, key_of, pack, unpack

PYTHONS = {"tensorflow": Path(sys.executable), "jax": ROOT / ".venv-jax/bin/python"}
QUICK_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
TWO_DEVICES = "--xla_force_host_platform_device_count=2"
EPOCH = SETTINGS.steps_per_epoch


class StoppedError(Exception):
    """Stands for whatever ends a training."""


def results(output: Path) -> tuple[list[bytes], bytes, pd.DataFrame]:
    """The weights, the out-of-fold predictions, and the history but for its seconds."""
    weights = keras.saving.load_model(output / "model/model.keras", compile=False).get_weights()
    history = pd.read_csv(output / "history/history.csv")
    return (
        [each.tobytes() for each in weights],
        (output / "out_of_fold/out_of_fold.csv").read_bytes(),
        history.drop(columns="seconds"),
    )


def assert_equal(output: Path, undisturbed: Path) -> None:
    (weights, days, history), (expected_weights, expected_days, expected_history) = results(output), results(undisturbed)
    pd.testing.assert_frame_equal(history, expected_history, check_exact=True)
    assert days == expected_days
    assert weights == expected_weights


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFRecords and tables of four train series and one test series."""
    return write_examples(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def undisturbed(examples: Path) -> Path:
    """What a training makes that nobody stops and that keeps nothing."""
    assert PLACE not in os.environ
    assert train_small(examples, examples.parent / "undisturbed") == []  # nothing is looked after where nothing is kept
    return examples.parent / "undisturbed"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which states are kept."""
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def stop_after(step: int, examples: Path, output: Path, **options: object) -> None:
    def stop(ended: int) -> None:
        if ended == step:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_small(examples, output, after_step=stop, **options)
    assert not (output / "model/model.keras").exists()


@pytest.mark.parametrize("step", [1, EPOCH + 1], ids=["before anything is saved", "in the second epoch"])
def test_a_training_stopped_after_a_step_ends_with_the_same_bytes(
    examples: Path, undisturbed: Path, place: Path, tmp_path: Path, step: int
) -> None:
    """Saved after every second step: the stop comes before its own step is."""
    saved = (step - 1) // 2 * 2
    stop_after(step, examples, tmp_path / "out")
    assert train_small(examples, tmp_path / "out") == list(range(saved + 1, STEPS + 1))
    assert_equal(tmp_path / "out", undisturbed)
    assert list(place.iterdir()) == []  # it has succeeded


def test_a_training_can_be_stopped_again_and_again(examples: Path, undisturbed: Path, place: Path, tmp_path: Path) -> None:
    """From the states after steps 2, 4, an epoch, and the last but one that is saved: each is wrong in the end if one is."""
    for step in (3, EPOCH, EPOCH + 2, STEPS):
        stop_after(step, examples, tmp_path / "out")
        assert len(list(place.iterdir())) == 1
    assert train_small(examples, tmp_path / "out") == [STEPS - 1, STEPS]
    assert_equal(tmp_path / "out", undisturbed)


def test_a_training_stopped_while_the_last_epoch_is_validated_computes_no_step_again(
    examples: Path, undisturbed: Path, place: Path, tmp_path: Path
) -> None:
    def stop(ended: int) -> None:
        if ended == STEPS:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_small(examples, tmp_path / "out", validating=stop)
    assert train_small(examples, tmp_path / "out") == []
    assert_equal(tmp_path / "out", undisturbed)
    assert list(place.iterdir()) == []


def start(
    backend: str, examples: Path, output: Path, *more: object, flags: str = "", **variables: str
) -> subprocess.CompletedProcess:
    """Runs tests/support/resumed_training.py to its end."""
    if not PYTHONS[backend].exists():
        pytest.skip(f"no {PYTHONS[backend]}: make .venv-jax/done")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, **variables}
    environment["XLA_FLAGS"] = f"{QUICK_TO_COMPILE} {flags}"
    command = [PYTHONS[backend], ROOT / "tests/support/resumed_training.py", examples, output, *map(str, more)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)


def computed(done: subprocess.CompletedProcess) -> list[int]:
    """The steps that a process computed."""
    return next([int(step) for step in line.split()[1:]] for line in done.stdout.splitlines() if line.startswith("computed"))


@pytest.mark.parametrize(("backend", "flags"), [*((name, "") for name in PYTHONS), ("jax", TWO_DEVICES)])
def test_a_training_killed_after_two_thirds_repeats_at_most_one_interval_elsewhere(
    backend: str, flags: str, examples: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """On a retry nothing is left but the place: another working folder, another temporary one, the examples at another path."""
    killed, interval = STEPS * 2 // 3, 3
    kept = {PLACE: str(tmp_path / "kept")}
    whole = start(backend, examples, tmp_path / "whole", 10**6, flags=flags)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    first = start(backend, examples, tmp_path / "first", interval, int(signal.SIGKILL), killed, flags=flags, **kept)
    assert first.returncode == -signal.SIGKILL and computed(first)[-1] == killed, first.stdout + first.stderr
    shutil.copytree(examples, tmp_path / "moved")
    (tmp_path / "tmp").mkdir()
    second = start(backend, tmp_path / "moved", tmp_path / "second", interval, flags=flags, TMPDIR=str(tmp_path / "tmp"), **kept)
    assert second.returncode == 0, second.stdout + second.stderr
    repeated = [step for step in computed(second) if step <= killed]
    assert len(repeated) <= interval and computed(second)[-1] == STEPS
    assert_equal(tmp_path / "second", tmp_path / "whole")
    assert list((tmp_path / "kept").iterdir()) == []
    devices = " on two devices" if flags else ""
    record_property(
        "count", f"{backend}{devices}: of {killed} steps done when killed {len(repeated)} repeated, the interval is {interval}"
    )


@pytest.mark.parametrize("backend", PYTHONS)
def test_a_training_that_is_told_to_end_repeats_nothing(backend: str, examples: Path, tmp_path: Path) -> None:
    """Told while an epoch is validated, then, as it goes on, in the middle of the next."""
    kept, begin = {PLACE: str(tmp_path / "kept")}, 0
    for after, where in ((EPOCH, ("validating",)), (EPOCH + 1, ())):
        told = start(backend, examples, tmp_path / "out", 10**6, int(signal.SIGTERM), after, *where, **kept)
        assert told.returncode == -signal.SIGTERM, told.stdout + told.stderr
        assert f"told to end after step {after} of {STEPS}, which {tmp_path}/kept/" in told.stdout
        assert (f"goes on after step {begin} of {STEPS}" in told.stdout) == (begin > 0)
        begin = after
    again = start(backend, examples, tmp_path / "out", 10**6, **kept)
    assert computed(again) == list(range(begin + 1, STEPS + 1)), again.stdout + again.stderr
    assert f"goes on after step {begin} of {STEPS}" in again.stdout


def damaged(entry: bytes) -> bytes:
    changed = bytearray(entry)
    changed[len(entry) // 2] ^= 1
    return bytes(changed)


def of_another_kind(_: bytes) -> bytes:
    return b"".join(sealed(b"whole, and no state of a training"))


@pytest.fixture(scope="module")
def entry(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """The name and the content of the state of a training that was stopped."""
    root = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(root / "kept"))
        stop_after(4, examples, root / "out")
    (path,) = (root / "kept").iterdir()
    return path.name, path.read_bytes()


@pytest.mark.parametrize("spoil", [damaged, of_another_kind, lambda entry: entry[: len(entry) // 2], lambda _: b""],
                         ids=["one bit", "other content", "cut short", "empty"])  # fmt: skip
def test_a_state_that_is_damaged_is_said_and_not_read(
    entry: tuple[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[bytes], bytes]
) -> None:
    name, content = entry
    (tmp_path / name).write_bytes(spoil(content))
    assert SavedState(FolderStore(tmp_path), str(tmp_path), name).read() is None
    said = f"warning: the checkpoint {tmp_path / name} cannot be used, so training starts from the beginning"
    assert said in capsys.readouterr().out


def test_from_a_state_that_is_damaged_training_begins_anew(
    examples: Path, entry: tuple[str, bytes], place: Path, tmp_path: Path
) -> None:
    name, content = entry
    place.mkdir()
    (place / name).write_bytes(damaged(content))
    stop_after(1, examples, tmp_path / "out")  # step 1 is computed


def test_a_state_is_found_by_what_the_training_depends_on(examples: Path, tmp_path: Path) -> None:
    key = key_of(examples, SETTINGS)
    assert key_of(Path(shutil.copytree(examples, tmp_path / "elsewhere")), SETTINGS) == key
    for name in ("checkpoint_minutes", "memory_budget_gb"):
        assert key_of(examples, dataclasses.replace(SETTINGS, **{name: 1.0})) == key
    changes = {"learning_rate": 1e-4, "fold": 1, "seed": 1, "epochs": 3, "steps_per_epoch": 7}
    keys = [key_of(examples, dataclasses.replace(SETTINGS, **{name: value})) for name, value in changes.items()]
    table = tmp_path / "elsewhere" / "train_pairs.csv"
    table.write_bytes(table.read_bytes() + b"\n")
    assert len({key, *keys, key_of(tmp_path / "elsewhere", SETTINGS)}) == len(changes) + 2


def test_a_bucket_keeps_the_state_too(examples: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gcs_server() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        monkeypatch.setenv(PLACE, f"gs://{BUCKET}/runs/.training")
        stop_after(EPOCH + 3, examples, tmp_path / "out")
        assert train_small(examples, tmp_path / "out") == list(range(EPOCH + 3, STEPS + 1))
        assert_equal(tmp_path / "out", undisturbed)
        assert train_small(examples, tmp_path / "out")[0] == 1  # the object is gone


@pytest.mark.parametrize("place", ["/proc/training", "gs://another-bucket/training"])
def test_a_place_that_cannot_be_used_is_said_and_ends_no_training(
    examples: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    place: str,
) -> None:
    with gcs_server() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        monkeypatch.setenv(PLACE, place)
        assert train_small(examples, tmp_path / "out", every=10) == list(range(1, STEPS + 1))
    assert_equal(tmp_path / "out", undisturbed)
    assert f"warning: the checkpoint {place}/" in capfd.readouterr().out


def test_a_state_is_whole_again_and_one_that_is_not_finite_is_not_kept(tmp_path: Path) -> None:
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(3), np.array([1, 2], np.uint32)]
    state = State(7, 1.5, {"loss": 0.1 + 0.2}, [{"epoch": 1, "loss": 1 / 3, "pairs_seen": 24}], arrays)
    read = unpack(bytes(DIGEST_BYTES) + bytes(pack(state)))
    assert [(each.dtype, each.tolist()) for each in read.arrays] == [(each.dtype, each.tolist()) for each in arrays]
    assert dataclasses.replace(read, arrays=()) == dataclasses.replace(state, arrays=())
    saved = SavedState(FolderStore(tmp_path), str(tmp_path), "key")
    assert saved.write(state) and (good := (tmp_path / "key").read_bytes())
    assert not saved.write(dataclasses.replace(state, arrays=[np.array([1.0, np.nan], np.float32)]))
    assert (tmp_path / "key").read_bytes() == good


def test_no_minutes_keep_nothing(examples: Path, undisturbed: Path, place: Path, tmp_path: Path) -> None:
    train_small(examples, tmp_path / "out", settings=dataclasses.replace(SETTINGS, checkpoint_minutes=0.0))
    assert not place.exists()
    assert_equal(tmp_path / "out", undisturbed)
