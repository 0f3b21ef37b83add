"""Runs a pipeline with kfp.local, which starts each stage through this module: recorded, watched, checked, ended with the run.

tests/launch/cli/test_run.py shows what each replacement in kfp is for.
"""

import collections
import contextlib
import dataclasses
import functools
import logging
import queue
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kfp import local

from components.contract.full_disk import naming_full_disk
from components.contract.shown import shown
from components.raw.storage import GS
from launch.backends.local import keras_backend, kfp_tasks
from launch.backends.local.cache.computed_by import computed_by
from launch.backends.local.cache.stage_cache import GONE, StageCache, input_contents
from launch.backends.local.isolation.code import copy_code, require_same_code
from launch.backends.local.isolation.containers import connect, run_container
from launch.backends.local.isolation.places import place_of
from launch.backends.local.isolation.processes import RunningStages, run_process, stop_on_signal
from launch.backends.local.stage_output import OUT_OF_MEMORY, Watched, failure_reason
from launch.backends.local.terminal import Terminal
from launch.runs.dag.kfp_internals import Status, load_dispatcher, replacing, task_arguments
from launch.runs.parameters import FOLDS, LOOP, SHARD, SHARDS
from launch.runs.record import CACHED, EXECUTED, STAGE_FAILED, RunRecord, StageEntry

RUN_LOG = "run.log"
LAST_LINES = 1000  # of a stage, in which the reason of a failure is looked for


@dataclasses.dataclass(frozen=True)
class Failure:
    """A stage that failed, why, and the file that holds its lines."""

    stage: str
    fold: int | None  # what it was about; None for a stage of the whole run, and for the only shard
    shard: int | None
    reason: str
    log: Path

    def __str__(self) -> str:
        parts = (("fold", self.fold), ("shard", self.shard))
        return f"stage {self.stage}{''.join(f' ({name} {part})' for name, part in parts if part is not None)}: {self.reason}"


