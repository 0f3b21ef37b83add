"""Raw data in a real storage server, over HTTP: the same as from a folder, through 16 faults; and what ends a run."""

import dataclasses
import gzip
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import gcs_server
import pytest
from command_line import write_raw
from gcs_server import BUCKET, Fault, Proxy, status, upload

from components.raw import gcs, gcs_requests, storage
from components.raw.gcs_requests import StorageError
from components.resize_images import read_ahead
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings

RAW = f"gs://{BUCKET}/some/where"
PHOTO = "train_dataset/BC/BC_01/DAT02.png"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small raw folder."""
    return write_raw(tmp_path / "raw")


@pytest.fixture
def server(raw: Path) -> Iterator[str]:
    """The URL of a server that holds that folder at RAW."""
    with gcs_server.gcs_server() as url:
        gcs_server.upload_folder(url, raw, "some/where")
        yield url


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    """What stands before the server, and what this process takes for Google's."""
    with gcs_server.proxy_before(server) as proxy, gcs_server.served_at(proxy.url):
        yield proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up soon."""
    monkeypatch.setattr(gcs_requests, "DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(gcs_requests, "SLOWEST_BYTES_PER_SECOND", 200_000)  # a trickling body brings 33,000
    monkeypatch.setattr(gcs_requests, "FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(gcs_requests, "TIMEOUT", (3, 3))  # a busy machine's own silences are no faults


def resize(raw: str | Path, place: Path, on_bad_photo: str = "fail") -> dict[str, bytes]:
    """Resizes raw data and returns the content of every file that was written."""
    settings = ResizeImagesSettings(image_size=16, on_bad_photo=on_bad_photo)
    resize_images(raw=raw, images=place / "images", catalog=place / "catalog", settings=settings)
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def is_download(path: str) -> bool:
    return "alt=media" in path


# Listing.


def test_a_bucket_is_listed_as_a_folder_is(proxy: Proxy, server: str, raw: Path) -> None:
    added = {
        "train_dataset/BC/BC_01/notes.txt": b"x",
        "train_dataset/BC/DAT09.PNG": b"x",
        "test_dataset/.trash/a/DAT01.png": b"x",
    }
    added |= {"sample_submission.csv": b"idx\n", "sample_submission.csv.old": b"", "elsewhere/DAT01.png": b"x"}
    for name, content in added.items():
        upload(server, f"some/where/{name}", content)
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content)
    upload(server, "some/where/train_dataset/BC/BC_02/", b"")  # as the console makes a folder
    upload(server, "some/where/train_dataset_2/BC/BC_01/DAT01.png", b"another data set")
    expected = storage.find_photos(storage.open_raw(raw))
    at_top = {path: why for path, why in expected.others.items() if str(path) == "elsewhere"}  # not asked for in a bucket
    expected = dataclasses.replace(expected, others={path: expected.others[path] for path in expected.others.keys() - at_top})
    assert len(at_top) == 1
    assert storage.find_photos(storage.open_raw(RAW)) == expected
    assert storage.find_photos(storage.open_raw(f"{RAW}/")) == expected
    assert [str(path) for path in expected.ignored] == ["train_dataset/BC/BC_01/notes.txt", "train_dataset/BC/DAT09.PNG"]
    assert not any("elsewhere" in path for path in proxy.requests)


@pytest.mark.usefixtures("proxy")
def test_objects_whose_names_are_no_paths_of_files_are_named(server: str) -> None:
    names = ["train_dataset/BC//DAT01.png", "train_dataset/BC/../../DAT01.png", f"train_dataset/BC/BC_01/{'x' * 260}7.png"]
    for name in names:
        upload(server, f"odd/{name}", b"x")
    for name in ("train_dataset/BC/BC_01/DAT01.png", "test_dataset/BC/1/t.png", "test_dataset/test_data.csv"):
        upload(server, f"odd/{name}", b"x")
    listing = storage.find_photos(storage.open_raw(f"gs://{BUCKET}/odd"))
    assert len(listing.train) == 1
    assert sorted(map(str, listing.bad)) == sorted(name.replace("//", "/") for name in names)
    assert sorted(why[:25] for why in listing.bad.values()) == ["its name has 265 bytes, m", *["the object's name is no p"] * 2]


def test_a_listing_of_several_pages_is_whole(proxy: Proxy, raw: Path) -> None:
    proxy.page = 1
    assert storage.find_photos(storage.open_raw(RAW)) == storage.find_photos(storage.open_raw(raw))
    assert len(proxy.requests) == 4 + 3 + 1, "a request for each file, and one for the table that is not there"
    assert all("nextPageToken" in path for path in proxy.requests), "Google's server tells only the fields it is asked for"


def test_photos_may_lie_at_the_top_of_a_bucket(proxy: Proxy, raw: Path) -> None:
    for path in raw.rglob("*.*"):
        upload(f"http://{proxy.target}", path.relative_to(raw).as_posix(), path.read_bytes())
    source = storage.open_raw(f"gs://{BUCKET}")
    assert storage.find_photos(source) == storage.find_photos(storage.open_raw(raw))
    assert source.read(PurePosixPath(PHOTO)) == (raw / PHOTO).read_bytes()


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("gs://nowhere/plants", FileNotFoundError, ["gs://nowhere/plants", "404", "check the bucket's name, 'nowhere'"]),
        (f"gs://{BUCKET}/empty", FileNotFoundError, [f"gs://{BUCKET}/empty: no object there", "train_dataset"]),
        (f"{RAW}/train_dataset", FileNotFoundError, ["no object there", "the address that train_dataset lies below"]),
        ("gs://", ValueError, ["gs://: expected gs://BUCKET/PREFIX"]),
    ],
)
@pytest.mark.usefixtures("proxy")
def test_an_address_without_raw_data_is_an_error(address: str, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        storage.content_digest(address)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.usefixtures("proxy")
def test_raw_data_that_is_not_complete_is_an_error(server: str) -> None:
    upload(server, "half/train_dataset/BC/BC_01/DAT01.png", b"x")
    with pytest.raises(FileNotFoundError, match=rf"gs://{BUCKET}/half: no photo found for test_dataset/\*/\*/\*.png"):
        storage.content_digest(f"gs://{BUCKET}/half")
    upload(server, "half/test_dataset/LT/1003/a.png", b"x")
    with pytest.raises(FileNotFoundError, match=rf"gs://{BUCKET}/half/test_dataset/test_data.csv: missing"):
        storage.content_digest(f"gs://{BUCKET}/half")


def test_without_credentials_the_error_says_how_to_get_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # not to ask the network whether this is one of Google's machines
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(StorageError, match=r"gs://b/p: no usable Google Cloud credentials: .*gcloud auth application-default"):
        storage.content_digest("gs://b/p")


# Digest.


def test_the_digest_follows_names_and_contents_and_downloads_nothing(proxy: Proxy, server: str, raw: Path) -> None:
    before = storage.content_digest(RAW)
    gcs_server.upload_folder(server, raw, "elsewhere")
    upload(server, "some/where/train_dataset/BC/BC_01/notes.txt", b"x")
    upload(server, f"some/where/{PHOTO}", (raw / PHOTO).read_bytes())  # another generation of the same bytes
    assert storage.content_digest(RAW) == storage.content_digest(f"gs://{BUCKET}/elsewhere") == before
    upload(server, f"some/where/{PHOTO}", b"other bytes")
    changed = storage.content_digest(RAW)
    upload(server, "elsewhere/train_dataset/BC/BC_01/DAT03.png", (raw / PHOTO).read_bytes())
    assert len({before, changed, storage.content_digest(f"gs://{BUCKET}/elsewhere")}) == 3
    assert not any(is_download(path) for path in proxy.requests)


# Reading.


def test_16_faults_do_not_change_what_is_written(
    proxy: Proxy, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_requests, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(gcs_requests, "TIMEOUT", (0.5, 0.5))
    listing: list[Fault] = [status(429), status(503), gcs_server.reset_before, gcs_server.reset_in_body, gcs_server.truncated]
    downloads: list[Fault] = [
        status(429), status(500), status(502), status(503), status(504), gcs_server.reset_before, gcs_server.reset_in_body,
        gcs_server.truncated, gcs_server.cut, gcs_server.corrupted, gcs_server.silent,
    ]  # fmt: skip

    def next_fault(path: str) -> Fault | None:
        queue = downloads if is_download(path) else listing
        return queue.pop() if queue else None

    proxy.plan = next_fault
    found = resize(RAW, tmp_path / "from bucket")
    assert (proxy.faults, listing, downloads) == (16, [], [])
    expected = resize(raw, tmp_path / "from folder")
    assert found == expected
    assert len(expected) == 1 + 3 + 2  # photos; images.csv, test_data.csv, stage.json; two manifests


LASTING = [
    *[(status(code), str(code)) for code in (408, 429, 500, 502, 503, 504)],
    (gcs_server.reset_before, "ConnectionResetError"),
    (gcs_server.reset_in_body, "ConnectionResetError"),
    (gcs_server.truncated, "IncompleteRead"),
    (gcs_server.cut, ""),
    (gcs_server.silent, "Read timed out"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("fault", "words"), [*LASTING, (gcs_server.corrupted, "with crc32c"), (gcs_server.trickling, "")])
def test_a_lasting_fault_ends_in_an_error_with_the_objects_name(
    proxy: Proxy, server: str, tmp_path: Path, fault: Fault, words: str
) -> None:
    upload(server, f"some/where/{PHOTO}", bytes(100_000))
    proxy.plan = lambda path: fault if "DAT02.png" in path else None
    start = time.monotonic()
    with pytest.raises(StorageError) as error:
        resize(RAW, tmp_path, on_bad_photo="skip")  # a photo that cannot be fetched is no bad photo
    tries = sum("BC_01%2FDAT02.png" in path for path in proxy.requests)
    said = re.match(rf"{RAW}/{PHOTO}: tried {tries} times in (\d+) s without success, the last time: ", str(error.value))
    assert said and 1 <= int(said[1]) <= time.monotonic() - start + 1, error.value
    assert words in str(error.value)
    assert not (tmp_path / "catalog").exists()


@pytest.mark.usefixtures("impatient")
def test_a_body_that_comes_slowly_but_steadily_is_waited_for(proxy: Proxy, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_requests, "SLOWEST_BYTES_PER_SECOND", 20_000)
    content = bytes(range(250)) * 400
    upload(server, f"some/where/{PHOTO}", content)
    source = storage.open_raw(RAW)
    source.find()
    faults: list[Fault | None] = [gcs_server.trickling, gcs_server.reset_before]  # a second try after all that time, too
    proxy.plan = lambda _: faults.pop() if faults else gcs_server.trickling
    start = time.monotonic()
    assert source.read(PurePosixPath(PHOTO)) == content
    assert time.monotonic() - start > 2.5 > gcs_requests.DEADLINE_SECONDS


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("fault", "words"), LASTING)
def test_a_listing_that_cannot_be_had_is_an_error(proxy: Proxy, fault: Fault, words: str) -> None:
    proxy.plan = lambda _: fault
    with pytest.raises(StorageError) as error:
        storage.content_digest(RAW)
    assert str(error.value).startswith(f"{RAW}: tried {len(proxy.requests)} times in ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, ["access is refused: 403 Forbidden", "roles/storage.objectViewer", "gcloud auth application-default login"]),
        (400, ["refuses the request: 400 Bad Request"]),
    ],
)
def test_a_refusal_is_not_tried_again(proxy: Proxy, code: int, words: list[str]) -> None:
    source = storage.open_raw(RAW)
    source.find()
    proxy.requests.clear()
    proxy.plan = lambda _: status(code)
    with pytest.raises(StorageError) as error:
        source.read(PurePosixPath(PHOTO))
    assert all(word in str(error.value) for word in [f"{RAW}/{PHOTO}: ", *words]), error.value
    assert len(proxy.requests) == 1


@pytest.mark.usefixtures("proxy")
def test_an_object_that_is_replaced_after_it_was_listed_is_an_error(server: str) -> None:
    source = storage.open_raw(RAW)
    source.find()
    upload(server, f"some/where/{PHOTO}", b"another photo")
    with pytest.raises(FileNotFoundError, match=r"DAT02\.png: 404 .*deleted or replaced after it was listed"):
        source.read(PurePosixPath(PHOTO))


@pytest.mark.usefixtures("proxy")
def test_an_object_that_is_stored_compressed_is_read_as_what_it_was(server: str) -> None:
    table = b"idx,before_file_path,after_file_path\n" * 9
    upload(server, "some/where/test_dataset/test_data.csv", gzip.compress(table), contentEncoding="gzip")
    source = storage.open_raw(RAW)
    source.find()
    assert source.read(PurePosixPath("test_dataset/test_data.csv")) == table


def test_the_first_bad_photo_in_order_is_named_though_a_later_one_comes_sooner(proxy: Proxy, server: str, tmp_path: Path) -> None:
    def late(handler: gcs_server.Handler, code: int, headers: dict[str, str], body: bytes) -> None:
        time.sleep(0.5)
        handler.answer(code, headers, body)

    for name in ("train_dataset/LT/LT_01/DAT01.png", PHOTO):
        upload(server, f"some/where/{name}", b"no photo")
    proxy.plan = lambda path: late if "BC_01%2FDAT02" in path else None
    with pytest.raises(ValueError, match=f"^{RAW}/{PHOTO}: cannot be decoded as a photo"):
        resize(RAW, tmp_path)


def test_connections_are_kept_and_no_more_than_reads_at_a_time(proxy: Proxy, server: str) -> None:
    for number in range(200):
        upload(server, f"many/train_dataset/BC/BC_01/DAT{number:03d}.png", b"x")
    source = storage.open_raw(f"gs://{BUCKET}/many")
    paths = sorted(source.find().sizes)
    proxy.delay_seconds = 0.05
    assert list(read_ahead.map_contents(source, paths, lambda _, content: content)) == [b"x"] * 200
    assert 10 < proxy.connections <= gcs.CONCURRENT_READS


# Reading ahead.


class Counting:
    """A source of zeros that counts how many bytes have been read and not yet been worked on."""

    concurrency = 8

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes, self.lock, self.held, self.most, self.reads = list(sizes), threading.Lock(), 0, 0, 0

    def files(self) -> list[PurePosixPath]:
        return [PurePosixPath(str(number)) for number in range(len(self.sizes))]

    def size(self, path: PurePosixPath) -> int:
        return self.sizes[int(str(path))]

    def read(self, path: PurePosixPath) -> bytes:
        with self.lock:
            self.reads += 1
            self.held += self.size(path)
            self.most = max(self.most, self.held)
        time.sleep(0.01)
        return bytes(self.size(path))

    def work(self, path: PurePosixPath, content: bytes) -> int:
        time.sleep(0.01)
        with self.lock:
            self.held -= self.size(path)
        return len(content)

    def digests(self, paths: Sequence[PurePosixPath]) -> Iterator[str]:
        return map(str, paths)


@pytest.mark.parametrize(("sizes", "most"), [([300] * 40, 900), ([1, 5000, 1, 5000, 300], 5000), ([0] * 20, 0)])
def test_no_more_bytes_are_held_than_allowed_but_for_one_large_file(
    sizes: list[int], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "READ_AHEAD_BYTES", 1000)
    source = Counting(sizes)
    assert list(read_ahead.map_contents(source, source.files(), source.work)) == sizes
    assert source.most == most


def test_after_a_failure_nothing_more_is_read() -> None:
    source = Counting([1] * 500)

    def fail(path: PurePosixPath, content: bytes) -> int:
        if str(path) == "3":
            raise ValueError("the fourth")
        return source.work(path, content)

    with pytest.raises(ValueError, match="the fourth"):
        list(read_ahead.map_contents(source, source.files(), fail))
    assert source.reads < 100


def test_reading_goes_on_while_others_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of the first waits until the last has been read: it would wait for ever if reading waited for work."""
    monkeypatch.setattr(read_ahead, "available_cores", lambda: 1)
    source, all_read = Counting([1] * 8), threading.Event()
    read = source.read

    def read_and_tell(path: PurePosixPath) -> bytes:
        content = read(path)
        if source.reads == 8:
            all_read.set()
        return content

    monkeypatch.setattr(source, "read", read_and_tell)
    results = read_ahead.map_contents(source, source.files(), lambda *_: all_read.wait(timeout=30))
    assert list(results) == [True] * 8


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"\x89PNG no gzip", "gzip", "stored with Content-Encoding gzip, and cannot be unpacked (Not a gzipped file"),
        (gzip.compress(bytes(500))[:-20], "gzip", "stored with Content-Encoding gzip, and cannot be unpacked"),
        (b"anything", "br", "stored with Content-Encoding br, and cannot be unpacked (only gzip is"),
        (b"", "", "the file is empty"),
        (b"<html>", "", "HTML, XML or SVG"),
    ],
    ids=["plain called gzip", "cut gzip", "brotli", "empty", "a page"],
)
def test_an_object_that_is_no_photo_is_a_bad_photo_with_its_address(
    server: str, tmp_path: Path, content: bytes, encoding: str, words: str
) -> None:
    upload(server, f"some/where/{PHOTO}", content, **({"contentEncoding": encoding} if encoding else {}))
    with pytest.raises(ValueError, match=f"^{RAW}/{PHOTO}: ") as error:
        resize(RAW, tmp_path / "fail")
    assert words in str(error.value)
    resize(RAW, tmp_path / "skip", on_bad_photo="skip")
    record = json.loads((tmp_path / "skip/catalog/stage.json").read_text())
    assert [each["what"] for each in record["skipped"]] == [PHOTO]
    assert words in record["skipped"][0]["why"]


