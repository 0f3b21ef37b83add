"""One variant of a training step in; its speed, arithmetic and memory on the accelerator, as JSON on the last line, out.

`python -m tests.benchmarks.accelerator` starts it once per variant, in a process of its own, because XLA reads its flags and
takes its memory when a process begins. C cliques, K images per clique, P pairs.
"""

import collections
import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from jax._src.lib import _jax

from components.network.compile_cache import keep_programs
from components.network.devices import forward
from components.network.model import build_model, split_model
from components.train.ahead import lower_step
from components.train.cliques import pair_positions
from components.train.optimizer import compile_model
from components.train.settings import TrainSettings
from tests.benchmarks.accelerator_job import preset_fast
from tests.benchmarks.timing import seconds_per_call

PHOTOS = 753  # the challenge's
PREDICTED = 16  # images per batch: the default of prediction_batch_size
PHASES = 12  # of XLA's that are told


def measure(variant: dict[str, Any]) -> dict[str, Any]:
    """Compiles and runs the step.

    Args:
        variant: encoder, dim, mixed_precision, images (per step), clique_size, rematerialize, whether to say what XLA's seconds
            went to (`traced`), and whether to measure `more` than the step: the device's matrix product, feeding from the host,
            and prediction.
    """
    own = {name: variant[name] for name in ("encoder", "dim", "mixed_precision", "clique_size", "rematerialize")}
    settings = preset_fast(cliques_per_batch=variant["images"] // variant["clique_size"], **own)
    device = jax.devices()[0]
    keep_programs()
    result: dict[str, Any] = {"device": device.device_kind}
    if variant["more"]:
        result |= {"peak": product_flops(device.platform), "bandwidth": copied_bytes(device.platform)}
    photos = np.random.default_rng(0).integers(0, 256, (PHOTOS, settings.dim, settings.dim, 3), np.uint8)
    on_device = jax.device_put(photos)
    network = build_model(settings)
    started = time.monotonic()
    step, state, costs = compile_step(network, settings, variant["traced"])
    result |= {"compile_seconds": time.monotonic() - started, "parameters": count(network.trainable_variables), **costs}
    gather = jax.jit(lambda photos, rows: photos[rows])  # closed over, the photos would be a constant in the program
    seconds, state = seconds_per_step(step, state, settings, lambda rows: gather(on_device, rows))
    result |= {"step_seconds": seconds}
    if variant["more"]:
        result["host_step_seconds"], state = seconds_per_step(step, state, settings, lambda rows: jax.device_put(photos[rows]))
    result["memory"] = (device.memory_stats() or {}).get("peak_bytes_in_use", 0)
    if variant["more"]:
        assign(network, state)
        result |= prediction(network, on_device)
    return result


def product_flops(platform: str) -> float:
    """The most arithmetic per second that a large matrix product reaches: bfloat16, on a CPU float32 and smaller."""
    size, dtype = (1024, "float32") if platform == "cpu" else (8192, "bfloat16")
    matrix = jax.random.normal(jax.random.key(0), (size, size), dtype)  # zeros or ones would be multiplied faster than numbers
    square = jax.jit(lambda matrix: matrix @ matrix)
    return 2 * size**3 / repeat(lambda: square(matrix))


def copied_bytes(platform: str) -> float:
    """Bytes per second that a large copy reads and writes."""
    size = 2**22 if platform == "cpu" else 2**30
    values = jax.random.normal(jax.random.key(1), (size,), "float32")
    copy = jax.jit(lambda values: values + 1)
    return 2 * 4 * size / repeat(lambda: copy(values))


def count(variables: Iterable[Any]) -> int:
    """How many numbers there are in variables."""
    return sum(math.prod(variable.shape) for variable in variables)


def compile_step(
    network: keras.Model, settings: TrainSettings, traced: bool
) -> tuple[Any, tuple[list[Any], ...], dict[str, Any]]:
    """Training's own step as it is compiled there: (the step, the state it starts from, what is known of it)."""
    compile_model(network, settings)
    lowered = lower_step(network, settings)
    state = network._get_jax_state(
        trainable_variables=True, non_trainable_variables=True, optimizer_variables=True, metrics_variables=True
    )
    with phases_of_xla() if traced else contextlib.nullcontext({}) as phases:
        compiled = lowered.compile()
    costs, needed = compiled.cost_analysis() or {}, compiled.memory_analysis()
    known = {"flops": count_operations(lowered), "bytes": costs.get("bytes accessed", 0.0), "phases": phases}
    return compiled, state, known | {"temporaries": needed.temp_size_in_bytes if needed else 0}


@contextlib.contextmanager
def phases_of_xla() -> Iterator[dict[str, float]]:
    """Fills what it gives, when the block ends, with the names of the longest things that XLA did in it, and their seconds.

    One may be a part of another, and seconds are those of all threads.
    """
    phases: dict[str, float] = {}
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level, options.host_tracer_level = 0, 2
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            yield phases
        seconds: collections.Counter[str] = collections.Counter()
        (path,) = Path(folder).rglob("*.xplane.pb")
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            if plane.name.startswith("/host"):
                for event in (event for line in plane.lines for event in line.events):
                    seconds[event.name.partition(" (")[0]] += event.duration_ns / 1e9
    phases.update(seconds.most_common(PHASES))


def count_operations(lowered: Any) -> float:
    """Floating-point operations of a lowered function.

    XLA counts them before it optimizes, as it could not look into calls of cuDNN; it counts the LSTM's loop over two images once.
    `lowered.cost_analysis` does the same, but knows only the clients of CPUs and gives None for a GPU's or a TPU's.
    """
    module = lowered.compiler_ir("hlo").as_hlo_module()
    return _jax.hlo_module_cost_analysis(jax.devices("cpu")[0].client, module)["flops"]


def targets(settings: TrainSettings) -> tuple[np.ndarray, np.ndarray]:
    """Days [C, P, 1] and weights [C, P] of a batch, all ones."""
    shape = (settings.cliques_per_batch, len(pair_positions(settings.clique_size)[0]))
    return np.ones((*shape, 1), np.float32), np.ones(shape, np.float32)


def seconds_per_step(step: Any, state: Any, settings: TrainSettings, feed: Callable[[np.ndarray], Any]) -> tuple[float, Any]:
    """Seconds of a step whose photos `feed` brings, by rows [C, K] of all of them, and the state after the last."""
    rng = np.random.default_rng(1)

    def one() -> Any:
        nonlocal state
        rows = rng.integers(0, PHOTOS, (settings.cliques_per_batch, settings.clique_size), np.int32)
        logs, state = step(state, (feed(rows), *targets(settings)))
        return logs

    return repeat(one), state


def assign(network: keras.Model, state: Any) -> None:
    """Gives the network its weights back, which training took."""
    for variable, value in zip(
        (*network.trainable_variables, *network.non_trainable_variables), (*state[0], *state[1]), strict=True
    ):
        variable.assign(value)


def prediction(network: keras.Model, photos: Any) -> dict[str, float]:
    """Seconds to compile the encoder, and per batch of it afterwards."""
    run = forward(split_model(network)[0])
    batch = np.asarray(photos[:PREDICTED])
    started = time.monotonic()
    jax.block_until_ready(run(batch))
    compiled = time.monotonic() - started
    return {"predict_compile_seconds": compiled, "predict_seconds": repeat(lambda: run(batch)) / PREDICTED}


def repeat(function: Callable[[], Any]) -> float:
    """Seconds per call of what computes on the device."""
    return seconds_per_call(function, jax.block_until_ready)


if __name__ == "__main__":
    try:
        print(json.dumps(measure(json.loads(sys.argv[1]))))
    except Exception as error:
        reason = (
            "out of memory" if "RESOURCE_EXHAUSTED" in str(error) else f"{type(error).__name__}: {str(error).splitlines()[0]}"
        )
        print(json.dumps({"failed": reason[:90]}))
