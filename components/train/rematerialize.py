"""Has a training step keep a part of its forward pass, and compute the rest once more on its way back.

What a backward pass needs is most of a step's memory. As in Chen et al. 2016 (arXiv:1604.06174); here by JAX's own means.
"""

import functools
from typing import Any

import keras


def rematerialize(network: keras.Model) -> None:
    """Has the step of a network keep, of each block of its encoder, what the convolution puts out that narrows it again.

    Says that nothing changes where TensorFlow computes, which can forget no more than a whole layer or model.
    """
    if keras.backend.backend() != "jax":
        print("rematerialize=true changes nothing under TensorFlow, which trains on CPUs here", flush=True)
        return
    import jax

    compute = network.compute_loss_and_updates

    def computing_twice(*state_and_batch: Any, training: bool, optimizer_variables: Any) -> Any:
        function = jax.checkpoint(functools.partial(compute, training=training), policy=is_kept)
        return function(*state_and_batch, optimizer_variables=optimizer_variables)

    network.compute_loss_and_updates = computing_twice


def is_kept(primitive: Any, *inputs: Any, **parameters: Any) -> bool:
    """Whether a result is kept: of a dense layer, or of a convolution of all channels to no more than there were."""
    if primitive.name != "conv_general_dilated":
        return primitive.name == "dot_general"
    *_, channels_in, channels_out = inputs[1].shape
    return parameters["feature_group_count"] == 1 and channels_out <= channels_in
