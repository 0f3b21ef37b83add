"""Runs a stage as a process of its own, which never outlives the run."""

import contextlib
import functools
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

STOPPED = -signal.SIGTERM  # the status of a stage that was not started because the run is being stopped
GRACE_SECONDS = 20  # in which a training saves its state
# Stands before a stage's command, and ends it with all that it has started when the launcher is gone, however that came about:
# its standard input is a pipe that the launcher holds the other end of.
GUARD = """exec 3<&0 </dev/null
(trap "" HUP INT TERM; read -r line <&3 || kill -s KILL 0) >/dev/null 2>&1 &
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Kill = Callable[[signal.Signals], None]  # sends a signal to a stage and all it has started; does nothing where none is left


class RunningStages:
    """Ends the stages that are running, in whichever thread, when told to; `stopped_by` is the signal that ended the run."""

    def __init__(self) -> None:
        self.stopped_by: signal.Signals | None = None
        self.running: set[Kill] = set()

    @contextlib.contextmanager
    def keep(self, kill: Kill) -> Iterator[None]:
        """Within the block a stage is running, as a process or in a container, and told so if the run is being stopped."""
        self.running.add(kill)
        if self.stopped_by:  # the signal came while the stage was being started
            kill(signal.SIGTERM)
        try:
            yield
        finally:
            self.running.discard(kill)

    def stop(self, number: int, _frame: FrameType | None = None) -> None:
        """Ends all stages: politely the first time, at once the second time or after a grace period. A signal handler."""
        polite = self.stopped_by is None
        self.stopped_by = self.stopped_by or signal.Signals(number)
        # in a thread of its own, as the signal may have come in the middle of a talk with Docker's engine
        threading.Thread(target=self.kill, args=[signal.SIGTERM if polite else signal.SIGKILL], daemon=True).start()
        if polite:
            timer = threading.Timer(GRACE_SECONDS, self.kill, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal to every running stage."""
        for kill in tuple(self.running):
            kill(number)


def kill_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Sends a signal to the leader of a process group and all it has started; nothing happens where none of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def run_process(
    stages: RunningStages, command: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]
) -> int:
    """Runs `command` to its end, gives each line it writes to `on_line`, and returns its exit status, -n for signal n.

    A stage gets a process group of its own, so that what it started ends with it: a worker that outlives a killed stage
    would hold its output open for ever. The group ends with this process, too, see GUARD.

    Raises:
        OSError: `on_line` could not write a line.
    """
    if stages.stopped_by:
        return STOPPED
    process = subprocess.Popen(
        ["sh", "-c", GUARD + 'exec "$@" 3<&-', "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,  # a progress bar's carriage returns become line ends
        encoding="utf-8",
        errors="replace",
        bufsize=1,
        env=dict(environment),
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    errors: list[OSError] = []
    reader = threading.Thread(target=read_lines, args=(process.stdout, on_line, errors), daemon=True)
    with stages.keep(functools.partial(kill_group, process)):
        reader.start()
        status = process.wait()
        reader.join(timeout=2)
        kill_group(process, signal.SIGKILL)  # the guard, and workers left behind, which may hold the output open
        reader.join()
    process.stdout.close()
    process.stdin.close()
    if errors:
        raise errors[0]
    return status


def read_lines(stream: Iterable[str], on_line: Callable[[str], None], errors: list[OSError]) -> None:
    """Gives every line of `stream`, without its end, to `on_line`; reads on after an error there, or the stage would wait."""
    for line in stream:
        try:
            on_line(line.rstrip("\n"))
        except OSError as error:  # a full disk
            errors.append(error)


@contextlib.contextmanager
def stop_on_signal(stages: RunningStages) -> Iterator[None]:
    """Within the block Ctrl-C, SIGTERM and a closed terminal end the stages; the run then winds up as after a failed stage.

    Under nohup, which has a process ignore SIGHUP, a closed terminal ends nothing.
    """
    under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    heard = [number for number in SIGNALS if not (under_nohup and number == signal.SIGHUP)]
    previous = {number: signal.signal(number, stages.stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
