"""Asks Google Cloud Storage, again where that helps, and says in its errors what to do.

The library's own retries are not used for downloads: they do not fetch a body anew whose checksum is wrong, and know no end
for a body that trickles.
"""

import base64
import contextlib
import dataclasses
import errno
import http.client
import json
import os
import time
from collections.abc import Iterator
from typing import IO

import google_crc32c
import requests.adapters
import urllib3
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError, Unauthorized
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage


class DamagedError(Exception):
    """A body that is not the object's: too short, too long, or with another checksum."""


DEADLINE_SECONDS = 120.0  # for one page of a listing, or one object but for the time in which its body comes, all tries together
SLOWEST_BYTES_PER_SECOND = 4000  # of one body of 32 at a time: a link of 1 Mbit/s
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 16.0  # a pause is drawn from 0 to a limit that doubles each time
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 30.0  # how long to wait for a connection, and for the next bytes on one
TIMEOUT = (CONNECT_SECONDS, SILENCE_SECONDS)
PASSING_CODES = (408, 429, 500, 502, 503, 504)
PASSING_ERRORS = (  # of the network, at every height of what lies above it
    ConnectionError,
    TimeoutError,
    http.client.HTTPException,
    urllib3.exceptions.HTTPError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.JSONDecodeError,  # a listing that was cut
    DamagedError,
)
LOG_IN = (
    "log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file; "
    "the account needs the role roles/storage.objectViewer on the bucket"
)


class StorageError(OSError):
    """An object or a listing that cannot be read; `filename` is its gs:// address, `strerror` why, and what to do."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(errno.EIO, reason, address)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}."


class Deadline:
    """How long an object may take: DEADLINE_SECONDS, and as long as its body comes at SLOWEST_BYTES_PER_SECOND or more.

    So a link that is slow but steady is waited for, however large the object; one that trickles is not, nor is a body that comes
    quickly and is wrong each time.
    """

    def __init__(self) -> None:
        self.end = time.monotonic() + DEADLINE_SECONDS

    def is_over(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() > self.end


class Sink:
    """Passes a body on to a file, with its checksum, until its deadline."""

    def __init__(self, file: IO[bytes], deadline: Deadline) -> None:
        self.file, self.deadline, self.checksum = file, deadline, google_crc32c.Checksum()
        self.length, self.begin, self.end_at_begin = 0, time.monotonic(), deadline.end

    def write(self, chunk: bytes) -> int:
        """Takes one piece of the body."""
        self.checksum.update(chunk)
        self.length += len(chunk)
        seconds, allowed = time.monotonic() - self.begin, self.length / SLOWEST_BYTES_PER_SECOND
        self.deadline.end = self.end_at_begin + min(seconds, allowed)
        if seconds > allowed and self.deadline.is_over():
            raise TimeoutError(f"only {self.length} bytes had come in {seconds:.0f} s")
        return self.file.write(chunk)


def new_client(address: str, connections: int) -> storage.Client:
    """Returns a client of so many connections, with no project, and no account under STORAGE_EMULATOR_HOST.

    Raises StorageError: no credentials.
    """
    # else the library asks for the bucket's own data, for traces; whoever may read its objects need not be allowed that
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        client = storage.Client(project=None)
    except GoogleAuthError as error:
        raise StorageError(address, reason_of(error)) from error
    for scheme in ("http://", "https://"):  # urllib3 keeps 10 connections of a host unless told otherwise
        client._http.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=connections))
    return client


@dataclasses.dataclass(frozen=True)
class Object:
    """One generation of an object, as it was listed. `storage.Blob` would take over what a download's headers say."""

    bucket: storage.Bucket
    name: str
    generation: int
    size: int
    crc32c: str
    encoding: str

    @classmethod
    def of(cls, blob: storage.Blob) -> "Object":
        """Returns what a listing says of an object."""
        return cls(blob.bucket, blob.name, blob.generation, int(blob.size), blob.crc32c, blob.content_encoding or "")

    @property
    def address(self) -> str:
        """Its gs:// address."""
        return f"gs://{self.bucket.name}/{self.name}"


