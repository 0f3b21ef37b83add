"""Works on the contents of files in their order, while the next ones are being read."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TypeVar

from components.contract.cores import available_cores, mapped
from components.contract.naming import naming
from components.raw.source import UNREADABLE, RawSource
from components.raw.walk import path_text

READ_AHEAD_BYTES = 256 * 2**20  # for contents of files; with MAX_DECODED_BYTES for pixels, 1 GiB whatever the photos are
Result = TypeVar("Result")


class Budget:
    """Bytes that may be held at a time; a file larger than all of them is held alone."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held, self.changed = limit, 0, threading.Condition()

    @contextlib.contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Within the block `size` bytes are held; waits until there is room for them."""
        with self.changed:
            self.changed.wait_for(lambda: self.held == 0 or self.held + size <= self.limit)
            self.held += size
        try:
            yield
        finally:
            with self.changed:
                self.held -= size
                self.changed.notify_all()


def map_contents(
    source: RawSource,
    paths: Sequence[PurePosixPath],
    work: Callable[[PurePosixPath, bytes], Result],
    unread: Callable[[PurePosixPath, str], Result] | None = None,
) -> Iterator[Result]:
    """Yields `work(path, content)` of each path, in order; or `unread(path, why)` of a file that cannot be read.

    A file larger than READ_AHEAD_BYTES is not read where `unread` is given: no photo that may be decoded is larger.

    As many files are read at a time as suits the source, and at most READ_AHEAD_BYTES of contents are being read, waiting, or
    being worked on; as many cores work as the process may use. Threads, because Pillow works outside Python's lock: as fast
    as processes, without their start-up.

    Raises:
        Exception: that of the first path, in order, whose reading or work raises one; what has not begun then never does.
    """
    budget, cores = Budget(READ_AHEAD_BYTES), threading.Semaphore(available_cores())

    def read_and_work(path: PurePosixPath) -> Result:
        size = source.size(path)
        if unread and size > READ_AHEAD_BYTES:
            return unread(path, f"its file has {size / 1e6:.0f} MB, more than the {READ_AHEAD_BYTES / 1e6:.0f} MB of any photo")
        with budget.holding(size), naming(f"{source}/{path_text(path)}"):
            try:
                content = source.read(path)
            except UNREADABLE as error:
                if not unread:
                    raise
                return unread(path, error.strerror or str(error))
            with cores:
                return work(path, content)

    pool = ThreadPoolExecutor(max_workers=source.concurrency)
    try:
        yield from mapped(pool, read_and_work, paths)
    finally:
        pool.shutdown(cancel_futures=True)
