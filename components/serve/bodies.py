"""Reads what is asked from a request's body: JSON, a form of files (what browsers and `curl -F` send), or raw tensors."""

import asyncio
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from components.serve.limits import BINARY, FORM, HEADER_LENGTH, RefusedError, content_type, require_few_values
from components.serve.raw_tensors import read_raw
from components.serve.schemas import LONGEST_NAME, InferRequest, Instance, PhotoBytes, PredictRequest

LARGE = 100_000  # bytes of JSON, above which the others do not wait for it
MOST_DIGITS = 12  # of a length: Python refuses to read numbers of thousands of them
FILES, WORDS = ("before", "after", "photos"), ("species", "series", "cadence_days")
MOST_HEADER_BYTES = 4096  # of one file of a form
Form = TypeVar("Form", bound=BaseModel)


async def predict_request(request: Request, body: bytes) -> PredictRequest:
    """Returns what is asked in KServe v1's or Vertex AI's form, or in a form of files.

    Raises:
        RefusedError: a form of files that is none.
        ValidationError: of another form.
    """
    if content_type(request) == FORM:
        return PredictRequest(instances=[form_of_files(body, request.headers["content-type"])])
    if content_type(request) == BINARY:
        raise RefusedError(415, f"content type {BINARY!r}: only /v2 reads raw tensors; expected application/json or {FORM}")
    return await from_json(PredictRequest, body)


async def infer_request(request: Request, body: bytes) -> InferRequest:
    """Returns what is asked in KServe v2's form; raises as `predict_request`."""
    if content_type(request) == FORM:
        raise RefusedError(415, f"content type {FORM!r}: v2 has tensors; send them as JSON, or raw behind {HEADER_LENGTH}")
    length = request.headers.get(HEADER_LENGTH)
    if length is None:
        return await from_json(InferRequest, body)
    if not length.isdecimal() or len(length) > MOST_DIGITS or int(length) > len(body):
        raise RefusedError(400, f"{HEADER_LENGTH}: got {length[:20]!r}; expected the bytes of JSON in a body of {len(body)}")
    return read_raw(body, int(length))


async def from_json(form: type[Form], body: bytes) -> Form:
    """Returns a form from its JSON; raises as `predict_request`."""
    require_few_values(body)
    if len(body) < LARGE:
        return form.model_validate_json(body)
    return await asyncio.to_thread(form.model_validate_json, body)


def photo_of(content: bytes, name: str = "") -> PhotoBytes:
    """Returns a photo that came as bytes, so that no base64 is to be read."""
    return PhotoBytes.model_construct(b64=content, name=name)


def form_of_files(body: bytes, header: str) -> Instance:
    """Returns the one question of a form: files `before` and `after`, or several `photos`; the texts WORDS.

    Raises:
        RefusedError: 400 no such form, 422 of other fields.
        ValidationError: neither kind of question.
    """
    found: dict[str, Any] = {}
    for name, file_name, content in parts(body, header):
        if name in WORDS and name not in found:
            found[name] = text_of(content, name)
        elif name == "photos":
            found.setdefault(name, []).append(photo_of(content, file_name))
        elif name in FILES and name not in found:
            found[name] = photo_of(content, file_name)
        else:
            raise RefusedError(
                422, f"field {name[:LONGEST_NAME]!r}: expected before and after, or photos; and once {', '.join(WORDS)}"
            )
    return Instance(**found)


def parts(body: bytes, header: str) -> Iterator[tuple[str, str, bytes]]:
    """Yields name, name of the file and content of each part of a form; raises as `form_of_files`."""
    boundary = parse_options_header(header)[1].get(b"boundary", b"")
    heads: list[bytearray] = []
    contents: list[bytearray] = []
    fields: list[bytes] = []
    ended: list[bool] = []

    def begin() -> None:
        heads.append(bytearray())
        contents.append(bytearray())

    def value(data: bytes, start: int, end: int) -> None:
        if fields[-1].lower() == b"content-disposition":
            heads[-1].extend(data[start:end])

    callbacks: Any = {
        "on_part_begin": begin,
        "on_header_begin": lambda: fields.append(b""),
        "on_header_field": lambda data, start, end: fields.append(fields.pop() + data[start:end]),
        "on_header_value": value,
        "on_part_data": lambda data, start, end: contents[-1].extend(memoryview(data)[start:end]),
        "on_end": lambda: ended.append(True),
    }
    try:
        parser = MultipartParser(boundary, callbacks, max_header_size=MOST_HEADER_BYTES)
        parser.write(body)
        parser.finalize()
        if not ended:
            raise ValueError("its last boundary is missing")
    except (MultipartParseError, ValueError) as error:
        raise RefusedError(400, f"not of the form {FORM}: {error}") from None
    for head, content in zip(heads, contents, strict=True):
        options = parse_options_header(bytes(head))[1]
        name, file_name = (text_of(options.get(key, b""), "the name of a field") for key in (b"name", b"filename"))
        yield name, file_name[:LONGEST_NAME], bytes(content)


def text_of(content: bytes, what: str) -> str:
    """Returns text; raises as `form_of_files`."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError(422, f"{what}: expected text in UTF-8") from None
