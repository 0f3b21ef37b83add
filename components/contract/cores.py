"""How many processor cores a stage may use."""

import os


def available_cores() -> int:
    """Returns the number of cores this process may use, which is all of them where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
