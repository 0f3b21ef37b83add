"""`ui`: serves MLflow's UI over the runs of this machine, to this machine alone, until Ctrl-C: parameters, scores, training
curves and reports, side by side.

Runs that are going on appear as they go.
"""

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any

from launch.cli.options import add_runs_dir

HELP = "compare the runs of this machine in MLflow's UI"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_runs_dir(parser)
    parser.add_argument("--port", type=int, default=5000, metavar="N", help="port of the UI, 0 for any free one (default: 5000)")
    parser.set_defaults(command=ui)


def ui(arguments: argparse.Namespace, _pipeline: Any) -> int:
    """Serves the UI until Ctrl-C, which is its regular end, and returns the exit status."""
    # pandas, which it imports, takes a while; no other command waits for that
    from launch.tracking.server import STORE, keep_up_to_date, served, wait_until_up

    runs_dir: Path = arguments.runs_dir.resolve()
    if not runs_dir.is_dir():
        raise FileNotFoundError(
            f"--runs-dir {arguments.runs_dir}: no such folder. Start a run first: python pipeline.py run --sample"
        )
    store = runs_dir / STORE
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))  # a closed terminal ends the server, too
    with contextlib.suppress(KeyboardInterrupt), served(store, arguments.port) as (server, url):
        print(f"starting MLflow over {runs_dir}", flush=True)
        if wait_until_up(server, url):
            keep_up_to_date(server, url, runs_dir, store)
        print(f"ERROR: MLflow's server ended or does not answer; its last lines, of {store / 'server.log'}:", file=sys.stderr)
        print("\n".join((store / "server.log").read_text(errors="replace").splitlines()[-10:]), file=sys.stderr)
        return 1
    print("stopped")
    return 0
