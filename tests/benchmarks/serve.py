"""How fast the server answers, beside its encoder alone: `python -m tests.benchmarks.serve MODEL PHOTOS`.

MODEL is what publish wrote, PHOTOS a folder of photos. Clients are a process of their own, on the same cores as the server; what
both take of the processor is printed, so that they can be told from each other, and from what else the machine does.
Every new photo is one of the folder with other bytes behind its end, so that its content is not known yet.
"""

import argparse
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
from components.serve.models.predictor import IMAGES_PER_PASS, Predictor
from tests.benchmarks import clients
from tests.support.serving import JSON, PREDICT, Server, form, raw, sent, serving

CLIENTS = (1, 8, 64)
NEW_REQUESTS, KNOWN_REQUESTS, MEMORY_REQUESTS = 320, 4000, 10_000
SAMPLES = 10
INFER = "/v2/models/verdelta/infer"
Pair = Sequence[bytes]


def main() -> None:
    """Prints what was measured, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(arguments.photos.rglob("*.png"))[:32]]
    alone, decoding = of_predictor(Predictor(read_bundle(str(arguments.model), Path())), contents)
    print(f"encoder alone, batches of {IMAGES_PER_PASS} on all cores: {alone:.0f} photos/s")
    print(
        f"decoding alone, on all cores: {decoding:.0f} photos/s; both, one after the other: {1 / (1 / alone + 1 / decoding):.0f}"
    )
    numbers = itertools.count()

    def new() -> Pair:
        first, second = next(numbers), next(numbers)
        return [contents[each % len(contents)] + each.to_bytes(8, "big") for each in (first, second)]

    spawn = multiprocessing.get_context("spawn")  # so that the clients have none of the memory that is here
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(arguments.model, Path(folder, "log")) as server,
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
    ):
        asked = Asked(server, pool)
        asked.load("warm", as_form, new, 8, 32)
        for kind, make in (("form", as_form), ("raw tensors", as_raw), ("JSON", as_json)):
            for at_a_time in CLIENTS:
                fresh = asked.load(f"two new photos, {kind}", make, new, at_a_time, NEW_REQUESTS)
                print(f"  {2 * fresh:.0f} photos/s, {2 * fresh / alone:.2f} of the encoder alone")
            for at_a_time in CLIENTS:
                same = itertools.repeat(new()).__next__
                rate = asked.load(f"the same two photos, {kind}", make, same, at_a_time, KNOWN_REQUESTS)
                print(f"  {rate / fresh:.1f} times as many as of new ones")
        sizes = list(memory(asked, new))
    print(f"memory over {MEMORY_REQUESTS} requests, MB: {', '.join(f'{held / 2**20:.0f}' for held, _ in sizes)}")
    print(f"of which features that are kept, up to 256: {', '.join(f'{kept / 2**20:.0f}' for _, kept in sizes)}")


def of_predictor(predictor: Predictor, contents: Sequence[bytes]) -> tuple[float, float]:
    """Photos per second of the encoder in full batches, and of decoding, each on all cores."""
    pixels = np.stack([predictor.decode(content) for content in contents[:IMAGES_PER_PASS]])
    cores, repeats = available_cores(), 20
    every_core = Predictor(predictor.bundle, streams=cores)
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(every_core.encode, [pixels] * cores))
        begun = time.perf_counter()
        list(pool.map(every_core.encode, [pixels] * repeats))
        encoding = time.perf_counter() - begun
        begun = time.perf_counter()
        list(pool.map(predictor.decode, contents * 2))
    return repeats * len(pixels) / encoding, 2 * len(contents) / (time.perf_counter() - begun)


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


class Asked:
    """A server that is asked by a process of clients."""

    def __init__(self, server: Server, pool: ProcessPoolExecutor) -> None:
        self.server, self.pool = server, pool

    def load(self, name: str, make: Callable[[Pair], bytes], photos: Callable[[], Pair], at_a_time: int, requests: int) -> float:
        """Prints percentiles and what of the processor was taken; returns requests per second."""
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
        return found.rate


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
