"""Brings the photos of many requests together: each content is decoded once, and the backbone sees batches of what is waiting.

A photo waits for others only while there are some being decoded, and not for long: a pass of one costs as much as one of three.
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from components.contract.cores import available_cores
from components.serve.models.predictor import Photo, Predictor, digest_of

GATHERING_SECONDS = 0.05  # that a decoded photo waits for others at most


class Batcher:
    """Asks a predictor for photos, from one event loop."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.batches = predictor, 0  # how many were computed
        self.decoding = ThreadPoolExecutor(available_cores(), "decode")
        self.computing = ThreadPoolExecutor(predictor.streams, "encode")
        self.coming: dict[str, asyncio.Future[Photo]] = {}  # by digest, of what is being decoded or waits
        self.waiting: deque[tuple[str, np.ndarray]] = deque()
        self.undecoded, self.decoded = 0, asyncio.Event()
        self.free = predictor.streams  # in which nothing is computed
        self.working, self.workers = 0, set[asyncio.Task[None]]()  # asyncio alone would let go of a task

    async def photos(self, contents: Sequence[bytes]) -> list[Photo | BaseException]:
        """Returns each photo with its features, or what is wrong with it (BadPhotoError)."""
        found = [self.photo(digest_of(content), content) for content in contents]
        waiting = [each for each in found if isinstance(each, asyncio.Future)]
        if waiting:
            await asyncio.wait(waiting)
        return [outcome(each) if isinstance(each, asyncio.Future) else each for each in found]

    def photo(self, digest: str, content: bytes) -> Photo | asyncio.Future[Photo]:
        """Returns a photo that is known, or the one that is coming."""
        known = self.predictor.recall(digest)
        if known is not None:
            return known
        if digest not in self.coming:
            loop = asyncio.get_running_loop()
            self.coming[digest] = loop.create_future()
            self.undecoded += 1
            decoded = loop.run_in_executor(self.decoding, self.predictor.decode, content)
            decoded.add_done_callback(lambda done: self.take(digest, done))
        return self.coming[digest]

    def take(self, digest: str, decoded: asyncio.Future[np.ndarray]) -> None:
        """Puts a decoded photo among those that wait for the backbone."""
        self.undecoded -= 1
        self.decoded.set()
        error = decoded.exception()
        if error is not None:
            self.coming.pop(digest).set_exception(error)
            return
        self.waiting.append((digest, decoded.result()))
        if self.working < self.predictor.streams:
            self.working += 1
            worker = asyncio.get_running_loop().create_task(self.work())
            self.workers.add(worker)
            worker.add_done_callback(self.workers.discard)

    async def work(self) -> None:
        """Computes until nothing waits."""
        loop = asyncio.get_running_loop()
        while self.waiting:
            await self.gather()
            share = math.ceil(len(self.waiting) / self.free)  # where there is little to do, all streams do it together
            batch = [self.waiting.popleft() for _ in range(min(share, self.predictor.photos_per_pass))]
            if not batch:
                continue
            self.batches, self.free = self.batches + 1, self.free - 1
            try:
                seen: list[Photo] = await loop.run_in_executor(self.computing, self.predictor.look, batch)
            except Exception as error:  # of OpenVINO: these requests fail, and no others
                for digest, _ in batch:
                    self.coming.pop(digest).set_exception(error)
                continue
            finally:
                self.free += 1
            for photo in seen:
                self.coming.pop(photo.digest).set_result(photo)
        self.working -= 1  # here, before anything else can happen: what comes next must find that nobody works

    async def gather(self) -> None:
        """Returns when a batch is full, nothing else is coming, or the first has waited long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHERING_SECONDS):
                while self.undecoded and len(self.waiting) < self.predictor.photos_per_pass:
                    self.decoded.clear()
                    await self.decoded.wait()

    def close(self) -> None:
        """Lets the threads go."""
        self.decoding.shutdown(wait=False, cancel_futures=True)
        self.computing.shutdown(wait=False, cancel_futures=True)


def outcome(done: asyncio.Future[Photo]) -> Photo | BaseException:
    """Returns what a future has, or its error."""
    error = done.exception()
    return done.result() if error is None else error