def fetch(wanted: Object, file: IO[bytes]) -> None:
    """Writes an object's bytes to `file`, as they are stored; their crc32c is the one that was listed.

    Raises:
        FileNotFoundError: the object is gone, or another has taken its place.
        StorageError: it could not be read, though tried again until the deadline.
    """
    deadline = Deadline()

    def attempt() -> None:
        file.seek(0)
        file.truncate()
        sink = Sink(file, deadline)
        blob = wanted.bucket.blob(wanted.name, generation=wanted.generation)
        blob.download_to_file(sink, raw_download=True, checksum=None, retry=None, timeout=TIMEOUT)
        found = base64.b64encode(sink.checksum.digest()).decode()
        if found != wanted.crc32c:
            raise DamagedError(f"{sink.length} of {wanted.size} bytes came, with crc32c {found}, expected {wanted.crc32c}")

    with explained(wanted.address, "it was deleted or replaced after it was listed; repeat the command", deadline) as retry:
        retry(attempt)()


@contextlib.contextmanager
def explained(address: str, if_missing: str, deadline: Deadline | None = None) -> Iterator[Retry]:
    """Yields a way to try again; within the block, what Google's library raises becomes an error that says what to do.

    Args:
        if_missing: why it may not be there, and what to do.
        deadline: how long to try again; DEADLINE_SECONDS for each use of what is yielded unless given.

    Raises:
        FileNotFoundError: nothing at that address.
        StorageError: everything else.
    """
    start, tries = time.monotonic(), 0

    def try_again(error: Exception) -> bool:
        nonlocal tries
        tries += 1
        if passes(error) and deadline and deadline.is_over():
            raise RetryError("", cause=error) from error  # as Google's library does after a fixed time
        return passes(error)

    retry = Retry(
        predicate=try_again,
        initial=FIRST_PAUSE_SECONDS,
        maximum=LONGEST_PAUSE_SECONDS,
        timeout=None if deadline else DEADLINE_SECONDS,
    )
    try:
        yield retry
    except NotFound as error:
        raise FileNotFoundError(f"{address}: {answer(error)}; {if_missing}.") from error
    except (GoogleAPICallError, GoogleAuthError, RetryError) as error:
        raise StorageError(address, reason_of(error, tries, time.monotonic() - start)) from error


def passes(error: Exception) -> bool:
    """Whether an error may be gone the next time: too many requests, trouble of the server's or of the network's."""
    if isinstance(error, GoogleAPICallError):
        return error.code in PASSING_CODES
    if isinstance(error, GoogleAuthError):
        return error.retryable
    return isinstance(error, PASSING_ERRORS)


def reason_of(error: Exception, tries: int = 1, seconds: float = 0.0) -> str:
    """Returns why a request has failed for good, after so many tries and seconds, and what to do, without a full stop."""
    if isinstance(error, RetryError):
        return (
            f"tried {tries} times in {seconds:.0f} s without success, the last time: {answer(error.cause)}; "
            "see whether the network and Google Cloud Storage are up, then repeat the command"
        )
    if isinstance(error, Unauthorized | Forbidden):
        return f"access is refused: {answer(error)}; {LOG_IN}"
    if isinstance(error, GoogleAuthError):
        return f"no usable Google Cloud credentials: {answer(error)}; {LOG_IN}"
    if "requester pays" in answer(error).lower():
        return (
            f"the bucket's reader pays, and no project is named that would: {answer(error)}; copy the data into a bucket of your "
            "own with `gcloud storage rsync --recursive --billing-project=PROJECT FROM TO`, and give that address"
        )
    return f"the server refuses the request: {answer(error)}"


def answer(error: BaseException | None) -> str:
    """Returns what came back on one line: the status and, where the server says more, that; or the error."""
    if not isinstance(error, GoogleAPICallError) or error.code is None:
        return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    status = f"{int(error.code)} {http.client.responses.get(int(error.code), '')}".strip()
    try:
        said = str(json.loads(error.response.text)["error"]["message"])
    except (AttributeError, ValueError, KeyError, TypeError):  # no JSON of Google's
        return status
    return f"{status} ({' '.join(said.split()).rstrip('.')})"
