"""How much faster many small objects are read at a time than one after another: `python -m tests.benchmarks.read_gcs`.

The server is fake-gcs-server behind a proxy that lets every request take 50 ms, as one to a real bucket does.
"""

import time
from collections.abc import Iterator

from components.resize_images.read_ahead import map_contents
from components.storage import open_raw
from tests.benchmarks.table import Row, main
from tests.gcs_server import BUCKET, gcs_server, proxy_before, served_at, upload

OBJECTS, OBJECT_BYTES, REQUEST_SECONDS = 300, 2000, 0.05


def measure() -> Iterator[Row]:
    """Reads the same objects both ways."""
    with gcs_server() as url, proxy_before(url) as proxy, served_at(proxy.url):
        for number in range(OBJECTS):
            upload(url, f"raw/train_dataset/BC/BC_01/DAT{number:04d}.png", number.to_bytes(2, "big") * (OBJECT_BYTES // 2))
        proxy.delay_seconds = REQUEST_SECONDS
        at_a_time = open_raw(f"gs://{BUCKET}/raw").concurrency
        alone, together = read_all(1), read_all(at_a_time)
    yield Row(
        what="reading photos from gs://",
        measured=f"{OBJECTS:,} objects of {OBJECT_BYTES:,} bytes, {REQUEST_SECONDS * 1000:.0f} ms per request",
        ours=f"{together:.1f} s, {at_a_time} at a time",
        other=f"{alone:.1f} s, one after another",
        value=alone / together,
        unit="x",
        target=5,
        at_least=True,
    )


def read_all(concurrency: int) -> float:
    """Reads every object through the code that resize_images reads with; returns the seconds, those of the listing left out."""
    source = open_raw(f"gs://{BUCKET}/raw")
    source.concurrency = concurrency
    paths = source.files()
    start = time.monotonic()
    sizes = list(map_contents(source, paths, lambda _, content: len(content)))
    assert sizes == [OBJECT_BYTES] * OBJECTS
    return time.monotonic() - start


if __name__ == "__main__":
    main(measure)
