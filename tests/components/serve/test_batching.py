"""Photos of many askers: each gets its own, in batches that fill while others are decoded, and none is forgotten."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import pytest

from components.resize_images.picture import BadPhotoError
from components.serve import batching
from components.serve.batching import Batcher
from components.serve.models.predictor import Photo

PER_PASS = 16


class Quick:
    """As a predictor, whose photos are numbers: decoding takes so long, a pass none."""

    photos_per_pass = PER_PASS

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.sizes, self.streams = seconds, list[int](), 1

    def recall(self, _digest: str) -> None:
        return None

    def decode(self, content: bytes) -> np.ndarray:
        time.sleep(self.seconds)
        if content == b"bad":
            raise BadPhotoError("bad")
        return np.array([int(content)])

    def look(self, photos: Sequence[tuple[str, np.ndarray]]) -> list[Photo]:
        self.sizes.append(len(photos))
        return [Photo(digest, pixels, pixels) for digest, pixels in photos]


def test_a_photo_that_is_decoded_as_the_last_batch_ends_begins_another() -> None:
    async def ask() -> list[int]:
        quick = Quick()
        batcher, loop = Batcher(quick), asyncio.get_running_loop()  # type: ignore[arg-type]
        first = batcher.photo("first", b"1")
        assert isinstance(first, asyncio.Future)

        def at_once(_first: object) -> None:
            batcher.coming["second"] = loop.create_future()
            batcher.undecoded += 1
            decoded: asyncio.Future[np.ndarray] = loop.create_future()
            decoded.set_result(np.array([2]))
            batcher.take("second", decoded)

        first.add_done_callback(at_once)  # before whatever else is told that the batch is done
        async with asyncio.timeout(60):
            await first
            assert (await batcher.coming["second"]).halves[0] == 2
        batcher.close()
        return quick.sizes

    assert asyncio.run(ask()) == [1, 1]


@pytest.mark.parametrize("photos", [3, PER_PASS, 2 * PER_PASS])
def test_photos_that_are_being_decoded_come_into_one_batch(photos: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "GATHERING_SECONDS", 60)

    async def ask() -> list[int]:
        quick = Quick(0.001)
        batcher = Batcher(quick)  # type: ignore[arg-type]
        found = await batcher.photos([b"bad", *(str(number).encode() for number in range(photos))])
        assert isinstance(found[0], BadPhotoError)
        assert [photo.halves[0] for photo in found[1:] if isinstance(photo, Photo)] == list(range(photos))
        batcher.close()
        return quick.sizes

    assert asyncio.run(ask()) == [min(photos - start, PER_PASS) for start in range(0, photos, PER_PASS)]


def test_two_streams_share_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(photos: int) -> list[int]:
        quick = Quick(0.001)
        quick.streams = 2
        batcher = Batcher(quick)  # type: ignore[arg-type]
        found = await batcher.photos([str(number).encode() for number in range(photos)])
        assert [photo.halves[0] for photo in found if isinstance(photo, Photo)] == list(range(photos))
        batcher.close()
        return quick.sizes

    monkeypatch.setattr(batching, "GATHERING_SECONDS", 60)
    for photos in (2, 7):
        assert sorted(asyncio.run(ask(photos))) == [photos // 2, photos - photos // 2]
