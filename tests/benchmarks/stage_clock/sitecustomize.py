"""A stage's process enters, how long its own work took leaves: with this folder on PYTHONPATH, Python runs this before the stage.

The function that a stage's component calls (components/train/fit.py's `train`, for example) is wrapped when its module has been
imported: each call adds a line of JSON to the file that $STAGE_CLOCK names. What a process does before and after is overhead.
"""

import functools
import json
import os
import time
from importlib.machinery import SourceFileLoader

execute = SourceFileLoader.exec_module


def execute_and_wrap(self, module):
    execute(self, module)
    top, _, rest = self.name.partition(".")
    room, _, name = rest.partition(".")
    if top != "components" or not name or name.endswith("component"):
        return
    for candidate in (room, f"write_{room}"):
        function = getattr(module, candidate, None)
        if callable(function) and getattr(function, "__module__", "") == self.name:
            setattr(module, candidate, timed(function, room))


def timed(function, stage):
    @functools.wraps(function)
    def call(*args, **kwargs):
        start = time.monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            line = json.dumps({"stage": stage, "seconds": time.monotonic() - start})
            with open(os.environ["STAGE_CLOCK"], "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time to import
                file.write(line + "\n")

    return call


if "STAGE_CLOCK" in os.environ:
    SourceFileLoader.exec_module = execute_and_wrap
