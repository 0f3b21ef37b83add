"""Work enters; how long it took leaves: on the clock, and in processor time, which other programs on the machine blur less."""

import gc
import time
from collections.abc import Callable
from typing import NamedTuple


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
