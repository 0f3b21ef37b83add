"""Tells what, besides its code, its packages and its inputs, can change the result of a stage on this machine.

The name of a stage's image stands for code and packages. What is told here stands beside it in the cache's keys.
"""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.contract.cores import available_cores
from components.images import ACCELERATED, image_for
from components.settings import STAGES
from launch.backends.local.cache.packages import installed
from launch.backends.local.keras_backend import JAX, TENSORFLOW, backend_environment, can_use_gpu, keras_backend
from launch.runs.dag.replay import face_of

CPU_INFO = Path("/proc/cpuinfo")
MODEL = re.compile(r"^(?:model name|CPU part)\s*: *(.*)$", re.MULTILINE)
INSTRUCTIONS = re.compile(r"^(?:flags|Features)\s*: *(.*)$", re.MULTILINE)
VECTORS = ("sse", "avx", "fma", "f16c", "amx", "asimd", "sve", "i8mm", "bf16")  # how names of those begin that sums depend on
KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}
GPU_MODELS = ("/proc/driver/nvidia/gpus", "*/information")
GPU_MODEL = re.compile(r"^Model:\s*(.*)$", re.MULTILINE)
# How names of variables begin that a library of any stage may read, and one that train and predict compute with.
OF_ALL = (
    *("NPY_", "NUMPY_", "PANDAS_", "SCIPY_", "SKLEARN_", "OPENBLAS_", "NVPL_", "PROTOCOL_BUFFERS_"),
    *("PYTHONHASHSEED", "PYTHONOPTIMIZE"),
)
OF_TENSORS = (
    *("TF_", "TENSORFLOW_", "XLA_", "JAX_", "KERAS_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "TPU_", "LIBTPU_"),
    *("OMP_", "KMP_", "GOMP_", "MKL_", "DNNL_", "ONEDNN_", "BLIS_", "EIGEN_", "GLIBC_TUNABLES"),
)
# Those of them that change what is said, how fast it goes, where things lie, or which of several equal devices is taken.
HARMLESS = (
    *("TF_CPP_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_GPU_THREAD_", "NUMPY_MADVISE_HUGEPAGE"),
    *("XLA_PYTHON_CLIENT_", "JAX_COMPILATION_CACHE_", "JAX_LOG", "JAX_TRACEBACK", "KERAS_HOME"),
    *("TF_CLI_", "TF_VAR_", "TF_LOG", "TF_DATA_DIR", "TF_PLUGIN_", "TF_WORKSPACE", "TF_INPUT", "TF_IN_", "TF_REG"),  # Terraform's
    *("CUDA_VISIBLE_DEVICES", "CUDA_CACHE_", "CUDA_HOME", "CUDA_PATH", "NCCL_DEBUG", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_"),
)


def computed_by(in_containers: bool, gpus: Sequence[str] = (), parallel: int = 1) -> dict[str, str]:
    """Returns, for the image of each stage, what stands in the cache's keys in its place.

    Args:
        in_containers: whether stages run in their images, which hold their own Python and are given no variables.
        gpus: those that the stages of this run share.
        parallel: how many of them run at a time.
    """
    found = {}
    for stage in STAGES:
        image, parts = face_of(stage).component_spec.implementation.container.image, list[str]()
        if not in_containers:
            parts.append(f"{platform.python_implementation()} {platform.python_version()}")
            parts += variables({**os.environ, **backend_environment(Path())}, stage)
        if stage in (*ACCELERATED, "calibrate"):  # which add up numbers with fractions
            parts.append(processor())
        if stage in ACCELERATED and not in_containers:
            parts += [libraries(stage), keras_settings(), *devices(gpus, parallel)]
        found[image] = "\n".join([image, *parts])
    return found


def libraries(stage: str) -> str:
    """Returns what a stage of ACCELERATED computes with; the usual image's name does not stand for the versions of JAX."""
    backend = keras_backend()
    if backend == TENSORFLOW:
        return backend
    image = image_for(stage, accelerator="gpu" if can_use_gpu() else "none")
    return " ".join([backend, image, *(f"{name} {installed(name)}" for name in (JAX, "jaxlib"))])


def keras_settings() -> str:
    """Returns what Keras reads of a person's keras.json; it writes one with its defaults where there is none."""
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    return json.dumps({**KERAS_DEFAULTS, **said, "backend": ""}, sort_keys=True)  # the backend is given by KERAS_BACKEND


def variables(environment: Mapping[str, str], stage: str) -> list[str]:
    """Returns those variables of an environment that can change what a stage computes."""
    return [f"{name}={environment[name]}" for name in sorted(environment) if matters(name, stage)]


def matters(name: str, stage: str) -> bool:
    """Whether a variable can change what a stage computes."""
    read = (*OF_ALL, *(OF_TENSORS if stage in ACCELERATED else ()))
    return name.startswith(read) and not name.startswith(HARMLESS)


def devices(gpus: Sequence[str], parallel: int) -> list[str]:
    """Returns how many GPUs a stage computes on, and what they are."""
    if not gpus:
        return []
    place, pattern = GPU_MODELS
    models = sorted({each for path in Path(place).glob(pattern) for each in GPU_MODEL.findall(path.read_text())})
    return [f"{max(1, len(gpus) // parallel)} of {', '.join(models)}"]


def processor() -> str:
    """Returns the processor's model, its vector instructions and how many cores may be used.

    Sums depend on how they are divided: a training on one of two cores ends with other weights than one on both (measured).
    """
    text = CPU_INFO.read_text(encoding="utf-8", errors="replace") if CPU_INFO.is_file() else ""
    vectors = sorted({name for names in INSTRUCTIONS.findall(text)[:1] for name in names.split() if name.startswith(VECTORS)})
    return " ".join([platform.machine(), *MODEL.findall(text)[:1], f"{available_cores()} cores", *vectors])
