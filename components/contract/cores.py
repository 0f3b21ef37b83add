"""How many processor cores a stage may use, and work on many things by threads."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 1024  # items worked on, or done and waiting for their turn
Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Returns the number of cores this process may use, which is all of them where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mapped(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yields `work(item)` of each item, in order, or raises its error; holds some at a time, unlike `pool.map`, not a million."""
    pending = deque[Future[Result]]()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
