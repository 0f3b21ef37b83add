"""How fast the server answers, beside its encoder alone: `python -m tests.benchmarks.serve MODEL PHOTOS`.

MODEL is what publish wrote, PHOTOS a folder of photos. Clients are threads of this process, on the same cores as the server.
Every new photo is one of the folder with other bytes behind its end, so that its content is not known yet.
"""

import argparse
import http.client
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from components.contract.cores import available_cores
from components.serve.models.bundle import read_bundle
from components.serve.models.predictor import IMAGES_PER_PASS, Predictor
from tests.support.serving import JSON, PREDICT, Server, sent, serving

CLIENTS = (1, 8, 64)
NEW_REQUESTS, KNOWN_REQUESTS, MEMORY_REQUESTS = 192, 1920, 10_000
SAMPLES = 10


def main() -> None:
    """Prints what was measured, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(arguments.photos.rglob("*.png"))[:32]]
    alone, decoding = of_predictor(Predictor(read_bundle(str(arguments.model), Path())), contents)
    print(f"encoder alone, batches of {IMAGES_PER_PASS}: {alone:.0f} photos/s")
    print(f"decoding alone, on all cores: {decoding:.0f} photos/s", flush=True)
    numbers = itertools.count()

    def new() -> bytes:
        first, second = next(numbers), next(numbers)
        return body([contents[each % len(contents)] + each.to_bytes(8, "big") for each in (first, second)])

    known = body(contents[:2])
    with tempfile.TemporaryDirectory() as folder, serving(arguments.model, Path(folder, "log")) as server:
        load(server, new, 1, 32)
        for clients in CLIENTS:
            rate = report("two new photos", load(server, new, clients, NEW_REQUESTS))
            print(f"  {2 * rate:.0f} photos/s, {2 * rate / alone:.2f} of the encoder alone")
        fresh = rate
        for clients in CLIENTS:
            rate = report("two known photos", load(server, lambda: known, clients, KNOWN_REQUESTS))
            print(f"  {rate / fresh:.1f} times as many as of new ones")
        sizes = list(memory(server, new))
        print(f"memory over {MEMORY_REQUESTS} requests, MB: {', '.join(f'{size / 2**20:.0f}' for size in sizes)}")


def of_predictor(predictor: Predictor, contents: Sequence[bytes]) -> tuple[float, float]:
    """Photos per second of the encoder in full batches, and of what comes before it on all cores."""
    pixels = np.stack([predictor.decode(content) for content in contents[:IMAGES_PER_PASS]])
    predictor.encode(pixels)
    repeats = 10
    begun = time.perf_counter()
    for _ in range(repeats):
        predictor.encode(pixels)
    encoding = time.perf_counter() - begun
    begun = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(predictor.decode, contents * 2))
    return repeats * len(pixels) / encoding, 2 * len(contents) / (time.perf_counter() - begun)


def body(photos: Sequence[bytes]) -> bytes:
    """A request of one pair."""
    before, after = map(sent, photos)
    return json.dumps({"instances": [{"before": before, "after": after}]}).encode()


def load(server: Server, make: Callable[[], bytes], clients: int, requests: int) -> tuple[list[float], float]:
    """Seconds of each request by so many clients at a time, each on a connection of its own, and of all of them together."""
    bodies = [make() for _ in range(requests)]
    taken: list[float] = []
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
        while True:
            with lock:
                if not bodies:
                    break
                content = bodies.pop()
            begun = time.perf_counter()
            connection.request("POST", PREDICT, content, JSON)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}")
            taken.append(time.perf_counter() - begun)
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client) for _ in range(clients)]:
            done.result()
    return taken, time.perf_counter() - begun


def report(name: str, measured: tuple[list[float], float]) -> float:
    """Prints percentiles; returns requests per second."""
    taken, seconds = measured
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    rate = len(taken) / seconds
    print(f"{name}, {len(taken)} requests: {rate:.1f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms", flush=True)
    return rate


def memory(server: Server, new: Callable[[], bytes]) -> Iterator[int]:
    """What the server holds after each tenth of the requests, one in twenty of new photos."""
    known = new()
    for _ in range(SAMPLES):
        counter = itertools.count()
        load(server, lambda: known if next(counter) % 20 else new(), 8, MEMORY_REQUESTS // SAMPLES)  # noqa: B023 - used at once
        yield server.memory_bytes()


if __name__ == "__main__":
    main()
