"""The server as its image starts it, in a process of its own, and a client that sends what no well-behaved one does."""

import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.images import ROOT

PREDICT = "/v1/models/verdelta:predict"
JSON = {"Content-Type": "application/json"}


class Server:
    """A running server."""

    def __init__(self, port: int, process: subprocess.Popen[bytes] | None = None, log: Path | None = None) -> None:
        self.port, self.process, self.log = port, process, log

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] = JSON, method: str | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, content (of JSON what it says) and headers of an answer; `body` is sent as JSON unless it is bytes."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"), path, content, dict(headers) if body is not None else {}
            )
            answer = connection.getresponse()
            text = answer.read()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return answer.status, json.loads(text) if is_json else text.decode(), answer.headers
        finally:
            connection.close()

    def send(self, raw: bytes, *, then: bytes = b"", after_seconds: float = 0.0, read: bool = True) -> int | None:
        """The status of what is answered to bytes on a bare connection; None where it is closed without an answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            with contextlib.suppress(ConnectionError):  # an answer may come, and the connection go, before all is sent
                connection.sendall(raw)
                time.sleep(after_seconds)
                connection.sendall(then)
            if not read:
                return None
            with contextlib.suppress(ConnectionError):
                line = connection.makefile("rb").readline().split()
                return int(line[1]) if line else None
        return None

    def memory_bytes(self) -> int:
        """What the process holds in memory."""
        assert self.process is not None
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines())
        return int(fields["VmRSS"].split()[0]) * 1024


@contextlib.contextmanager
def serving(model: Path | str, log: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """Yields a server of a published model, which ends with the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "components.serve", "--host", "127.0.0.1", "--port", str(port), *arguments]
    if model:
        command += ["--model", str(model)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **environment})
    server = Server(port, process, log)
    try:
        wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def wait_for(server: Server) -> None:
    """Returns when the server answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if server.process is not None and server.process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            server.ask("/healthz")
            return
        time.sleep(0.1)
    raise AssertionError(f"no server: {server.log.read_text() if server.log else ''}")


def sent(content: bytes, **more: str) -> dict[str, str]:
    """A photo as a request has it."""
    return {"b64": base64.b64encode(content).decode(), **more}
