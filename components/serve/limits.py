"""Bounds what one request, and all together, may take of the server: bytes, photos, time; each is refused with its own status."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from components.serve.options import MEGABYTE, Limits

JSON, FORM, BINARY = "application/json", "multipart/form-data", "application/octet-stream"  # of bodies that are read
MOST_VALUES = 20_000  # in a body's JSON: 128 photos need a thousand, and each takes up to 80 times its bytes once it is read
HEADER_LENGTH = "Inference-Header-Content-Length"  # where raw tensors are behind the JSON: how long that is


class RefusedError(Exception):
    """A request that is not answered: its HTTP status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Gate:
    """Lets requests in while there is room for them."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.requests, self.bytes = limits, 0, 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Within the block a request is in, its body read.

        Raises:
            RefusedError: 413 too large, 415 of another type, 408 too slow, 503 no room now, 400 cut off.
        """
        kind = content_type(request)
        if kind not in (JSON, FORM, BINARY):
            raise RefusedError(415, f"content type {kind!r}: expected {JSON}, {FORM} or {BINARY}")
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isdecimal() else self.limits.body_bytes  # of which a chunked one may become
        if size > self.limits.body_bytes:
            raise self.too_large()
        if self.requests >= self.limits.requests_at_a_time or self.bytes + size > self.limits.bytes_at_a_time:
            raise RefusedError(503, "too many requests at a time; try again in a second")
        self.requests, self.bytes = self.requests + 1, self.bytes + size
        try:
            yield await self.read(request)
        finally:
            self.requests, self.bytes = self.requests - 1, self.bytes - size

    async def read(self, request: Request) -> bytes:
        """Returns a request's body; raises as `body`."""
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.limits.body_bytes:
                        raise self.too_large()
        except TimeoutError:
            raise RefusedError(408, f"the body did not come within {self.limits.seconds:g} s") from None
        except ClientDisconnect:
            raise RefusedError(400, "the connection was closed before the body's end") from None
        return bytes(body)

    def too_large(self) -> RefusedError:
        """What is said of a body that is too large."""
        return RefusedError(413, f"the body is larger than the {self.limits.body_bytes / MEGABYTE:g} MB allowed")


def require_few_values(text: bytes) -> None:
    """Raises RefusedError for JSON of so many values that reading it would take the memory of a large body many times over.

    Commas are counted, which part values from each other; a photo in base64 has none.
    """
    if text.count(b",") > MOST_VALUES:
        raise RefusedError(413, f"JSON of more than {MOST_VALUES:,} values; send fewer photos at a time")


def content_type(request: Request) -> str:
    """Returns what a request says its body is; JSON where it does not say."""
    return request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
