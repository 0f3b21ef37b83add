"""Compiles what a training run will compute, all at once and before there are photos, where it is known by its shapes alone.

C cliques per batch, K images per clique, P pairs; H = W = dim.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from components.network.batchnorm import measuring
from components.network.cliques import pair_positions
from components.network.devices import forward
from components.network.input.exact_views import image_dtype
from components.network.model import split_model
from components.train.settings import TrainSettings


def compile_programs(network: keras.Model, settings: TrainSettings) -> None:
    """Has XLA compile training's step, validation's pass and BatchNorm's side by side; the calls that follow find them.

    Tracing holds Python's lock, compiling does not. All three are of as many images, so that XLA tries kernels for a convolution
    once: it keeps what it has chosen. Nothing is done under TensorFlow, or where several devices share the work:
    there each is compiled when it is first called.
    """
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is not None:
        return
    started = time.monotonic()
    encoder, _ = split_model(network)
    images = settings.clique_size * settings.cliques_per_batch
    with ThreadPoolExecutor() as pool:
        compiling = [pool.submit(lower_step(network, settings).compile)]
        compiling.append(pool.submit(forward(encoder).lower(images).compile))
        if settings.reestimate_batchnorm:
            with measuring(encoder):
                compiling.append(pool.submit(forward(encoder, training=True).lower(images).compile))
        for program in compiling:
            program.result()
    print(f"{len(compiling)} programs are ready after {time.monotonic() - started:.0f} s", flush=True)


def lower_step(network: keras.Model, settings: TrainSettings) -> Any:
    """Keras's own training step, traced but not compiled, and put where `fit` looks for it."""
    import jax

    cliques, size, dim = settings.cliques_per_batch, settings.clique_size, settings.dim
    pairs = len(pair_positions(size)[0])
    batch = (
        np.empty((cliques, size, dim, dim, 3), image_dtype(settings.augmentations)),
        np.empty((cliques, pairs, 1), np.float32),
        np.empty((cliques, pairs), np.float32),
    )
    network._symbolic_build(data_batch=batch)
    step = jax.jit(network.train_step, donate_argnums=0)
    network.train_function = lambda state, batches: step(state, next(batches))
    kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    return step.lower(network._get_jax_state(**dict.fromkeys(kinds, True)), batch)
