"""Saves a training's state every few minutes and when it is told to end, and goes on from what an earlier try has saved."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.network.devices import process
from components.train.saved_state import SavedState, State, saved_state, variables_of
from components.train.settings import TrainSettings


class Resume(keras.callbacks.Callback):
    """Counts the steps of a training, saves its state between two of them, and has it begin with the step after the last saved.

    It stands around Keras's training step, as callbacks after a batch may run beside the next step, which has taken over the
    state. Keras begins at an epoch's beginning: the steps of a begun epoch that are done pass without computing anything.

    Attributes:
        epochs: a row of history.csv for each epoch that has ended, those of earlier tries included.
        done: steps that earlier tries have done.
        last_good: where the last state is that was saved, by whichever try; empty where none is.
    """

    def __init__(self, saved: SavedState | None, minutes: float) -> None:
        super().__init__()
        self.saved, self.interval = saved, minutes * 60
        self.state = broadcast_steps(saved.read() if saved and process()[0] == 0 else None) if saved else None
        self.done = self.state.steps if self.state else 0
        self.epochs = list(self.state.epochs) if self.state else []
        self.seconds_before = self.state.seconds if self.state else 0.0
        self.last_good = self.saved.address if self.saved and self.done else ""
        self.steps = 0  # that have passed, in whatever try
        self.due, self.last_took = float("inf"), 0.0
        self.latest: State | None = None  # from an epoch's last step until a later one has ended
        self.told_to_end = False
        self.writer = ThreadPoolExecutor(max_workers=1)
        self.writing: Future[float] | None = None

    def begin(self, steps: int, steps_per_epoch: int) -> None:
        """Says how long the training is; to be called before anything is made of `first_epoch` and `passed`."""
        self.total, self.per_epoch = steps, steps_per_epoch
        if self.done:
            assert self.saved
            print(f"goes on after step {self.done} of {steps}, which {self.saved.address} holds", flush=True)

    @property
    def first_epoch(self) -> int:
        """The epoch, from 0, that Keras begins with: the one of the last step that is done, as what follows it may not be."""
        return max(0, self.done - 1) // self.per_epoch

    @property
    def passed(self) -> int:
        """The steps of the first epoch that are done already."""
        return self.done - self.first_epoch * self.per_epoch

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self.started = time.monotonic() - self.seconds_before
        self.due = time.monotonic() + self.interval
        self.steps = self.first_epoch * self.per_epoch
        self.compute, self.model.train_function = self.model.train_function, self.step

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if self.state and epoch == self.first_epoch:  # Keras has set the metrics back
            metrics = self.model._compile_metrics
            if not metrics.built:  # as under TensorFlow until the first step is traced
                metrics.build(self.model.output, self.model.output)
            variables = variables_of(self.model)
            for variable, array in zip(variables, broadcast_arrays(self.state.arrays, variables), strict=True):
                variable.assign(array)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append({"epoch": epoch + 1, **logs})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.model.train_function = self.compute

    def step(self, *arguments: Any) -> Any:
        """Stands in for Keras's training step: an iterator to logs; under JAX a state and an iterator to logs and state."""
        *state, batches = arguments
        if self.steps < self.done:
            assert self.state
            next(batches)
            self.steps += 1
            return (self.state.logs, *state) if state else self.state.logs
        results = self.compute(*arguments)
        self.steps += 1
        self.latest = None
        if self.saved:
            self.look_after(*(results if state else (results, None)))
        return results

    def look_after(self, logs: dict[str, Any], jax_state: Any) -> None:
        """Saves the state after a step where it is time to, and ends the process if it was told to end."""
        ends_epoch, due = self.steps % self.per_epoch == 0, time.monotonic() >= self.due
        if process()[0] == 0 and (ends_epoch or due or self.told_to_end):
            state = self.present_state(logs, jax_state)
            self.latest = state if ends_epoch or self.told_to_end else None
            if due and not self.told_to_end and np.isfinite(state.logs["loss"]):
                self.save(state)
        if self.told_to_end:
            self.leave()

    def present_state(self, logs: dict[str, Any], jax_state: Any) -> State:
        """Returns a copy of the state, which under JAX is not in the model's variables while it trains."""
        values = [value for kind in jax_state for value in kind] if jax_state else variables_of(self.model)
        return State(
            steps=self.steps,
            seconds=time.monotonic() - self.started,
            logs={name: float(value) for name, value in logs.items()},
            epochs=list(self.epochs),
            arrays=[np.array(keras.ops.convert_to_numpy(value)) for value in values],
        )

    def save(self, state: State) -> None:
        """Has a state written beside the next steps; as soon before it is due again as the last one took to be written."""
        if self.writing:
            self.last_took = self.writing.result()
        self.due = time.monotonic() + max(0.0, self.interval - self.last_took)
        self.writing = self.writer.submit(self.write, state)

    def write(self, state: State) -> float:
        """Writes a state and returns the seconds that took."""
        assert self.saved
        begun = time.monotonic()
        if self.saved.write(state):
            self.last_good = self.saved.address
        return time.monotonic() - begun

    def end(self, number: int, _frame: Any) -> None:  # noqa: ARG002
        """Ends the process, after the step that it is in; a signal handler.

        The state of an epoch's end is kept while its epoch is validated, so that nothing has to be waited for, and there is
        nothing to save before the first step of this try has ended.
        """
        self.told_to_end = True
        if self.latest or self.steps <= self.done:
            self.leave()

    def leave(self) -> None:
        """Writes the latest state, if there is one, and ends the process by the signal that it was told to end by."""
        if self.writing:
            self.writing.result()
        text = "told to end before a step was done"
        if self.latest and self.saved:
            written = self.saved.write(self.latest)
            known = "holds" if written else "lacks"
            text = f"told to end after step {self.steps} of {self.total}, which {self.saved.address} {known}"
        os.write(1, f"{text}\n".encode())  # not print, in the middle of which the signal may have come
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self, succeeded: bool) -> None:
        """Waits for what is being written, and removes it where the training has come to its end."""
        self.writer.shutdown()
        if succeeded and self.saved and process()[0] == 0:
            self.saved.delete()


@contextlib.contextmanager
def resuming(examples: Path, settings: TrainSettings) -> Iterator[Resume]:
    """Yields what a training is resumed with; within the block SIGTERM has the state saved, after it nothing is kept any more."""
    resume = Resume(saved_state(examples, settings), settings.checkpoint_minutes)
    hears = resume.saved is not None and threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, resume.end) if hears else None
    succeeded = False
    try:
        yield resume
        succeeded = True
    finally:
        if hears:
            signal.signal(signal.SIGTERM, previous)
        resume.close(succeeded)


def broadcast_steps(state: State | None) -> State | None:
    """Returns the state that the first of several processes has read, in the others without its arrays."""
    if process()[1] == 1:
        return state
    from jax.experimental import multihost_utils

    steps = int(multihost_utils.broadcast_one_to_all(np.int32(state.steps if state else 0)))
    return state or (State(steps, 0.0, {}, [], ()) if steps else None)


def broadcast_arrays(arrays: Any, variables: list[Any]) -> Any:
    """Returns the arrays that the first of several processes has read."""
    if process()[1] == 1:
        return arrays
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(list(arrays) or [np.zeros(each.shape, each.dtype) for each in variables])
