"""Answers the questions of a request, whatever protocol they came in: photos fetched and looked at, days and words out."""

import asyncio
import io
import itertools
from collections.abc import Sequence

from components.resize_images.picture import BadPhotoError
from components.serve.batching import Batcher
from components.serve.limits import RefusedError
from components.serve.models.predictor import Photo, Predictor, bad
from components.serve.options import MEGABYTE, Limits
from components.serve.schemas import Instance, PhotoBytes, PhotoInBucket, Prediction
from components.serve.timeline import time_line


class Service:
    """A predictor behind limits."""

    def __init__(self, predictor: Predictor, limits: Limits, *, allow_gcs: bool) -> None:
        self.predictor, self.limits, self.allow_gcs, self.batcher = predictor, limits, allow_gcs, Batcher(predictor)

    async def answer(self, instances: Sequence[Instance]) -> list[Prediction]:
        """Returns the answers, in order.

        Raises:
            RefusedError: 413 too many photos, 403 buckets are not allowed, 422 a photo that cannot be decoded or is not there, or
                a cadence that the models cannot use, 502 a bucket that cannot be read, 504 too slow.
        """
        named = [(name_of(instance, number, len(instances), index), sent)
                 for index, instance in enumerate(instances) for number, sent in enumerate(instance.sent())]  # fmt: skip
        if len(named) > self.limits.photos:
            raise RefusedError(413, f"{len(named)} photos: expected at most {self.limits.photos} in a request")
        try:
            async with asyncio.timeout(self.limits.seconds):
                contents = [await self.content(name, sent) for name, sent in named]
                seen = await self.batcher.photos(contents)
        except TimeoutError:
            raise RefusedError(504, f"not answered within {self.limits.seconds:g} s; send fewer or smaller photos") from None
        photos = iter([(name, checked(name, photo)) for (name, _), photo in zip(named, seen, strict=True)])
        return [self.prediction(each, list(itertools.islice(photos, len(each.sent())))) for each in instances]

    async def content(self, name: str, sent: PhotoBytes | PhotoInBucket) -> bytes:
        """Returns a photo's bytes; raises as `answer`."""
        if isinstance(sent, PhotoBytes):
            return sent.b64
        if not self.allow_gcs:
            raise RefusedError(403, f"{name}: this server reads no bucket; send the photo's bytes, or start it with --allow-gcs")
        return await asyncio.to_thread(read_object, sent.gcs, self.limits.body_bytes)

    def prediction(self, instance: Instance, photos: list[tuple[str, Photo]]) -> Prediction:
        """Returns the answer to one instance, whose photos have been seen; raises as `answer`."""
        try:
            line = time_line(self.predictor, photos, instance.species, instance.series, instance.cadence_days)
        except ValueError as error:
            raise RefusedError(422, str(error)) from error
        said = {name: getattr(line, name) for name in Prediction.model_fields}
        if instance.photos is None:  # of two, the second's alone
            said |= {name: said[name][1] for name in ("days", "raw_days")}
        return Prediction(**said)


def name_of(instance: Instance, number: int, instances: int, index: int) -> str:
    """Returns what a photo is called in what is said of it: as the request has it, else by its place."""
    sent = instance.sent()[number]
    place = f"photo {number + 1}" if instance.photos else ("before", "after")[number]
    return sent.name or (f"instance {index + 1}, {place}" if instances > 1 else place)


def checked(name: str, photo: Photo | BaseException) -> Photo:
    """Returns a photo; raises RefusedError for one that is none, with the pipeline's words."""
    if isinstance(photo, BadPhotoError):
        raise RefusedError(422, str(bad(name, photo)))
    if isinstance(photo, BaseException):
        raise photo
    return photo


def read_object(address: str, most_bytes: int) -> bytes:
    """Returns an object of a bucket.

    Raises:
        RefusedError: 422 not there or too large, 502 not to be read.
    """
    from components.raw import gcs, gcs_requests  # Google's library takes a while to import, and most servers need none

    try:
        wanted = gcs.look_up(address)
        if wanted.size > most_bytes:
            raise RefusedError(422, f"{address}: larger than the {most_bytes / MEGABYTE:g} MB allowed")
        body = io.BytesIO()
        gcs_requests.fetch(wanted, body)
        return body.getvalue()
    except (FileNotFoundError, ValueError) as error:
        raise RefusedError(422, str(error)) from error
    except OSError as error:
        raise RefusedError(502, f"{address}: {error.strerror or error}") from error
