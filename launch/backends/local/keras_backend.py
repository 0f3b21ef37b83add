"""Decides what train and predict compute with on this machine: TensorFlow, or JAX where it can use a GPU."""

import importlib.util
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.images import ACCELERATED

TENSORFLOW, JAX = "tensorflow", "jax"
CUDA_PLUGIN = "jax_cuda12_plugin"  # of requirements/gpu.txt: without it JAX sees no GPU
COMPILE_CACHE = "VERDELTA_COMPILE_CACHE"  # components/network/compile_cache.py
CHECKPOINTS = "VERDELTA_CHECKPOINTS"  # components/train/saved_state.py
OF_A_GPU = 0.9  # of its memory: JAX takes three quarters for itself, which a second process beside it would not find
LARGE_ENCODERS = ("B4", "B5", "B6", "B7")


def can_use_gpu() -> bool:
    """Whether this Python's JAX can compute on a GPU: it is that of `make gpu`."""
    return importlib.util.find_spec(CUDA_PLUGIN) is not None


def keras_backend() -> str:
    """Returns KERAS_BACKEND, or else JAX where it can use a GPU, or else TensorFlow. Raises ValueError: it is neither."""
    backend = os.environ.get("KERAS_BACKEND") or (JAX if can_use_gpu() else TENSORFLOW)
    if backend not in (TENSORFLOW, JAX):
        raise ValueError(f"KERAS_BACKEND={backend}: expected {TENSORFLOW} or {JAX}; unset the variable or change it.")
    return backend


def computes_on_gpu() -> bool:
    """Whether train and predict compute on a GPU here."""
    return keras_backend() == JAX and can_use_gpu()


def kept_environment(runs: Path) -> dict[str, str]:
    """Returns the variables of the folders of compiled programs and of trainings' states: this process's, or below `runs`."""
    places = {COMPILE_CACHE: ".programs", CHECKPOINTS: ".training"}
    return {variable: os.environ.get(variable) or str(runs / folder) for variable, folder in places.items()}


def backend_environment(runs: Path) -> dict[str, str]:
    """Returns the variables that give a stage's process that backend; JAX then fails where it should find a GPU and does not."""
    backend, kept = keras_backend(), kept_environment(runs)
    if backend != JAX:
        return {"KERAS_BACKEND": backend, CHECKPOINTS: kept[CHECKPOINTS]}
    platforms = {"JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS") or "cuda,cpu"} if can_use_gpu() else {}
    return {"KERAS_BACKEND": backend, **kept, **platforms}


def shown_gpus() -> list[str]:
    """Returns the GPUs that a process sees here, by their numbers or by what CUDA_VISIBLE_DEVICES calls them."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    return [path.name.removeprefix("nvidia") for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]


def share_of_gpus(number: int, parallel: int, gpus: Sequence[str]) -> dict[str, str]:
    """Returns the variables of process `number`, from 0, of `parallel` at a time: its share of the GPUs, or of one's memory."""
    if parallel == 1 or not gpus:
        return {}
    if len(gpus) >= parallel:
        return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[number::parallel])}
    fraction = os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION") or f"{OF_A_GPU / parallel:.2f}"
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)], "XLA_PYTHON_CLIENT_MEM_FRACTION": fraction}


def remarks(backend: str, stages: Collection[str], parameters: Mapping[str, Any]) -> list[str]:
    """Returns what to say before `stages` are run: a backend that is not the usual one, and a network too large for a CPU."""
    said = []
    if backend != TENSORFLOW and not set(ACCELERATED).isdisjoint(stages):
        said.append(f"train and predict compute with {backend}")
    if backend == TENSORFLOW and "train" in stages and parameters["encoder"] in LARGE_ENCODERS:
        said.append(f"WARNING: to train EfficientNet-{parameters['encoder']} takes days on a CPU; see README, On a GPU")
    return said
