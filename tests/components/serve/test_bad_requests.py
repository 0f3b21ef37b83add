"""Sixty kinds of bad requests: each gets its status, and the server goes on as before."""

import io
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served_model import photo, write_models
from serving import JSON, PREDICT, Server, form, raw, sent, serving

from components.serve.models.bundle import write_bundle

GOOD = photo(0)
MOST_BODY_MB, MOST_SECONDS, MOST_REQUESTS = 8, 2, 4
GROWTH_BYTES = 300 * 2**20  # that the server may have grown by after all of them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("served")
    write_bundle(write_models(place / "models", models=1), place / "published")
    limits = {"--max-body-mb": MOST_BODY_MB, "--max-seconds": MOST_SECONDS, "--max-requests": MOST_REQUESTS, "--max-photos": 100}
    flags = [str(part) for pair in limits.items() for part in pair]
    with serving(place / "published", place / "log", *flags) as server:
        assert server.ask(PREDICT, asking(GOOD))[0] == 200
        before = server.memory_bytes()
        yield server
        assert server.memory_bytes() - before < GROWTH_BYTES
        assert server.ask(PREDICT, asking(GOOD))[0] == 200


@pytest.fixture(autouse=True)
def alive(server: Server) -> Iterator[None]:
    """After each request the server answers another one."""
    yield
    assert server.ask("/healthz")[0] == 200


def asking(content: bytes) -> dict[str, Any]:
    return {"instances": [{"before": sent(GOOD), "after": sent(content)}]}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


