"""Decides what train and predict compute with on this machine: TensorFlow, or JAX where it can use a GPU."""

import importlib.util
import os
from collections.abc import Collection, Mapping
from typing import Any

from components.images import ACCELERATED, image_for

TENSORFLOW, JAX = "tensorflow", "jax"
CUDA_PLUGIN = "jax_cuda13_plugin"  # of requirements/gpu.txt: without it JAX sees no GPU
LARGE_ENCODERS = ("B4", "B5", "B6", "B7")


def can_use_gpu() -> bool:
    """Whether this Python's JAX can compute on a GPU: it is that of `make gpu`."""
    return importlib.util.find_spec(CUDA_PLUGIN) is not None


def keras_backend() -> str:
    """Returns the backend of this machine's processes: KERAS_BACKEND, or else JAX where it can use a GPU, or else TensorFlow.

    Raises:
        ValueError: KERAS_BACKEND is neither.
    """
    backend = os.environ.get("KERAS_BACKEND") or (JAX if can_use_gpu() else TENSORFLOW)
    if backend not in (TENSORFLOW, JAX):
        raise ValueError(f"KERAS_BACKEND={backend}: expected {TENSORFLOW} or {JAX}; unset the variable or change it.")
    return backend


def backend_environment() -> dict[str, str]:
    """Returns the variables that give a stage's process that backend; JAX then fails where it should find a GPU and does not."""
    backend = keras_backend()
    platforms = {"JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS") or "cuda,cpu"} if backend == JAX and can_use_gpu() else {}
    return {"KERAS_BACKEND": backend, **platforms}


def computing_images() -> dict[str, str]:
    """Returns, for the image of a stage that does not compute as the image does, what names its results in the cache."""
    backend = keras_backend()
    if backend == TENSORFLOW:
        return {}
    accelerator = "gpu" if can_use_gpu() else "none"
    return {image_for(stage): f"{backend} {image_for(stage, accelerator=accelerator)}" for stage in ACCELERATED}


def remarks(backend: str, stages: Collection[str], parameters: Mapping[str, Any]) -> list[str]:
    """Returns what to say before `stages` are run: a backend that is not the usual one, and a network too large for a CPU."""
    said = []
    if backend != TENSORFLOW and not set(ACCELERATED).isdisjoint(stages):
        said.append(f"train and predict compute with {backend}")
    if backend == TENSORFLOW and "train" in stages and parameters["encoder"] in LARGE_ENCODERS:
        said.append(f"WARNING: to train EfficientNet-{parameters['encoder']} takes days on a CPU; see README, On a GPU")
    return said
