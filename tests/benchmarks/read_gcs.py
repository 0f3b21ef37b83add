"""How much faster many small objects are read than by Google's library called plainly: `python -m tests.benchmarks.read_gcs`.

The server is fake-gcs-server behind a proxy that lets every request take 50 ms, as one to a real bucket does.
"""

import time
from collections.abc import Callable, Iterator

from google.cloud import storage

from components.raw.gcs import CONCURRENT_READS
from components.raw.storage import open_raw
from components.resize_images.read_ahead import map_contents
from tests.benchmarks.table import Row, main
from tests.support.gcs_server import BUCKET, gcs_server, proxy_before, served_at, upload

OBJECTS, OBJECT_BYTES, REQUEST_SECONDS = 1000, 2000, 0.05
FOLDER = "raw/train_dataset/BC/BC_01"


def measure() -> Iterator[Row]:
    """Reads the same objects both ways."""
    with gcs_server() as url, proxy_before(url) as proxy, served_at(proxy.url):
        for number in range(OBJECTS):
            upload(url, f"{FOLDER}/DAT{number:04d}.png", number.to_bytes(2, "big") * (OBJECT_BYTES // 2))
        proxy.delay_seconds = REQUEST_SECONDS
        ours, other = seconds(read_as_resize_images_does), seconds(read_plainly)
    yield Row(
        what="reading photos from gs://",
        measured=f"{OBJECTS:,} objects of {OBJECT_BYTES:,} bytes, listing included, {REQUEST_SECONDS * 1000:.0f} ms per request",
        ours=f"{ours:.1f} s, {CONCURRENT_READS} at a time",
        other=f"{other:.1f} s by google-cloud-storage, one after another",
        value=other / ours,
        unit="x",
        target=5,
        at_least=True,
    )


def seconds(read: Callable[[], list[bytes]]) -> float:
    """Returns how long `read` takes; it must return what was uploaded."""
    start = time.monotonic()
    contents = read()
    taken = time.monotonic() - start
    assert contents == [number.to_bytes(2, "big") * (OBJECT_BYTES // 2) for number in range(OBJECTS)]
    return taken


def read_as_resize_images_does() -> list[bytes]:
    """Lists and reads every object through the code that resize_images reads with."""
    source = open_raw(f"gs://{BUCKET}/raw")
    return list(map_contents(source, sorted(source.find().sizes), lambda _, content: content))


def read_plainly() -> list[bytes]:
    """Lists and reads every object as the documentation of Google's library shows it."""
    bucket = storage.Client().bucket(BUCKET)
    return [blob.download_as_bytes() for blob in bucket.list_blobs(prefix=FOLDER)]


if __name__ == "__main__":
    main(measure)