FORMS: dict[str, tuple[Any, int, str]] = {  # body, status, what is said
    "an empty body": (b"", 400, "Invalid JSON"),
    "no JSON": (b"before=1&after=2", 400, "Invalid JSON"),
    "JSON that is cut off": (json.dumps(asking(GOOD)).encode()[:-20], 400, "Invalid JSON"),
    "no UTF-8": (b'{"instances": "\xff\xfe"}', 400, "Invalid JSON"),
    "a million brackets": (b"[" * 1_000_000, 400, "Invalid JSON"),
    "a list": ([], 422, "should be an object"),
    "null": (b"null", 422, "should be an object"),
    "no instances": ({"inputs": []}, 422, "Field required"),
    "an empty list of instances": ({"instances": []}, 422, "at least 1 item"),
    "an instance that is a number": ({"instances": [5]}, 422, "should be an object"),
    "a field that is not known": (
        {"instances": [{**asking(GOOD)["instances"][0], "callback": "http://x"}]},
        422,
        "not permitted",
    ),
    "one photo of a pair": ({"instances": [{"before": sent(GOOD)}]}, 422, "expected before and after, or photos"),
    "a pair and a series": ({"instances": [{**asking(GOOD)["instances"][0], "photos": [sent(GOOD)] * 2}]}, 422, "or photos"),
    "a series of one": ({"instances": [{"photos": [sent(GOOD)]}]}, 422, "at least 2 items"),
    "a path in place of a photo": ({"instances": [{"before": "/etc/passwd", "after": sent(GOOD)}]}, 422, "instances.0.before"),
    "an address of the network": (
        {"instances": [{"before": {"url": "http://10.0.0.1/"}, "after": sent(GOOD)}]},
        422,
        "instances",
    ),
    "a file's address": ({"instances": [{"before": {"gcs": "file:///etc/passwd"}, "after": sent(GOOD)}]}, 422, "instances"),
    "an object of a bucket": ({"instances": [{"before": {"gcs": "gs://a/../b"}, "after": sent(GOOD)}]}, 403, "reads no bucket"),
    "no base64": ({"instances": [{"before": {"b64": "%%%"}, "after": sent(GOOD)}]}, 422, "cannot be decoded as a photo"),
    "a name of 10,000 letters": ({"instances": [{"before": sent(GOOD, name="ä" * 10_000), "after": sent(GOOD)}]}, 422, "200"),
    "a species that is a list": ({"instances": [{**asking(GOOD)["instances"][0], "species": ["LT"]}]}, 422, "valid string"),
    "a million instances": (b'{"instances": [' + b",".join([b"{}"] * 1_000_000) + b"]}", 413, "more than 20,000 values"),
    "a cadence of minus a day": ({"instances": [{"photos": [sent(GOOD)] * 2, "cadence_days": -1}]}, 422, "cadence_days"),
    "a cadence of models that date no photo": (
        {"instances": [{"photos": [sent(GOOD)] * 9, "cadence_days": 1}]},
        422,
        "a head that dates no photo",
    ),
    "10,000 photos": ({"instances": [{"photos": [sent(b"x")] * 10_000}]}, 413, "10000 photos: expected at most 100"),
}
PHOTOS: dict[str, tuple[bytes, str]] = {  # the file, what is said of it
    "an empty file": (b"", "the file is empty"),
    "a PNG that is cut off": (GOOD[:-200], "cannot be decoded as a photo"),
    "a GIF": (encoded(Image.new("RGB", (9, 9)), "GIF"), "a GIF"),
    "HTML": (b"<html><script>alert(1)</script>", "HTML, XML or SVG"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "a text of random bytes": (np.random.default_rng(0).bytes(5000), "no image format that may be decoded here"),
    "16 bits in a channel": (encoded(Image.fromarray(np.zeros((8, 8), np.uint16))), "more than 8 bits"),
    "a bomb of 10^10 pixels": (bomb(100_000, 100_000), "pixels"),
    "a bomb within Pillow's limit": (bomb(9_000, 9_000), "above the 40000000 allowed here"),
    "a bomb within ours": (bomb(6_000, 6_000), "cannot be decoded as a photo"),
}


@pytest.mark.parametrize("kind", FORMS)
def test_a_body_of_another_form_is_refused_with_the_place(server: Server, kind: str) -> None:
    body, status, message = FORMS[kind]
    found, said, _ = server.ask(PREDICT, body)
    assert (found, message in said["error"]) == (status, True), said


@pytest.mark.parametrize("kind", PHOTOS)
def test_a_bad_photo_is_refused_in_the_pipelines_words(server: Server, kind: str) -> None:
    content, message = PHOTOS[kind]
    status, said, _ = server.ask(PREDICT, asking(content))
    assert status == 422
    assert said["error"].startswith("after: cannot be decoded as a photo: ")
    assert message in said["error"]


def test_a_photo_is_named_as_the_request_names_it_in_any_script(server: Server) -> None:
    name = "植物 🌱 ../../etc/passwd\u202e<b>"
    status, said, _ = server.ask(PREDICT, {"instances": [{"before": sent(GOOD), "after": sent(b"x", name=name)}]})
    assert (status, said["error"].startswith(f"{name}: cannot be decoded")) == (422, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/../../../../etc/passwd", 404), ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404), ("GET", "/page.html", 404),
        ("POST", "/v1/models/other:predict", 404), ("GET", PREDICT, 405), ("DELETE", "/v1/models/verdelta", 405),
        ("POST", "/", 405), ("POST", f"{PREDICT}%0A", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_to_be_done_is_said_so(server: Server, method: str, path: str, status: int) -> None:
    assert server.ask(path, b"{}", method=method)[0] == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png", "multipart/mixed"])
def test_another_type_of_content_is_refused(server: Server, kind: str) -> None:
    assert server.ask(PREDICT, GOOD, {"Content-Type": kind})[0] == 415


FILES: dict[str, tuple[Any, int, str]] = {  # body and headers, status, what is said
    "no form": ((GOOD, {"Content-Type": "multipart/form-data; boundary=x"}), 400, "multipart/form-data"),
    "no boundary": ((GOOD, {"Content-Type": "multipart/form-data"}), 400, "multipart/form-data"),
    "a form that is cut off": (
        (form(("before", "a", GOOD), ("after", "b", GOOD))[0][:-20], form()[1]),
        400,
        "its last boundary is missing",
    ),
    "one photo": (form(("before", "a.png", GOOD)), 422, "expected before and after, or photos"),
    "a field that is not known": (form(("before", "a", GOOD), ("url", "", b"http://x")), 422, "field 'url'"),
    "a field twice": (form(("before", "a", GOOD), ("before", "a", GOOD)), 422, "field 'before'"),
    "a cadence that is no number": (form(("cadence_days", "", b"daily"), *[("photos", "a", GOOD)] * 2), 422, "cadence_days"),
    "a species that is no text": (form(("species", "", b"\xff"), ("before", "a", GOOD)), 422, "UTF-8"),
    "10,000 files": (form(*[("photos", "a", b"x")] * 10_000), 413, "10000 photos"),
    "a part of 100,000 letters of header": (form(("before", "a" * 100_000, GOOD)), 400, "multipart/form-data"),
    "raw tensors": (raw({"before": [GOOD], "after": [GOOD]}), 415, "only /v2"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_form_of_files_that_is_none_is_refused(server: Server, kind: str) -> None:
    (body, headers), status, message = FILES[kind]
    found, said, _ = server.ask(PREDICT, body, headers)
    assert (found, message in said["error"]) == (status, True), said


def saying(length: str) -> tuple[bytes, dict[str, str]]:
    """Good tensors, of whose JSON another length is said."""
    return GOOD_TENSORS[0], {**GOOD_TENSORS[1], "Inference-Header-Content-Length": length}


GOOD_TENSORS = raw({"before": [GOOD], "after": [GOOD]})
TENSORS: dict[str, tuple[Any, int, str]] = {
    "a length beyond the body": (saying("99999999"), 400, "expected the bytes of JSON"),
    "a negative length": (saying("-1"), 400, "expected the bytes of JSON"),
    "a length of 5,000 digits": (saying("9" * 5000), 400, "expected the bytes of JSON"),
    "a tensor of a million empty elements": (raw({"before": [b""] * 1_000_000, "after": [GOOD]}), 413, "more than 10,000"),
    "a million values in the JSON": (
        raw({"before": [GOOD], "after": [GOOD]}, parameters={"x": [0] * 1_000_000}),
        413,
        "more than 20,000 values",
    ),
    "a length within the JSON": (saying("20"), 400, "Invalid JSON"),
    "tensors that are cut off": ((GOOD_TENSORS[0][:-9], GOOD_TENSORS[1]), 400, "bytes are left"),
    "bytes too many": ((GOOD_TENSORS[0] + b"123", GOOD_TENSORS[1]), 400, "3 bytes more"),
    "an element longer than its tensor": (
        (GOOD_TENSORS[0].replace(len(GOOD).to_bytes(4, "little"), b"\xff\xff\xff\x7f"), GOOD_TENSORS[1]),
        400,
        "each element behind its length",
    ),
    "a form of files": (form(("before", "a", GOOD), ("after", "b", GOOD)), 415, "v2 has tensors"),
    "an output that there is none of": (raw({"before": [GOOD], "after": [GOOD]}, outputs=[{"name": "age"}]), 422, "outputs"),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_raw_tensors_that_are_none_are_refused(server: Server, kind: str) -> None:
    (body, headers), status, message = TENSORS[kind]
    found, said, _ = server.ask("/v2/models/verdelta/infer", body, headers)
    assert (found, message in said["error"]) == (status, True), said


def head(*lines: str) -> bytes:
    return "\r\n".join([f"POST {PREDICT} HTTP/1.1", "Host: x", "Content-Type: application/json", *lines, "", ""]).encode()


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(server: Server) -> None:
    assert server.send(head(f"Content-Length: {10**9}")) == 413


def test_a_body_that_grows_too_large_is_cut_off(server: Server) -> None:
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    assert server.send(head("Transfer-Encoding: chunked") + chunk * (MOST_BODY_MB + 2)) == 413


@pytest.mark.parametrize("lines", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_given_up(server: Server, lines: str) -> None:
    assert server.send(head(lines), then=b"1\r\n{\r\n", after_seconds=0.1) == 408


def test_a_connection_closed_in_the_middle_of_a_body_harms_nobody(server: Server) -> None:
    for _ in range(20):
        server.send(head("Content-Length: 100000") + b'{"instances": [', read=False)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"hello\r\n\r\n",
        head("Content-Length: -5"),
        head("Content-Length: 5", "Content-Length: 7"),
    ],
    ids=["TLS", "no HTTP", "a negative length", "two lengths"],
)
def test_what_is_no_request_is_refused(server: Server, raw: bytes) -> None:
    assert server.send(raw, then=b"\r\n\r\n") in (400, None)


@pytest.mark.parametrize("lines", [["X: " + "y" * 200_000], [f"X{number}: {'y' * 1000}" for number in range(300)]])
def test_headers_without_an_end_are_refused(server: Server, lines: list[str]) -> None:
    assert server.send(head(*lines)) in (400, 431, None)
    assert server.send(head(*lines)[:-4]) in (400, 431, None)


def test_more_requests_than_may_be_at_a_time_are_told_to_come_again(server: Server) -> None:
    waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MOST_REQUESTS)]
    for connection in waiting:
        connection.sendall(head("Content-Length: 10"))
    status, said, headers = 0, {}, {}
    for _ in range(100):  # until all of them are in
        status, said, headers = server.ask(PREDICT, asking(GOOD), JSON)
        if status == 503:
            break
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "try again" in said["error"]
    for connection in waiting:
        connection.close()
    while server.ask(PREDICT, asking(GOOD))[0] == 503:
        pass
