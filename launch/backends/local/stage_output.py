"""Decides what a person sees of a stage's lines, and finds in them why it failed."""

import errno
import re
import signal
from collections.abc import Sequence

TRACEBACK = "Traceback (most recent call last):"
KFP_LINE = "[KFP Executor "
KFP_DUMP = "Got executor_input:"  # followed by JSON over many lines, the last of which is "}"
EXCEPTION = re.compile(r"^(?:\w+\.)*(?P<name>[A-Z]\w*)(?:: (?P<message>.*))?$")
NO_SPACE, FULL_DISK = f"[Errno {errno.ENOSPC}]", "; free some space on the disk."
NATIVE = re.compile(
    r"[IWE]\d{4} [\d:.]+\s+\d+ \S+:\d+\] .*|WARNING: All log messages before absl::InitializeLog.*"
)  # TensorFlow's
OUT_OF_MEMORY = "the machine ran out of memory; lower the batch or memory_budget_gb, or add memory."
CHAIN = re.compile(r'"""$|The above exception was the direct cause|During handling of the above exception|\S+\._RemoteTraceback:')


class Watched:
    """Decides line by line what is shown: no talk of kfp or of native libraries, and no traceback, whose end is shown later."""

    def __init__(self) -> None:
        self.hidden_until: re.Pattern[str] | None = None

    def shown(self, line: str) -> str:
        """Returns what the terminal shows of `line`, the next one of the stage; nothing of a line that is for the log only."""
        if self.hidden_until:
            if self.hidden_until.match(line):
                self.hidden_until = None
            return ""
        if line.startswith(KFP_LINE):
            self.hidden_until = re.compile(r"}$") if line.endswith(KFP_DUMP) else None
            return ""
        if line.startswith(TRACEBACK):
            self.hidden_until = re.compile(r"\S")
            return ""
        return "" if CHAIN.match(line) else NATIVE.sub("", line).rstrip()


def failure_reason(lines: Sequence[str], status: int) -> str:
    """Returns why a stage failed: the exception in its lines, or the signal n that ended it, which a shell reports as 128 + n."""
    number = -status if status < 0 else status - 128
    if number > 0:
        name = next((each.name for each in signal.Signals if each == number), f"signal {number}")
        return f"ended by {name}: most often {OUT_OF_MEMORY}" if number == signal.SIGKILL else f"ended by {name}."
    starts = [position for position, line in enumerate(lines) if line.startswith(TRACEBACK)]
    for position in range(starts[-1] + 1 if starts else len(lines), len(lines)):
        if EXCEPTION.match(lines[position]):
            message = list(lines[position : position + 1])
            for line in lines[position + 1 :]:  # a message of several lines
                if line.startswith((KFP_LINE, TRACEBACK)) or not line.strip():
                    break
                message.append(line)
            return "\n".join(message) + (FULL_DISK if NO_SPACE in message[0] else "")
    last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
    return f"exit status {status}; its last line: {last}"
