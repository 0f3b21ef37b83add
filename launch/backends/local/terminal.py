"""Shows a person how a run on this machine goes: stages as they start and end, their lines behind their names."""

import re
import sys
import threading
from typing import TextIO

from components.settings import STAGES

WIDTH = max(map(len, STAGES))
PROGRESS = re.compile(r"\d+%\|")  # a tqdm bar


class Terminal:
    """Writes whole lines from several threads; on a screen, a progress bar's line is written over by the next one."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.lock = threading.Lock()
        self.bar_open = False

    def say(self, text: str) -> None:
        """Writes `text` on lines of its own."""
        with self.lock:
            if self.bar_open:
                print(file=self.stream)
                self.bar_open = False
            print(text, file=self.stream, flush=True)

    def stage_line(self, label: str, line: str) -> None:
        """Writes one line of a stage behind its name."""
        text = f"{label:<{WIDTH}} | {line}"
        if not (self.stream.isatty() and PROGRESS.search(line)):
            self.say(text)
            return
        with self.lock:
            print(f"\r\033[K{text}", end="", file=self.stream, flush=True)
            self.bar_open = True

    def stage_state(self, label: str, state: str) -> None:
        """Says that a stage is being executed, or how it ended."""
        self.say(f"{label:<{WIDTH}}   {state}")
