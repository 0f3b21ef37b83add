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
        """Status, content and headers of an answer: of JSON what it says, of tensors bytes; what is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"), path, content, dict(headers) if body is not None else {}
            )
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("content-type", "")
            said = json.loads(text) if kind.startswith("application/json") else text if "octet-stream" in kind else text.decode()
            return answer.status, said, answer.headers
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


def form(*parts: tuple[str, str, bytes]) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a form of files, of (name, name of the file, content), as browsers send it."""
    lines = []
    for name, file_name, content in parts:
        file = f'; filename="{file_name}"' if file_name else ""
        lines.append(f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n")
    return b"".join([*lines, b"--edge--\r\n"]), {"Content-Type": "multipart/form-data; boundary=edge"}


def raw(inputs: dict[str, list[bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    """The body and headers of an inference request of KServe v2 whose tensors follow its JSON as bytes."""
    contents = {name: b"".join(len(each).to_bytes(4, "little") + each for each in data) for name, data in inputs.items()}
    tensors = [
        {"name": name, "shape": [len(data)], "datatype": "BYTES", "parameters": {"binary_data_size": len(contents[name])}}
        for name, data in inputs.items()
    ]
    head = json.dumps({"inputs": tensors, **more}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return b"".join([head, *contents.values()]), headers
