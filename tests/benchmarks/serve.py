"""How fast the server answers, beside its encoder alone: `python -m tests.benchmarks.serve MODEL PHOTOS`.

MODEL is what publish wrote, PHOTOS a folder of photos. Clients are a process of their own, on the same cores as the server; what
both take of the processor is printed, so that they can be told from each other, and from what else the machine does. At best a
request takes what decoding its photos and their share of full batches take: both are measured before and after, in this process.
Every new photo is one of the folder with other bytes behind its end, so that its content is not known yet.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from components.contract.cores import available_cores
from components.serve.models.bundle import read_bundle
from components.serve.models.predictor import Predictor
from tests.benchmarks import clients
from tests.support.serving import JSON, PREDICT, Server, form, raw, sent, serving

CLIENTS = (1, 8, 64)
NEW_REQUESTS, KNOWN_REQUESTS, MEMORY_REQUESTS = 160, 3000, 10_000
SAMPLES, KNOWN_MB = 10, 2  # of memory; for features while it is measured, so that they are full after a tenth of the requests
INFER = "/v2/models/verdelta/infer"
Pair = Sequence[bytes]


def main() -> None:
    """Prints what was measured, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--only", choices=("load", "memory"), help="one of the two parts")
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(arguments.photos.rglob("*.png"))[:32]]
    numbers = itertools.count()

    def new() -> Pair:
        first, second = next(numbers), next(numbers)
        return [contents[each % len(contents)] + each.to_bytes(8, "big") for each in (first, second)]

    if arguments.only != "memory":
        load(arguments.model, contents, new)
    if arguments.only != "load":
        with asking(arguments.model, "--max-known-mb", str(KNOWN_MB)) as asked:
            sizes = list(memory(asked, new))
        print(f"memory over {MEMORY_REQUESTS} requests, MB: {', '.join(f'{held / 2**20:.0f}' for held, _ in sizes)}")
        print(f"of which features that are kept, up to {KNOWN_MB}: {', '.join(f'{kept / 2**20:.1f}' for _, kept in sizes)}")


def load(model: Path, contents: Sequence[bytes], new: Callable[[], Pair]) -> None:
    """Prints how many requests are answered by each kind of body and number of clients."""
    predictor = Predictor(read_bundle(str(model), Path()))
    before = Alone.measured(predictor, contents)
    with asking(model) as asked:
        asked.load("warm", as_form, new, 8, 32)
        found = [
            (kind, at_a_time, asked.load(f"two new photos, {kind}", make, new, at_a_time, NEW_REQUESTS),
             asked.load(f"the same two again, {kind}", make, itertools.repeat(new()).__next__, at_a_time, KNOWN_REQUESTS))
            for kind, make in (("files", as_form), ("raw tensors", as_raw), ("JSON", as_json))
            for at_a_time in CLIENTS
        ]  # fmt: skip
    alone = before.mean(Alone.measured(predictor, contents))
    best = alone.encoding_ms + alone.decoding_ms
    print(
        f"alone, of a photo: encoder, batches of {predictor.photos_per_pass}, {predictor.bundle.tta_views} views: "
        f"{alone.encoding_ms:.2f} ms of the processor, {alone.encoding_rate:.0f}/s; decoding and resizing: "
        f"{alone.decoding_ms:.2f} ms, {alone.decoding_rate:.0f}/s"
    )
    print(f"so a request of two takes {2 * best:.1f} ms at best: {alone.encoding_ms / best:.2f} of the encoder alone")
    for kind, at_a_time, fresh, again in found:
        print(
            f"{kind}, {at_a_time} clients: {fresh.cpu_ms:.1f} ms a request: {2 * best / fresh.cpu_ms:.2f} of the best; of the "
            f"encoder alone {2 * alone.encoding_ms / fresh.cpu_ms:.2f} by the processor, "
            f"{2 * fresh.rate / alone.encoding_rate:.2f} by the clock; the same again {again.cpu_ms:.2f} ms: "
            f"{fresh.cpu_ms / again.cpu_ms:.0f} x by the processor, {again.rate / fresh.rate:.0f} x by the clock"
        )