@pytest.mark.usefixtures("proxy")
def test_a_table_that_is_stored_wrongly_is_named_with_its_address(server: str, tmp_path: Path) -> None:
    upload(server, "some/where/test_dataset/test_data.csv", b"idx\n", contentEncoding="gzip")
    with pytest.raises(OSError, match=rf"Content-Encoding gzip.*{RAW}/test_dataset/test_data\.csv"):
        resize(RAW, tmp_path)


def test_a_bucket_whose_reader_pays_is_named_with_the_way_out(proxy: Proxy, tmp_path: Path) -> None:
    said = "Bucket is a requester pays bucket but no user project provided."

    def pays(handler: gcs_server.Handler, _code: int, _headers: dict[str, str], _body: bytes) -> None:
        handler.answer(400, {"Content-Type": "application/json"}, json.dumps({"error": {"code": 400, "message": said}}).encode())

    proxy.plan = lambda path: pays if is_download(path) else None
    with pytest.raises(StorageError, match=f"^{RAW}/") as error:
        resize(RAW, tmp_path)
    assert said.rstrip(".") in str(error.value)
    assert "--billing-project=PROJECT" in str(error.value)
    proxy.plan = lambda _: pays
    with pytest.raises(StorageError, match=f"^{RAW}: the bucket's reader pays"):
        storage.content_digest(RAW)


@pytest.mark.usefixtures("proxy")
def test_a_checkpoint_that_is_stored_wrongly_is_named_with_its_address(server: str, tmp_path: Path) -> None:
    upload(server, "weights.h5", b"weights", contentEncoding="gzip")
    with pytest.raises(OSError, match=f"Content-Encoding gzip.*gs://{BUCKET}/weights.h5"):
        gcs.download(f"gs://{BUCKET}/weights.h5", tmp_path)
