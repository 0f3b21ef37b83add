"""Says how a network learns: Adam, an error in days, and a learning rate over a number of steps that no program holds."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from components.train.rematerialize import rematerialize
from components.train.settings import TrainSettings


def compile_model(network: keras.Model, settings: TrainSettings) -> None:
    """Adam, squared error or Huber's over the pairs that count, RMSE in days; a schedule gets its length from `schedule_over`."""
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate / 100, 1, warmup_target=rate, warmup_steps=1)
    network.compile(
        optimizer=keras.optimizers.Adam(rate, use_ema=settings.ema_momentum > 0, ema_momentum=settings.ema_momentum or 0.99),
        loss=loss_of(settings),
        weighted_metrics=[keras.metrics.RootMeanSquaredError(name="rmse_days")],
        # XLA pays on accelerators; on a CPU it costs a minute to compile and then loses.
        jit_compile=keras.backend.backend() == "jax",
    )
    if settings.schedule == "cosine":
        # Variables and not numbers, as each fold has another number of steps, and all folds the same program.
        optimizer = inner_optimizer(network)
        rate.warmup_steps = optimizer.add_variable((), "ones", "float32", name="warmup_steps")
        rate.decay_steps = optimizer.add_variable((), "ones", "float32", name="decay_steps")
    if settings.rematerialize:
        rematerialize(network)
    # Made while TensorFlow traces the first step, the optimizer's variables would have it trace that step twice.
    network.optimizer.build(network.trainable_variables)


def loss_of(settings: TrainSettings) -> keras.losses.Loss:
    """Mean over the pairs that count: of the squared error in days, or of Huber's."""
    if settings.huber_days:
        return keras.losses.Huber(settings.huber_days, reduction="mean_with_sample_weight")
    return keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")


def inner_optimizer(network: keras.Model) -> Any:
    """The optimizer itself, which Keras wraps where it scales the loss."""
    return getattr(network.optimizer, "inner_optimizer", network.optimizer)


@contextlib.contextmanager
def schedule_over(network: keras.Model, steps: int) -> Iterator[None]:
    """Within the block a cosine schedule has `steps` steps, a tenth of them its rise; then plain numbers, as it is saved."""
    schedule = inner_optimizer(network)._learning_rate
    if not isinstance(schedule, keras.optimizers.schedules.CosineDecay):
        yield
        return
    warmup = max(1, steps // 10)
    numbers = {"warmup_steps": warmup, "decay_steps": max(1, steps - warmup)}
    for name, number in numbers.items():
        getattr(schedule, name).assign(number)
    yield
    for name, number in numbers.items():
        setattr(schedule, name, number)
