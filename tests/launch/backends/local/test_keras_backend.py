"""Which backend computes on this machine: what a stage's process is told, what a person is told, what the cache keeps apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import pipeline_py, write_raw

from components.images import ROOT, image_for
from components.settings import STAGES
from launch.backends.local import keras_backend as backend
from launch.backends.local.cache.computed_by import computed_by
from launch.backends.local.cache.packages import pinned
from launch.backends.local.cache.stage_cache import StageCache
from launch.backends.local.kfp_tasks import stage_environment

COMMAND, ARGUMENTS = ["python", "-m", "kfp"], {"fold": 0}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that sets the environment: with JAX's CUDA plugin or without, and variables."""

    def given(plugin: bool, **variables: str) -> None:
        for name in ("KERAS_BACKEND", "JAX_PLATFORMS", backend.COMPILE_CACHE, backend.CHECKPOINTS):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(backend, "CUDA_PLUGIN", "json" if plugin else "there_is_no_such_module")

    return given


@pytest.mark.parametrize(
    ("plugin", "variables", "expected", "platforms"),
    [
        (False, {}, "tensorflow", None),
        (True, {}, "jax", "cuda,cpu"),
        (True, {"KERAS_BACKEND": "tensorflow"}, "tensorflow", None),
        (True, {"KERAS_BACKEND": "", "JAX_PLATFORMS": "cpu"}, "jax", "cpu"),
        (False, {"KERAS_BACKEND": "jax"}, "jax", None),  # JAX for CPUs: there is no GPU to be missed
    ],
)
def test_stages_compute_with_jax_where_it_can_use_a_gpu(
    environment: Callable[..., None], plugin: bool, variables: dict[str, str], expected: str, platforms: str | None
) -> None:
    environment(plugin, **variables)
    given = stage_environment("/scratch", Path("/runs"))
    assert (given["KERAS_BACKEND"], given.get("JAX_PLATFORMS")) == (expected, platforms)
    assert given.get(backend.COMPILE_CACHE) == ("/runs/.programs" if expected == "jax" else None)
    assert given[backend.CHECKPOINTS] == "/runs/.training"


@pytest.mark.parametrize("variable", [backend.COMPILE_CACHE, backend.CHECKPOINTS])
def test_a_person_can_name_another_place_for_what_is_kept(environment: Callable[..., None], variable: str) -> None:
    environment(True, **{variable: "/shared/place"})
    assert stage_environment("/scratch", Path("/runs"))[variable] == "/shared/place"


@pytest.mark.parametrize(
    ("number", "parallel", "gpus", "expected"),
    [
        (0, 1, ["0", "1"], {}),  # one process at a time has them all, and all the memory
        (0, 2, [], {}),
        (0, 2, ["0"], {"CUDA_VISIBLE_DEVICES": "0", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.45"}),
        (1, 2, ["0"], {"CUDA_VISIBLE_DEVICES": "0", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.45"}),
        (1, 2, ["0", "1"], {"CUDA_VISIBLE_DEVICES": "1"}),
        (0, 2, ["4", "5", "6", "7"], {"CUDA_VISIBLE_DEVICES": "4,6"}),
        (1, 2, ["4", "5", "6", "7"], {"CUDA_VISIBLE_DEVICES": "5,7"}),
    ],
)
def test_folds_at_the_same_time_have_gpus_of_their_own_or_a_share_of_ones_memory(
    monkeypatch: pytest.MonkeyPatch, number: int, parallel: int, gpus: list[str], expected: dict[str, str]
) -> None:
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    assert backend.share_of_gpus(number, parallel, gpus) == expected


def test_the_gpus_that_a_person_chose_are_the_ones_that_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8f")
    assert backend.shown_gpus() == ["2", "GPU-8f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert backend.shown_gpus() == []


def keys(folder: Path) -> dict[str, str]:
    """Each stage's key in the cache, for equal commands and arguments."""
    cache = StageCache(str(folder), computed_by(in_containers=False))
    return {stage: cache.compute_key(stage, image_for(stage), COMMAND, ARGUMENTS) for stage in STAGES}


def test_results_of_two_backends_have_different_keys_and_those_of_other_stages_the_same(
    environment: Callable[..., None], tmp_path: Path
) -> None:
    environment(False)
    tensorflow = keys(tmp_path)
    environment(True)
    on_gpu = keys(tmp_path)
    environment(False, KERAS_BACKEND="jax")
    on_cpu = keys(tmp_path)
    for other in (on_gpu, on_cpu):
        assert {stage for stage in STAGES if other[stage] != tensorflow[stage]} == {"train", "predict"}
    assert on_gpu["train"] != on_cpu["train"]


@pytest.mark.parametrize(
    ("used", "stages", "encoder", "said"),
    [
        ("tensorflow", STAGES, "B7", "WARNING: to train EfficientNet-B7 takes days on a CPU; see README, On a GPU"),
        ("tensorflow", STAGES, "B4", "WARNING: to train EfficientNet-B4 takes days on a CPU; see README, On a GPU"),
        ("tensorflow", STAGES, "B3", ""),
        ("tensorflow", ["predict", "report"], "B7", ""),
        ("jax", STAGES, "B7", "train and predict compute with jax"),
        ("jax", ["calibrate", "report"], "B7", ""),
    ],
)
def test_a_person_is_told_of_another_backend_and_of_what_takes_days(
    used: str, stages: list[str], encoder: str, said: str
) -> None:
    assert backend.remarks(used, stages, {"encoder": encoder}) == ([said] if said else [])


def test_the_warning_comes_before_the_first_stage(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    (raw / "train_dataset/BC/BC_01/DAT01.png").write_bytes(b"no photo")  # which ends the run early
    done = pipeline_py("run", "--raw", str(raw), "--preset", "fast", "--runs-dir", str(tmp_path / "runs"))
    before, _, _ = done.stdout.partition("resize_images")
    assert (done.returncode, "WARNING: to train EfficientNet-B7 takes days on a CPU" in before) == (1, True), done.stdout


def test_the_section_that_the_warning_names_is_in_the_readme() -> None:
    assert "\n## On a GPU\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_plugin_that_is_looked_for_is_that_of_the_lock() -> None:
    assert backend.CUDA_PLUGIN.replace("_", "-") in pins("gpu")


def test_what_is_in_the_locks_of_the_laptop_and_for_gpus_has_the_same_versions_in_both() -> None:
    laptop, gpu = pins("laptop"), pins("gpu")
    shared = laptop.keys() & gpu.keys()
    assert len(shared) > 50
    assert {name: laptop[name] for name in shared} == {name: gpu[name] for name in shared}


def pins(lock: str) -> dict[str, str]:
    """Package to version of a lock, where this Python needs it."""
    return {pin.name: str(pin.specifier) for pin in pinned(ROOT / f"requirements/{lock}.txt")}
