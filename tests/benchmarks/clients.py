"""Clients that cost little beside the server they ask: prepared bytes out over bare sockets, in a process of their own."""

import dataclasses
import resource
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor


@dataclasses.dataclass(frozen=True)
class Load:
    """What clients met.

    Attributes:
        seconds: of each request.
        wall_seconds: of all of them together.
        cpu_seconds: what the clients' own process took meanwhile.
    """

    seconds: tuple[float, ...]
    wall_seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.seconds) / self.wall_seconds


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Returns a request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def ask(port: int, requests: Sequence[bytes], clients: int) -> Load:
    """Sends requests by so many clients at a time, each on a connection that it keeps.

    Raises:
        RuntimeError: an answer of another status than 200.
    """
    waiting, taken, lock = list(requests), list[float](), threading.Lock()

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
            while True:
                with lock:
                    if not waiting:
                        return
                    sent = waiting.pop()
                begun = time.perf_counter()
                connection.sendall(sent)
                receive(connection)
                taken.append(time.perf_counter() - begun)

    used, begun = cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client) for _ in range(clients)]:
            done.result()
    return Load(tuple(taken), time.perf_counter() - begun, cpu_seconds() - used)


def receive(connection: socket.socket) -> None:
    """Reads one answer to its end; raises as `ask`."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += received(connection)
    head, _, content = found.partition(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        raise RuntimeError(f"answered {found[:300]!r}")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = length - len(content)
    while left > 0:
        left -= len(received(connection))


def received(connection: socket.socket) -> bytes:
    """Returns some bytes; raises as `ask` where there are none left."""
    found = connection.recv(65536)
    if not found:
        raise RuntimeError("the server closed a connection")
    return found


def cpu_seconds() -> float:
    """What this process has taken so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
