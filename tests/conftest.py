"""Settings of all tests, the order in which files of tests are begun, and what they have counted."""

import inspect
import sys
from types import FrameType

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("untimed")


def names_of_stack(context: int = 0) -> list[inspect.FrameInfo]:
    """`inspect.stack` without source lines.

    kfp asks for the stack whenever a task is decorated, to name the caller in an error; looking for the source of each frame is
    nine tenths of compiling a pipeline as deep in the stack as a test is.
    """
    del context
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame:
        found.append(inspect.FrameInfo(frame, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None, None))
        frame = frame.f_back
    return found


inspect.stack = names_of_stack

# What takes minutes is begun first, so that the workers end together; next to each other, what does not wait for the same thing.
FIRST = (
    "containers/test_dying_containers.py",
    "components/network/test_jax.py",
    "components/train/test_resume.py",
    "launch/backends/local/test_kills.py",
    "components/train/test_train.py",
    "launch/cli/test_rerun.py",
    "launch/tracking/test_compare.py",
    "launch/backends/local/test_fan_out.py",
    "parity/test_train_step.py",
    "launch/cli/test_run.py",
    "containers/test_built_images.py",
    "components/network/test_checkpoint.py",
    "launch/backends/local/test_full_disk_runs.py",
    "components/network/test_compile_cache.py",
    "launch/backends/local/test_launch_gcs.py",
    "launch/cli/test_score.py",
    "launch/backends/local/test_failures.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the files of FIRST first; a file's tests keep their order."""
    rank = {config.rootpath / "tests" / name: number for number, name in enumerate(FIRST)}
    if missing := [str(path) for path in rank if not path.is_file()]:
        raise pytest.UsageError(f"{__file__}: FIRST names files that are not there: {missing}")
    items.sort(key=lambda item: rank.get(item.path, len(FIRST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests have counted: what they gave to `record_property` as "count"."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    counts = [(each.nodeid, text) for each in reports for name, text in each.user_properties if name == "count"]
    if counts:
        terminalreporter.section("counted")
    for test, text in sorted(counts):
        terminalreporter.write_line(f"{test.rpartition('::')[2]}: {text}")
