"""Serves MLflow's own UI over the runs of this machine, kept up to date for as long as it is served."""

import contextlib
import fcntl
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from components.images import ROOT
from components.report.mlflow_log import QUIET, connect
from launch.backends.local.isolation.processes import GRACE_SECONDS, kill_group

HOST = "127.0.0.1"
STORE = ".mlflow"  # below the folder of runs: MLflow's database and what else can be made anew at any time
START_SECONDS, SYNC_SECONDS = 180, 3


def keep_up_to_date(server: "subprocess.Popen[bytes]", url: str, runs_dir: Path, store: Path) -> None:
    """Keeps the server's runs equal to the folder's for as long as the server lives."""
    from launch.tracking.mirror import VIEW, Mirror  # pandas and MLflow take seconds to import

    client = connect(url)
    from mlflow.exceptions import MlflowException

    mirror = Mirror(client, runs_dir, store / "artifacts")
    shown = f"{url}/#/experiments/{mirror.experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
    say(mirror.sync())
    print(f"{len(mirror.seen)} runs at {shown}\nCtrl-C ends it.", flush=True)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(SYNC_SECONDS)
            return
        try:
            say(mirror.sync())
        except MlflowException as error:
            say([f"MLflow's server did not answer: {error}"])


def say(problems: list[str]) -> None:
    """Prints each problem on a line of its own."""
    for problem in problems:
        print(problem, flush=True)


def server_python() -> str:
    """Returns the interpreter that has MLflow's server: this one, or that of .venv-ui. Raises ValueError: neither has it."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("mlflow")  # mlflow-skinny, the client, is another package
        return sys.executable
    own = ROOT / ".venv-ui" / "bin" / "python"
    if own.exists():
        return str(own)
    raise ValueError(f"MLflow's server is needed, which is neither in {sys.prefix} nor in {ROOT / '.venv-ui'}: run `make ui`.")


def free_port(port: int) -> int:
    """Returns `port`, or any free one for 0. Raises ValueError: the port is taken, or is none."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "expected 0 to 65535"
            raise ValueError(f"--port {port}: {why}. Choose another one; --port 0 takes any that is free.") from error
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def claimed(store: Path) -> Iterator[None]:
    """Within the block no other `ui` serves these runs: two would show each twice. Raises ValueError: another one does."""
    store.mkdir(parents=True, exist_ok=True)
    with (store / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"{store.parent}: another `ui` serves these runs; use that one, or end it first. Its registry of models: "
                "export MLFLOW_TRACKING_URI=, then the http:// and port that it printed."
            ) from error
        yield


@contextlib.contextmanager
def served(store: Path, port: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Within the block MLflow's server is running, which it yields with its address; all it has started ends with the block.

    No proxy is asked for it. Raises as `server_python`, `free_port` and `claimed`.
    """
    python, port = server_python(), free_port(port)
    without_proxy = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), HOST]
    os.environ["no_proxy"] = ",".join(filter(None, without_proxy))
    command = [python, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", "--artifacts-destination", str(store / "artifacts")]
    environment = {**os.environ, **QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with claimed(store):
        with (store / "server.log").open("wb") as log:
            server = subprocess.Popen(
                command, cwd=store, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield server, f"http://{HOST}:{port}"
        finally:
            kill_group(server, signal.SIGTERM)
            try:
                server.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                kill_group(server, signal.SIGKILL)
                server.wait()


def wait_until_up(server: "subprocess.Popen[bytes]", url: str) -> bool:
    """Waits until the server answers; False if it ended, or did not in START_SECONDS."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(f"{url}/health", timeout=5).close()
            return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False
