"""Stage processes of a local run: a command goes in, its lines and its exit status come out; none outlives the run."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import IO

STOPPED = -signal.SIGTERM  # the status of a stage that was not started because the run is being stopped
GRACE_SECONDS = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StageProcesses:
    """Runs commands, several at a time from different threads, and ends all of them, with their children, when told to.

    Attributes:
        stopped_by: the signal that ended the run, or None.
    """

    def __init__(self) -> None:
        self.stopped_by: signal.Signals | None = None
        self.running: set[subprocess.Popen[str]] = set()

    def run(self, command: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Runs `command` to its end, gives each line it writes to `on_line`, and returns its exit status, -n for signal n.

        A stage gets a process group of its own, so that what it started ends with it: a worker that outlives a killed stage
        would hold its output open for ever.

        Raises:
            OSError: `on_line` could not write a line.
        """
        if self.stopped_by:
            return STOPPED
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,  # a progress bar's carriage returns become line ends
            encoding="utf-8",
            errors="replace",
            bufsize=1,
            env=dict(environment),
            start_new_session=True,
        )
        assert process.stdout is not None
        self.running.add(process)
        if self.stopped_by:  # the signal came while the process was being started
            kill_group(process, signal.SIGTERM)
        errors: list[OSError] = []
        reader = threading.Thread(target=read_lines, args=(process.stdout, on_line, errors), daemon=True)
        reader.start()
        status = process.wait()
        reader.join(timeout=2)
        if reader.is_alive():  # workers left behind hold the output open
            kill_group(process, signal.SIGKILL)
            reader.join()
        self.running.discard(process)
        process.stdout.close()
        if errors:
            raise errors[0]
        return status

    def stop(self, number: int, _frame: FrameType | None = None) -> None:
        """Ends all stages: politely the first time, at once the second time or after a grace period. A signal handler."""
        polite = self.stopped_by is None
        self.stopped_by = self.stopped_by or signal.Signals(number)
        self.kill(signal.SIGTERM if polite else signal.SIGKILL)
        if polite:
            timer = threading.Timer(GRACE_SECONDS, self.kill, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal to every running stage."""
        for process in tuple(self.running):
            kill_group(process, number)


def read_lines(stream: IO[str], on_line: Callable[[str], None], errors: list[OSError]) -> None:
    """Gives every line of `stream`, without its end, to `on_line`; reads on after an error there, or the stage would wait."""
    for line in stream:
        try:
            on_line(line.rstrip("\n"))
        except OSError as error:  # a full disk
            errors.append(error)


def kill_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Sends a signal to a process and all it has started; nothing happens where none of them is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def stop_on_signal(processes: StageProcesses) -> Iterator[None]:
    """Within the block Ctrl-C, SIGTERM and a closed terminal end the stages; the run then winds up as after a failed stage."""
    previous = {number: signal.signal(number, processes.stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
