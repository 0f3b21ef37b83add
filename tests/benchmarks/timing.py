"""Work enters; how long it took leaves: on the clock, and in processor time, which other programs on the machine blur less."""

import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple

SECONDS, FEWEST_CALLS = 4.0, 3  # how long a speed is measured, at least


class Seconds(NamedTuple):
    """Seconds on the clock, and those of all threads of this process on a processor."""

    clock: float
    processor: float


def timed(work: Callable[[], object]) -> Seconds:
    """Runs `work` once, sparing it the garbage collection of what the process already holds."""
    gc.collect()
    gc.freeze()
    clock, processor = time.monotonic(), time.process_time()
    work()
    return Seconds(time.monotonic() - clock, time.process_time() - processor)


def seconds_per_call(start: Callable[[], Any], wait: Callable[[Any], object]) -> float:
    """Seconds per call where calls are started four at a time, as a training loop runs ahead; the first two do not count.

    Args:
        start: has a device begin with something, and returns what will be its result.
        wait: returns when a result is there.
    """
    for _ in range(2):
        wait(start())
    calls, started = 0, time.monotonic()
    while calls < FEWEST_CALLS or time.monotonic() - started < SECONDS:
        result, calls = start(), calls + 1
        if calls % 4 == 0:
            wait(result)  # a slow device must not be given minutes of work
    wait(result)
    return (time.monotonic() - started) / calls
