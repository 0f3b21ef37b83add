"""The names of kfp that are not its public interface, each with what it is needed for; nothing else imports or replaces one.

This is why kfp is pinned to one release: tests/launch/runs/dag/test_kfp_internals.py names what a new one lacks.
"""

import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kfp.dsl.pipeline_channel import PipelineArtifactChannel as PipelineArtifactChannel
from kfp.dsl.pipeline_context import Pipeline
from kfp.local.cache import LocalCache as LocalCache
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.local.status import Status as Status

USED = {
    "kfp.dsl.pipeline_channel.PipelineArtifactChannel": "a stage reads artifacts of another loop, or one artifact, as a list",
    "kfp.dsl.pipeline_context.Pipeline.get_default_pipeline": "every task of a pipeline is decorated for a cluster",
    "kfp.local.cache.LocalCache": "a hit of the local cache still holds what the stage wrote",
    "kfp.local.orchestrator.orchestrator_utils.OrchestratorUtils.make_task_arguments": "a stage's inputs are recorded",
    "kfp.local.status.Status": "what a replaced function says of a task",
    "kfp.local.task_dispatcher.docker_task_handler": "Docker's SDK is imported where there are containers",
}
DISPATCHER, DOCKER = "kfp.local.task_dispatcher", "docker"
# kfp.local has no way to hook into its tasks, so for the length of one run these are replaced.
REPLACED = {
    "kfp.local.orchestrator.task_executor.execute_single_task": "each task is recorded, and waits for its turn",
    "kfp.local.task_dispatcher.run_single_task_implementation": "a task that left a declared output out has failed",
    "kfp.local.subprocess_task_handler.run_local_subprocess": "a stage's process ends with the run, and its lines are logged",
    "kfp.local.subprocess_task_handler.replace_python_executable": "the interpreter hears signals, and its path may hold a space",
    "kfp.local.docker_task_handler.run_docker_container": "a container's exit status is waited for before it is removed",
    "kfp.local.cache.get_local_cache": "the cache is the one above",
    "kfp.local.config.LocalExecutionConfig.instance": "one run's settings do not stay for the next",
    "kfp.local.logging_utils.local_logger_context": "it replaces the root logger's handlers, which threads cannot share",
    "kfp.local.logging_utils.indented_print": "it replaces builtins.print, which threads cannot share",
    "kfp.local.logging_utils.print_horizontal_line": "kfp's own talk stays out of the terminal",
}


def tasks_of_pipeline() -> list[Any]:
    """Returns the tasks of the pipeline whose function is being called, those of loops included."""
    return list(Pipeline.get_default_pipeline().tasks.values())


def task_arguments(task: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what kfp.local will give a task: parameters and artifacts by name."""
    return OrchestratorUtils.make_task_arguments(task_inputs_spec=task["task_spec"].inputs, io_store=task["io_store"])


def load_dispatcher(containers: bool) -> None:
    """Imports what sends a task to a process or a container; where there are none, as if Docker's SDK were not installed.

    kfp is ready for that. The SDK takes a fifth of a second to import.
    """
    if containers:
        dispatcher = importlib.import_module(DISPATCHER)
        if dispatcher.docker_task_handler is None:
            importlib.reload(dispatcher)
    elif DISPATCHER not in sys.modules and DOCKER not in sys.modules:
        sys.modules[DOCKER] = None  # type: ignore[assignment]  # Python's way to say that there is none
        try:
            importlib.import_module(DISPATCHER)
        finally:
            del sys.modules[DOCKER]


@contextlib.contextmanager
def replacing(replacements: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    """Within the block each of REPLACED that is named is what its function makes of the original."""
    with contextlib.ExitStack() as stack:
        for name, make in replacements.items():
            assert name in REPLACED, name
            place, _, attribute = name.rpartition(".")
            owner = pkgutil.resolve_name(place)
            original = getattr(owner, attribute)
            stack.callback(setattr, owner, attribute, original)
            setattr(owner, attribute, make(original))
        yield