class LocalRun:
    """One run of a pipeline in a folder, its stages as processes or, where `containers` says so, each in its container."""

    def __init__(
        self, folder: Path, cache_folder: Path, record: RunRecord, terminal: Terminal, parallel: int = 1, containers: bool = False
    ) -> None:
        self.folder, self.record, self.terminal, self.containers = folder, record, terminal, containers
        self.running = RunningStages()
        self.runs = cache_folder.parent
        self.gpus = keras_backend.shown_gpus() if not containers and keras_backend.computes_on_gpu() else []
        self.cache = StageCache(str(cache_folder), computed_by(containers, self.gpus, parallel), self.say_of_stage)
        self.slots: queue.SimpleQueue[int] = queue.SimpleQueue()  # a number for each stage that may run at a time
        self.parallel = parallel
        for number in range(parallel):
            self.slots.put(number)
        self.task = threading.local()  # kfp runs each fold's tasks in a thread of their own
        self.failures: list[Failure] = []  # in the order in which they came
        self.outputs: dict[str, dict[str, Any]] = {}  # stage to the outputs (artifact name to URI) of its last task
        self.digests: dict[str, str] = {}  # URI to SHA-256 of outputs that are one file
        self.logs, self.artifacts, self.scratch = folder / "logs", folder / "artifacts", ""
        self.code: Path | None = None
        self.copying = threading.Lock()

    def execute(self, pipeline: Callable[..., Any], parameters: Mapping[str, Any]) -> bool:
        """Runs a pipeline and returns whether every stage succeeded; a signal ends it as a failed stage does."""
        self.logs.mkdir(exist_ok=True)
        self.artifacts.mkdir(exist_ok=True)
        parent = self.folder if self.containers else Path(tempfile.gettempdir())  # containers write below the run's folder only
        load_dispatcher(self.containers)
        with (
            self.record.scratch(parent) as scratch,
            replacing(self.replacements()),
            logging_to(self.folder / RUN_LOG),
            stop_on_signal(self.running),
        ):
            self.scratch, self.code = str(scratch), None
            local.init(
                runner=local.DockerRunner() if self.containers else local.SubprocessRunner(use_venv=False),
                pipeline_root=str(self.artifacts),
                workspace_root=str(Path(self.scratch, "workspace")),
                enable_caching=True,
                cache_root=self.cache.cache_root,
            )
            try:
                pipeline(**parameters)
            except RuntimeError as error:  # kfp's way to say that a task failed
                if not self.failures and not self.running.stopped_by:
                    self.failures.append(Failure("pipeline", None, None, str(error), self.folder / RUN_LOG))
        return not self.failures and not self.running.stopped_by

    def execute_task(self, original: Callable[..., Any], **task: Any) -> tuple[dict[str, Any], Status]:
        """Stands in for kfp's `execute_single_task`: the same, and its record."""
        stage = kfp_tasks.stage_name(task)
        if stage is None:  # the importer
            return original(**task)
        with self.slot():
            if self.running.stopped_by:
                return {}, Status.FAILURE
            inputs = task_arguments(task)
            fold, shard = kfp_tasks.loop_part(task["io_store"], FOLDS, LOOP), kfp_tasks.loop_part(task["io_store"], SHARDS, SHARD)
            several = inputs.get("num_shards", 1) > 1  # else there is nothing to tell apart
            part = fold if fold is not None else shard if several else None
            label, log = (stage, stage) if part is None else (f"{stage}[{part}]", f"{stage}-{part}")
            self.task.stage, self.task.label, self.task.log = stage, label, self.logs / f"{log}.log"
            self.task.state, self.task.reason, self.task.inputs = CACHED, "", inputs
            start = time.monotonic()
            try:
                outputs, status = original(**task)
            except Exception as error:
                logging.exception("%s could not be run", label)
                self.task.reason = f"{type(error).__name__}: {error}"
                outputs, status = {}, Status.FAILURE
            state = self.task.state if status == Status.SUCCESS else STAGE_FAILED
            entry = StageEntry(
                stage=stage,
                fold=fold,
                shard=shard,
                state=state,
                seconds=round(time.monotonic() - start, 3),
                inputs=kfp_tasks.recorded_inputs(task["components"][task["task_spec"].component_ref.name], inputs),
                outputs={name: kfp_tasks.uri_of(value) for name, value in outputs.items()},
            )
            self.terminal.stage_state(label, state if state == CACHED else f"{state}  {entry.seconds:.1f} s")
            self.record.add(entry)
            self.outputs[stage] = entry.outputs
            self.digests |= kfp_tasks.single_digests(outputs)
            if state == STAGE_FAILED and not self.running.stopped_by:
                self.failures.append(Failure(stage, fold, shard if several else None, self.task.reason, self.task.log))
            return outputs, status

    def say_of_stage(self, text: str) -> None:
        """Says something of the stage of this thread."""
        self.terminal.stage_line(self.task.label, text)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Within the block a stage of this thread may run; its number says which share of the machine is its own."""
        self.task.slot = self.slots.get()
        try:
            yield
        finally:
            self.slots.put(self.task.slot)

    def run_task(self, original: Callable[..., Any], **task: Any) -> tuple[dict[str, Any], Status]:
        """Stands in for kfp's `run_single_task_implementation`: a stage that left a declared output out has failed.

        So has one whose inputs were deleted, as with the run that they were found in: it may not have read all of them.
        """
        container = task["executor_spec"].container
        self.task.image = container.image
        self.task.memory_bytes = int(container.resources.memory_limit * 1e9) or None  # kfp compiles a limit to GB
        before = input_contents(task["arguments"])
        outputs, status = original(**task)
        after = input_contents(task["arguments"])
        if lost := [path for path in before if not after[path] or after[path] != before[path]]:
            self.task.reason = f"{lost[0]}: {GONE}"
            return {}, Status.FAILURE
        if status != Status.SUCCESS:
            return outputs, status
        kfp_tasks.write_metrics(outputs)
        if missing := kfp_tasks.missing_outputs(task["component_spec"], outputs):
            self.task.reason = f"it ended without an error, but did not write {', '.join(missing)}, which it declares as output."
            return {}, Status.FAILURE
        return outputs, status

    def run_process(self, full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        """Stands in for kfp's `run_local_subprocess`."""
        share = keras_backend.share_of_gpus(self.task.slot, self.parallel, self.gpus)
        require_same_code(self.task.image, code := self.copied_code())
        environment = {**kfp_tasks.stage_environment(self.scratch, self.runs, code), **share, **(env_vars or {})}
        return self.follow(lambda on_line: (run_process(self.running, full_command, environment, on_line), False))

    def copied_code(self) -> Path:
        """Returns the copy of the code that all stages are executed with, which the first makes: cached ones need none."""
        with self.copying:
            self.code = self.code or copy_code(Path(tempfile.mkdtemp(prefix="code-", dir=self.scratch)))
            return self.code

    def run_container(self, image: str, command: list[str], environment: dict[str, str] | None = None, **_: Any) -> int:
        """Stands in for kfp's `run_docker_container`; kfp's own client of the engine gives up sooner than ours."""
        with contextlib.closing(connect()) as client:
            kept = self.kept_by_container()
            place = place_of(
                client,
                image,
                self.task.inputs,
                {"HOME": self.scratch, "TMPDIR": self.scratch, **kept, **(environment or {})},
                writable=(str(self.artifacts), self.scratch, *kept.values()),
                memory_bytes=self.task.memory_bytes,
                run=str(self.folder),
            )
            return self.follow(lambda on_line: run_container(client, self.running, image, command, place, on_line))

    def kept_by_container(self) -> dict[str, str]:
        """Returns the variable of the folder that a container of train keeps its state in, made where it is not there yet."""
        place = keras_backend.kept_environment(self.runs)[keras_backend.CHECKPOINTS]
        if self.task.stage != "train" or place.startswith(GS):  # a container without network reaches no bucket
            return {}
        Path(place).mkdir(parents=True, exist_ok=True)
        return {keras_backend.CHECKPOINTS: str(Path(place).resolve())}

    def follow(self, run: Callable[[Callable[[str], None]], tuple[int, bool]]) -> int:
        """Executes a stage with `run`: its lines go to its log and, most of them, to the terminal; returns its exit status.

        Args:
            run: takes a function for each line; returns the exit status, and whether the stage ran out of memory.
        """
        label, watched = self.task.label, Watched()
        lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self.task.state = EXECUTED
        self.terminal.stage_state(label, "started")
        with self.task.log.open("w", encoding="utf-8", buffering=1) as log:

            def on_line(line: str) -> None:
                line = shown(line)  # people look at logs in terminals, too
                lines.append(line)
                with naming_full_disk(Path(log.name)):
                    log.write(line + "\n")
                if text := watched.shown(line):
                    self.terminal.stage_line(label, text)

            status, out_of_memory = run(on_line)
        if out_of_memory:
            self.task.reason = OUT_OF_MEMORY
            return status or 1  # a stage that lost a worker so has not done its work
        if status:
            self.task.reason = failure_reason(list(lines), status)
        return status

    def replacements(self) -> dict[str, Callable[[Any], Any]]:
        """Returns what is replaced in kfp: its name to what makes the replacement of the original."""
        as_process = "kfp.local.subprocess_task_handler"
        found: dict[str, Callable[[Any], Any]] = {
            "kfp.local.orchestrator.task_executor.execute_single_task": lambda kfps: functools.partial(self.execute_task, kfps),
            "kfp.local.task_dispatcher.run_single_task_implementation": lambda kfps: functools.partial(self.run_task, kfps),
            f"{as_process}.run_local_subprocess": lambda _: self.run_process,
            f"{as_process}.replace_python_executable": lambda kfps: (
                lambda command, path: kfps(command, f"exec {shlex.quote(path)}")
            ),
            "kfp.local.cache.get_local_cache": lambda _: lambda: self.cache,
            "kfp.local.config.LocalExecutionConfig.instance": lambda _: None,
            "kfp.local.logging_utils.local_logger_context": lambda _: contextlib.nullcontext,
            "kfp.local.logging_utils.indented_print": lambda _: contextlib.nullcontext,
            "kfp.local.logging_utils.print_horizontal_line": lambda _: lambda: None,
        }
        if self.containers:  # whose module imports Docker's SDK
            found["kfp.local.docker_task_handler.run_docker_container"] = lambda _: self.run_container
        return found


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Within the block log records and warnings go to the file at `path`, and nowhere else; those it has no room for are lost."""
    logger, handler = logging.getLogger(), logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handlers, level, complains = logger.handlers[:], logger.level, logging.raiseExceptions
    logging.raiseExceptions = False
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logging.raiseExceptions = complains
        with contextlib.suppress(OSError):
            handler.close()
