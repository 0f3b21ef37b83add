"""Brings the photos of many requests together: each content is decoded once, and the backbone sees batches of what is waiting.

Nobody waits for a batch to fill: while one is computed the next gathers.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from components.contract.cores import available_cores
from components.serve.models.predictor import IMAGES_PER_PASS, Photo, Predictor, digest_of


class Batcher:
    """Asks a predictor for photos, from one event loop.

    Attributes:
        batches: how many were computed.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.batches = predictor, 0
        self.decoding, self.computing = ThreadPoolExecutor(available_cores(), "decode"), ThreadPoolExecutor(1, "encode")
        self.coming: dict[str, asyncio.Future[Photo]] = {}  # by digest, of what is being decoded or waits
        self.waiting: deque[tuple[str, np.ndarray]] = deque()
        self.worker: asyncio.Task[None] | None = None

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
            decoded = loop.run_in_executor(self.decoding, self.predictor.decode, content)
            decoded.add_done_callback(lambda done: self.take(digest, done))
        return self.coming[digest]

    def take(self, digest: str, decoded: asyncio.Future[np.ndarray]) -> None:
        """Puts a decoded photo among those that wait for the backbone."""
        error = decoded.exception()
        if error is not None:
            self.coming.pop(digest).set_exception(error)
            return
        self.waiting.append((digest, decoded.result()))
        if self.worker is None:
            self.worker = asyncio.get_running_loop().create_task(self.work())

    async def work(self) -> None:
        """Computes until nothing waits."""
        loop = asyncio.get_running_loop()
        while self.waiting:
            batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), IMAGES_PER_PASS))]
            self.batches += 1
            try:
                seen: list[Photo] = await loop.run_in_executor(self.computing, self.predictor.look, batch)
            except Exception as error:  # of OpenVINO: these requests fail, and no others
                for digest, _ in batch:
                    self.coming.pop(digest).set_exception(error)
                continue
            for photo in seen:
                self.coming.pop(photo.digest).set_result(photo)
        self.worker = None

    def close(self) -> None:
        """Lets the threads go."""
        self.decoding.shutdown(wait=False, cancel_futures=True)
        self.computing.shutdown(wait=False, cancel_futures=True)


def outcome(done: asyncio.Future[Photo]) -> Photo | BaseException:
    """Returns what a future has, or its error."""
    error = done.exception()
    return done.result() if error is None else error