@dataclasses.dataclass(frozen=True)
class Alone:
    """What the two parts that have to be take of a photo: ms of the processor, and photos per second on all cores."""

    encoding_ms: float
    decoding_ms: float
    encoding_rate: float
    decoding_rate: float

    @classmethod
    def measured(cls, predictor: Predictor, contents: Sequence[bytes]) -> "Alone":
        """Measures both in full batches, on all cores."""
        pixels = np.stack([predictor.decode(content) for content in contents[: predictor.photos_per_pass]])
        cores, repeats = available_cores(), 20
        every_core = Predictor(predictor.bundle, streams=cores)
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(every_core.encode, [pixels] * cores))
            encoding = timed(lambda: list(pool.map(every_core.encode, [pixels] * repeats)), repeats * len(pixels))
            decoding = timed(lambda: list(pool.map(predictor.decode, contents * 2)), 2 * len(contents))
        return cls(encoding[0], decoding[0], encoding[1], decoding[1])

    def mean(self, other: "Alone") -> "Alone":
        """The mean of two measurements."""
        return Alone(*((one + two) / 2 for one, two in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


def timed(work: Callable[[], object], photos: int) -> tuple[float, float]:
    """Returns ms of the processor for each photo, and photos per second."""
    used, begun = time.process_time(), time.perf_counter()
    work()
    return 1000 * (time.process_time() - used) / photos, photos / (time.perf_counter() - begun)


@contextlib.contextmanager
def asking(model: Path, *flags: str) -> Iterator["Asked"]:
    """Yields a server, to be asked by a process of its own."""
    spawn = multiprocessing.get_context("spawn")  # so that the clients have none of the memory that is here
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(model, Path(folder, "log"), *flags) as server,
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
    ):
        yield Asked(server, pool)


def as_json(photos: Pair) -> bytes:
    """A request of one pair."""
    before, after = map(sent, photos)
    return clients.request(PREDICT, json.dumps({"instances": [{"before": before, "after": after}]}).encode(), JSON)


def as_form(photos: Pair) -> bytes:
    """The same as a form of files."""
    return clients.request(PREDICT, *form(("before", "a.png", photos[0]), ("after", "b.png", photos[1])))


def as_raw(photos: Pair) -> bytes:
    """The same as raw tensors."""
    return clients.request(INFER, *raw({"before": [photos[0]], "after": [photos[1]]}))


@dataclasses.dataclass(frozen=True)
class Answered:
    """Requests per second, and ms of the processor that the server took for each."""

    rate: float
    cpu_ms: float


class Asked:
    """A server that is asked by a process of clients."""

    def __init__(self, server: Server, pool: ProcessPoolExecutor) -> None:
        self.server, self.pool = server, pool

    def load(
        self, name: str, make: Callable[[Pair], bytes], photos: Callable[[], Pair], at_a_time: int, requests: int
    ) -> Answered:
        """Prints percentiles and what of the processor was taken."""
        pairs = [photos() for _ in range(requests)]
        made = {id(pair): make(pair) for pair in {id(pair): pair for pair in pairs}.values()}
        prepared = [made[id(pair)] for pair in pairs]  # the same photos are the same bytes, sent to the clients once
        used = cpu_seconds(self.server)
        found = self.pool.submit(clients.ask, self.server.port, prepared, at_a_time).result()
        used = cpu_seconds(self.server) - used
        p50, p99 = np.percentile(found.seconds, [50, 99]) * 1000
        print(
            f"{name}, {at_a_time} clients: {found.rate:.1f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms; processor time per request: "
            f"server {1000 * used / requests:.2f} ms, clients {1000 * found.cpu_seconds / requests:.2f} ms",
            flush=True,
        )
        return Answered(found.rate, 1000 * used / requests)


def cpu_seconds(server: Server) -> float:
    """What the server's process has taken so far."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(asked: Asked, new: Callable[[], Pair]) -> Iterator[tuple[int, float]]:
    """What the server holds after each tenth of the requests, half of them of new photos, and what it keeps of features."""
    known = new()
    for _ in range(SAMPLES):
        counter = itertools.count()
        asked.load("memory", as_form, lambda: known if next(counter) % 2 else new(), 8, MEMORY_REQUESTS // SAMPLES)  # noqa: B023
        kept = re.search(r"^verdelta_known_bytes (\S+)$", asked.server.ask("/metrics")[1], re.MULTILINE)
        assert kept
        yield asked.server.memory_bytes(), float(kept[1])


if __name__ == "__main__":
    main()
