"""A server on this machine that answers as a published API does, or fails on demand: what stands at the far end of `submit`."""

import contextlib
import dataclasses
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROP = "drop"  # a fault: the connection is closed without an answer


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked.

    Attributes:
        path: without the query.
        query: the last value of each name.
        body: as it came.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is answered; the content is sent as JSON, or as it is where it is bytes."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class FarEnd(ThreadingHTTPServer):
    """Answers by its routes, and as its faults say before that.

    Attributes:
        requests: all that was asked, in order.
        faults: (method, pattern of the path) to what to do in place of an answer, one after the other; an Answer, or DROP.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: list[tuple[str, str, Callable[[Request], Answer]]] = []
        self.requests: list[Request] = []
        self.faults: dict[tuple[str, str], list[Answer | str]] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: Request) -> Answer | str:
        """Returns the next fault of the request, or its route's answer; 404 without a route."""
        with self.lock:
            self.requests.append(request)
            for (method, pattern), faults in self.faults.items():
                if faults and method == request.method and re.fullmatch(pattern, request.path):
                    return faults.pop(0)
            for method, pattern, route in self.routes:
                if method == request.method and re.fullmatch(pattern, request.path):
                    return route(request)
        return Answer({"message": f"no route for {request.method} {request.path}"}, 404)

    def asked(self, method: str, pattern: str) -> list[Request]:
        """Returns the requests of this method and path so far."""
        return [each for each in self.requests if each.method == method and re.fullmatch(pattern, each.path)]


class Handler(BaseHTTPRequestHandler):
    """Hands every request to its server."""

    protocol_version = "HTTP/1.1"
    server: FarEnd

    def handle_one(self) -> None:
        """Answers one request."""
        address = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(urllib.parse.parse_qsl(address.query))
        answer = self.server.answer(Request(self.command, address.path, query, dict(self.headers), body))
        if isinstance(answer, str):
            self.close_connection = True
            return
        content = answer.content
        if not isinstance(content, bytes):
            content = b"" if content is None else json.dumps(content).encode()
        self.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(content))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if self.command != "HEAD" else b"")

    do_GET = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving(server: FarEnd) -> Iterator[FarEnd]:
    """Serves while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
