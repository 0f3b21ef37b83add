"""The command line: each command is a module, here or in a room, which reads its arguments and returns its exit status.

What `--help` says of a command is its module's own first words.
"""

import argparse
import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.contract.shown import Screen
from launch.backends.base import BackendError
from launch.cli import check, clean, list, open, rerun, run, score, ui
from launch.cli.answers import ask, publish, serve
from launch.cli.cluster import compile, profile, schedules, stop, submit
from launch.cli.cluster.profile import with_profile
from launch.cli.options import HERE

COMMANDS = (check, run, rerun, score, ask, serve, publish, compile, submit, list, clean, open, stop, schedules, profile, ui)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="pipeline.py", description="verdelta: how many days lie between two photos of a plant.", allow_abbrev=False
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name, _, text = " ".join((module.__doc__ or "").split()).partition(": ")  # `stop`: ends a run, ...
        module.add_flags(commands.add_parser(name.strip("`"), help=module.HELP, description=text[:1].upper() + text[1:]))
    return top


def commands_of(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Returns the parser of each command by its name."""
    return next(action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))


def main(pipeline: Callable[..., Any], arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says with `pipeline`; 2 is the status of a command that cannot be, 1 of one that failed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 must not end a run
    try:
        with contextlib.redirect_stdout(Screen(sys.stdout)), contextlib.redirect_stderr(Screen(sys.stderr)):
            return act(pipeline, arguments)
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # nobody reads it any more, as after `| head`: the interpreter would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def act(pipeline: Callable[..., Any], arguments: Sequence[str] | None) -> int:
    """Does what the command line says, and returns the exit status.

    What a command raises of what it was asked is status 2: ValueError, and a file or run that is missing, or there already. What
    goes wrong meanwhile, in a place of execution or on a disk, is status 1.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs begin with it ignored
        signal.signal(number, interrupt)
    top = parser()
    parsed: argparse.Namespace | None = None
    try:
        parsed = top.parse_args(with_profile(sys.argv[1:] if arguments is None else arguments, commands_of(top)))
        if getattr(parsed, "target", None) == HERE:
            parsed.target = None
        return parsed.command(parsed, pipeline)
    except (ValueError, FileNotFoundError, FileExistsError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has read enough
        return 128 + signal.SIGPIPE
    except (BackendError, ConnectionError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        full = "; free some space and repeat the command" if error.errno == errno.ENOSPC else ""
        print(
            f"ERROR: {error.filename or getattr(parsed, 'runs_dir', 'pipeline.py')}: {error.strerror or error}{full}.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt as stopped:
        print("STOPPED", file=sys.stderr)
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)


def interrupt(number: int, _frame: object) -> None:
    """Turns a signal into what Ctrl-C is, so that all clean up alike."""
    raise KeyboardInterrupt(number)
