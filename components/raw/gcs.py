"""Reads raw data and checkpoints from Google Cloud Storage, and puts models there.

Objects are read at the generation that was listed, so one that is replaced meanwhile is an error and no mixture.
"""

import errno
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from components.contract import schema
from components.raw import gcs_requests
from components.raw.gcs_requests import Object, explained, fetch
from components.raw.layout import LAYOUT
from components.raw.source import GS, UnreadableError
from components.raw.walk import Found, name_trouble

CONCURRENT_READS = 32  # a request takes tens of milliseconds however small the object
LISTED = "items(name,size,crc32c,generation,contentEncoding),nextPageToken"
NO_PATH = "the object's name is no path of a file: an empty part, or one of dots"
GENERATION = re.compile(r"#([0-9]+)$")  # ends the address of one generation of an object, as gcloud writes it


class GcsFolder:
    """Raw data below a gs:// address; a `components.raw.source.RawSource`."""

    concurrency = CONCURRENT_READS

    def __init__(self, address: str) -> None:
        self.bucket_name, prefix = split_address(address)
        self.prefix = f"{prefix.rstrip('/')}/".lstrip("/")
        self.client = gcs_requests.new_client(str(self), self.concurrency)
        self.objects: dict[PurePosixPath, Object] = {}

    def __str__(self) -> str:
        return f"{GS}{self.bucket_name}/{self.prefix}".rstrip("/")

    def find(self) -> Found:
        """As `RawSource.find`; asks for no more than may matter of a bucket with other things. Raises as `explained`."""
        found = Found()
        for beginning in (f"{schema.TRAIN_FOLDER}/", f"{schema.TEST_FOLDER}/", schema.SAMPLE_SUBMISSION_CSV):
            for each in self.listed(self.prefix + beginning):
                self.add(each, each.name.removeprefix(self.prefix), found)
        if not self.objects:
            raise FileNotFoundError(
                f"{self}: no object there. Expected the raw data, {LAYOUT}; give the address that train_dataset lies below."
            )
        return found

    def add(self, wanted: Object, name: str, found: Found) -> None:
        """Adds an object to what was found; some names of objects are no names of files."""
        if name.endswith("/") and not wanted.size:  # stands for a folder
            return
        path = PurePosixPath(name)
        if str(path) != name or ".." in path.parts:
            found.leave(PurePosixPath(*filter(None, name.split("/"))), NO_PATH)
            return
        for part in (*reversed(path.parents[:-1]), path):
            if why := name_trouble(part):
                found.leave(part, why, is_folder=part is not path)
                return
        self.objects[path] = wanted
        found.sizes[path] = wanted.size

    def listed(self, beginning: str) -> list[Object]:
        """Returns the objects whose names begin so."""
        with explained(str(self), f"check the bucket's name, {self.bucket_name!r}") as retry:
            blobs = self.client.list_blobs(
                self.bucket_name, prefix=beginning, fields=LISTED, retry=retry, timeout=gcs_requests.TIMEOUT
            )
            return [Object.of(blob) for blob in blobs]

    def size(self, path: PurePosixPath) -> int:
        """Returns an object's size in bytes, as stored."""
        return self.objects[path].size

    def read(self, path: PurePosixPath) -> bytes:
        """Returns an object's content; several threads may call it. Raises as `fetch`, or UnreadableError."""
        wanted, body = self.objects[path], io.BytesIO()
        fetch(wanted, body)
        return unpacked(wanted, body.getvalue())

    def digests(self, paths: Sequence[PurePosixPath]) -> Iterator[str]:
        """Yields each object's crc32c, which the listing holds."""
        return (self.objects[path].crc32c for path in paths)


def unpacked(wanted: Object, body: bytes) -> bytes:
    """Returns an object's content; raises UnreadableError where its body is not what its Content-Encoding says."""
    if wanted.encoding in ("", "identity"):
        return body
    try:
        if wanted.encoding != "gzip":
            raise ValueError("only gzip is unpacked here")
        return gzip.decompress(body)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = f"stored with Content-Encoding {wanted.encoding}, and cannot be unpacked ({error}); upload it anew without"
        raise UnreadableError(errno.EIO, reason, wanted.address) from error


def split_address(address: str) -> tuple[str, str]:
    """Returns the bucket and the object's name, or the beginning of names, of a gs:// address. Raises ValueError: no bucket."""
    bucket, _, name = address.removeprefix(GS).partition("/")
    if not address.startswith(GS) or not bucket:
        raise ValueError(f"{address}: expected gs://BUCKET/PREFIX, such as gs://my-bucket/plants.")
    return bucket, name


def pin(address: str) -> str:
    """Returns the address of the generation that an object has now: `gs://bucket/name#1712345678901234`; raises as `look_up`."""
    found = look_up(address)
    return f"{found.address}#{found.generation}"


def download(address: str, folder: Path) -> Path:
    """Downloads one object, at the generation that its address names, if any; returns the file, named as the object is.

    Raises as `look_up` and `GcsFolder.read`.
    """
    wanted = look_up(address)
    path = folder / PurePosixPath(wanted.name).name
    with path.open("w+b") as file:
        fetch(wanted, file)
    if wanted.encoding:
        path.write_bytes(unpacked(wanted, path.read_bytes()))
    return path


def upload(paths: Sequence[Path], folder: str) -> None:
    """Puts files below a gs:// address, one after the other; what has their names there is replaced. Raises as `explained`."""
    name, prefix = split_address(folder)
    bucket = gcs_requests.new_client(folder, connections=1).bucket(name)
    for path in paths:
        blob = bucket.blob("/".join(filter(None, [prefix.rstrip("/"), path.name])))
        with explained(folder, "no such bucket; make it, or name another") as retry:
            retry(blob.upload_from_filename)(str(path), retry=None, timeout=gcs_requests.TIMEOUT)


def look_up(address: str) -> Object:
    """Returns what lies at an address. Raises FileNotFoundError: nothing; StorageError: the server does not say."""
    generation = GENERATION.search(address)
    bucket, name = split_address(GENERATION.sub("", address))
    missing = f"no such {'generation of the ' if generation else ''}object; check the address"
    with explained(address, missing) as retry:
        wanted = int(generation[1]) if generation else None
        client = gcs_requests.new_client(address, connections=1)
        blob = client.bucket(bucket).get_blob(name, generation=wanted, retry=retry, timeout=gcs_requests.TIMEOUT)
    if blob is None:
        raise FileNotFoundError(f"{address}: {missing}.")
    return Object.of(blob)
