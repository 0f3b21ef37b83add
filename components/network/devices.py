"""Computes with a Keras model on every device of every process at once.

Under JAX a stage splits each batch over all devices that it sees, the weights repeated on each (data parallelism by
keras.distribution). Of several processes each runs the whole stage on its share of every batch; XLA exchanges gradients and
BatchNorm's sums, so that all numbers are those of one device but for the order of additions. Under TensorFlow nothing is
distributed, and JAX never imported.

B images or pairs per batch.
"""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

PROCESS_VARIABLES = tuple(f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID"))
ACCELERATORS = {"cuda": "GPU", "gpu": "GPU", "tpu": "TPU"}  # by their names in JAX_PLATFORMS
OLDEST_GPU = 7.5  # compute capability: Turing, as the T4
TPU_HOSTS = ("TPU_PROCESS_ADDRESSES", "TPU_WORKER_HOSTNAMES")  # what GKE tells every host of a TPU slice


def all_devices() -> contextlib.AbstractContextManager[None]:
    """Joins the processes that the environment names; what is computed inside is distributed over all their devices.

    Raises as `several_processes` and `require_accelerator`.
    """
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    if several_processes() and not jax.distributed.is_initialized():
        keras.distribution.initialize()
    require_accelerator()
    if jax.device_count() == 1:
        return contextlib.nullcontext()
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope()


def several_processes() -> bool:
    """Whether this is one of several processes, by Keras's variables or a TPU slice's. Raises ValueError: not all are set."""
    missing = [name for name in PROCESS_VARIABLES if not os.environ.get(name)]
    if 0 < len(missing) < len(PROCESS_VARIABLES):
        raise ValueError(
            f"{' and '.join(missing)}: not set, expected {', '.join(PROCESS_VARIABLES)} together. In every process set the "
            "first to HOST:PORT of process 0, the others to how many they are and which one it is; for one process set none."
        )
    return not missing or any("," in os.environ.get(name, "") for name in TPU_HOSTS)


def require_accelerator() -> None:
    """Refuses the CPU where JAX_PLATFORMS names an accelerator first, and a GPU that is too old for JAX. Raises RuntimeError.

    JAX itself leaves "cuda" out without a word where the machine shows no NVIDIA device.
    """
    import jax

    wanted = os.environ.get("JAX_PLATFORMS", "").partition(",")[0].strip().lower()
    device = jax.devices()[0]
    if device.platform == "gpu" and float(getattr(device, "compute_capability", OLDEST_GPU)) < OLDEST_GPU:
        raise RuntimeError(
            f"{device.device_kind} has compute capability {device.compute_capability}, and cuDNN needs {OLDEST_GPU} or later "
            "since its version 9.11: expected a T4 or newer (not a V100 or P100). Use another GPU, or JAX_PLATFORMS=cpu."
        )
    if wanted in ACCELERATORS and jax.default_backend() == "cpu":
        raise RuntimeError(
            f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']}: JAX found no {ACCELERATORS[wanted]} and would compute on the CPU. See "
            "that this machine or container has one and is shown it (for an NVIDIA GPU: /dev/nvidia*, and libcuda.so of driver "
            "525 or later on LD_LIBRARY_PATH), or set JAX_PLATFORMS=cpu if the CPU is what you want."
        )


def policy(mixed_precision: str) -> str:
    """The policy that is computed with: a TPU's 16-bit numbers are bfloat16, and need no scaled loss."""
    if mixed_precision != "mixed_float16" or keras.backend.backend() != "jax":
        return mixed_precision
    import jax

    if jax.default_backend() != "tpu":
        return mixed_precision
    print("mixed_precision=mixed_float16 is mixed_bfloat16 on a TPU", flush=True)
    return "mixed_bfloat16"


def process() -> tuple[int, int]:
    """(number of this process, number of processes). Process 0 alone writes."""
    if keras.backend.backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def require_divisible(cliques_per_batch: int) -> None:
    """Raises ValueError where the devices cannot share a batch equally."""
    distribution = keras.distribution.distribution()
    devices = distribution.num_model_replicas if distribution else 1
    if cliques_per_batch % devices:
        raise ValueError(
            f"cliques_per_batch={cliques_per_batch}: expected a multiple of {devices}, as each batch is split over {devices} "
            "devices; set it to one, or let the stage see fewer devices (CUDA_VISIBLE_DEVICES)."
        )


@functools.cache
def forward(model: keras.Model, *, training: bool = False) -> Any:
    """The model as a function of batches [B, ...] that each process has whole, to an array of the backend that each gets whole.

    In training mode it updates BatchNorm's statistics, but no weights. It is compiled once for every type of batch, so nothing
    about the model but its variables may change later. Under JAX it leaves the weights where they are, unlike
    predict_on_batch, and returns before the result is there.
    """
    if keras.backend.backend() == "jax":
        return JaxForward(model, training)
    if not training:
        return model.predict_on_batch
    import tensorflow as tf

    return tf.function(functools.partial(model, training=True))  # as a graph: outside one, Keras keeps every layer's output


class JaxForward:
    """What `forward` returns under JAX."""

    def __init__(self, model: keras.Model, training: bool) -> None:
        import jax

        self.model, self.training = model, training
        self.compute = jax.jit(self.stateless, out_shardings=layout())

    def stateless(self, trainable: list[Any], state: list[Any], batch: Any) -> Any:
        """Outputs and, in training mode, the state with new statistics."""
        outputs, state = self.model.stateless_call(trainable, state, batch, training=self.training)
        return outputs, state if self.training else None

    def values(self) -> tuple[list[Any], list[Any]]:
        """The model's weights and its other state, as arrays."""
        model = self.model
        return [each.value for each in model.trainable_variables], [each.value for each in model.non_trainable_variables]

    def lower(self, batch_size: int) -> Any:
        """The function for batches of so many images [batch_size, H, W, 3] uint8, traced but not compiled."""
        return self.compute.lower(*self.values(), spread(np.empty((batch_size, *self.model.input_shape[1:]), np.uint8)))

    def __call__(self, batch: np.ndarray) -> Any:
        outputs, state = self.compute(*self.values(), spread(batch))
        if self.training:
            for variable, value in zip(self.model.non_trainable_variables, state, strict=True):
                variable.assign(value)
        return outputs


def compile_forward(model: keras.Model, batch_size: int) -> None:
    """Has `forward(model)` compiled, before there are photos, where it is compiled ahead: under JAX on one device."""
    if keras.backend.backend() == "jax" and keras.distribution.distribution() is None:
        forward(model).lower(batch_size).compile()


@functools.cache
def program(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays as one program under JAX, where each of its operations would be one by itself; unchanged elsewhere."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function, out_shardings=layout())


@functools.cache
def forward_for_good(model: keras.Model) -> Callable[[np.ndarray], Any]:
    """As `forward`, of a model whose weights never change again.

    Under TensorFlow they become constants of the graph, so that TensorFlow can fold each BatchNorm into the convolution before
    it: a quarter less time per image on a CPU, for a second of compiling.
    """
    if keras.backend.backend() != "tensorflow":
        return forward(model)
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    @functools.cache
    def compiled(dtype: np.dtype[Any]) -> Callable[[Any], list[Any]]:
        signature = tf.TensorSpec((None, *model.input_shape[1:]), dtype)
        return convert_variables_to_constants_v2(tf.function(model).get_concrete_function(signature))

    def run(batch: np.ndarray) -> Any:
        (outputs,) = compiled(batch.dtype)(tf.constant(batch))
        return outputs

    return run


def spread(batch: np.ndarray) -> Any:
    """A batch as one array over all devices: a share of it on each, or all of it where they cannot share it equally."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return batch
    import jax

    axes = [] if len(batch) % distribution.num_model_replicas else [distribution.batch_dim_name]
    return jax.make_array_from_callback(batch.shape, layout(*axes), lambda index: batch[index])


def layout(*axes: str) -> Any:
    """How an array lies on the devices: split along its first axis if that is named, else whole on each; None for one device."""
    distribution = keras.distribution.distribution()
    return distribution and keras.distribution.TensorLayout(axes, distribution.device_mesh).backend_layout
