"""What a person sees of a stage's lines, and the reason given for a failure; processes end with all they started."""

import io
import signal
import threading
from pathlib import Path

import pytest

from launch.backends.local.isolation.processes import RunningStages, run_process
from launch.backends.local.results import score_table
from launch.backends.local.stage_output import Watched, failure_reason
from launch.backends.local.terminal import Terminal

FAILING = """\
[KFP Executor 2026-01-01 10:00:00,000 INFO]: Looking for component `train`
[KFP Executor 2026-01-01 10:00:00,000 INFO]: Got executor_input:
{
    "inputs": {
    }
}
reading photos
I0000 00:00:1795353639.219956   17157 port.cc:153] oneDNN custom operations are on.
train:  50%|#####     | 1/2E0000 00:00:1795353650.816391   17157 node_def_util.cc:682] NodeDef mentions
  two spaces stay
concurrent.futures.process._RemoteTraceback:
\"\"\"
Traceback (most recent call last):
  File "a.py", line 3, in decode
ValueError: first
\"\"\"

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 4, in train
    raise keras.Broken("...")
keras.errors.Broken: weights.h5: 3 layers,
expected 5
""".splitlines()


def test_a_person_sees_the_stages_own_lines() -> None:
    watched = Watched()
    shown = [text for line in FAILING if (text := watched.shown(line))]
    assert shown == ["reading photos", "train:  50%|#####     | 1/2", "  two spaces stay", "expected 5"]


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        (FAILING, 1, "keras.errors.Broken: weights.h5: 3 layers,\nexpected 5"),  # the last of a chain, all its lines
        (["Traceback (most recent call last):", "  File x", "KeyError"], 1, "KeyError"),
        (["bye", ""], 3, "exit status 3; its last line: bye"),
        ([], 2, "exit status 2; its last line: it wrote nothing"),
        (["working"], -9, "ended by SIGKILL: most often the machine ran out of memory"),
        (["working"], 137, "ended by SIGKILL: most often the machine ran out of memory"),  # as a shell says it
        (["working"], 139, "ended by SIGSEGV."),
    ],
)
def test_the_reason_of_a_failure_is_in_words(lines: list[str], status: int, reason: str) -> None:
    assert failure_reason(lines, status).startswith(reason)


def run(command: str, stages: RunningStages | None = None) -> tuple[int, list[str]]:
    """Status and lines of a shell command."""
    lines: list[str] = []
    status = run_process(stages or RunningStages(), ["sh", "-c", command], {"PATH": "/usr/bin:/bin"}, lines.append)
    return status, lines


def test_lines_of_both_streams_and_of_progress_bars_arrive_apart() -> None:
    assert run(r"printf '1%%\r2%%\n'; echo error >&2; printf '\377no newline'; exit 4") == (
        4,
        ["1%", "2%", "error", "\ufffdno newline"],
    )


def test_a_worker_that_outlives_its_stage_does_not_hold_up_the_run() -> None:
    assert run("sleep 300 & echo started; kill -9 $$") == (-signal.SIGKILL, ["started"])


def test_stopping_ends_running_stages_and_starts_no_more() -> None:
    stages, results = RunningStages(), []
    thread = threading.Thread(target=lambda: results.append(run("echo up; sleep 300; echo never", stages)))
    thread.start()
    while not stages.running:
        pass
    stages.stop(signal.SIGTERM)
    thread.join(timeout=120)
    assert results[0][0] == -signal.SIGTERM
    assert run("echo again", stages) == (-signal.SIGTERM, [])


def test_a_full_disk_under_the_log_is_reported_once_the_stage_has_ended() -> None:
    def on_line(line: str) -> None:
        Path("/dev/full").write_text(line)

    with pytest.raises(OSError, match="No space left"):  # and the stage, whose output is more than a pipe holds, was not held up
        run_process(RunningStages(), ["sh", "-c", "seq 20000"], {"PATH": "/usr/bin:/bin"}, on_line)


class Screen(io.StringIO):
    """A stream that says it is a screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_screen_a_progress_bar_is_written_over() -> None:
    screen = Screen()
    terminal = Terminal(screen)
    for line in ("10%|#", "20%|##", "done"):
        terminal.stage_line("train[0]", line)
    label = "train[0]        | "
    assert screen.getvalue() == f"\r\033[K{label}10%|#\r\033[K{label}20%|##\n{label}done\n"


def test_elsewhere_each_line_stays() -> None:
    stream = io.StringIO()
    for line in ("10%|#", "20%|##"):
        Terminal(stream).stage_line("train[0]", line)
    assert stream.getvalue().count("\n") == 2


def test_scores_that_a_run_does_not_have_are_dashes() -> None:
    table = score_table({"baseline_rmse_days": 8.125, "validation_rmse_days": 2.0, "validation_rmse_days_calibrated": 1.996})
    assert [line.split() for line in table.splitlines()[1:]] == [["validation", "8.12", "2.00", "2.00"], ["test", "-", "-", "-"]]
