"""Reads and writes tensors as raw bytes behind a request's or an answer's JSON: KServe v2's binary tensor data extension.

The header Inference-Header-Content-Length says how long the JSON is, `binary_data_size` of each tensor how many of the bytes
behind it are its own. Each element of a BYTES tensor has its length before it, four bytes, the smallest first.
"""

import json
import struct

from starlette.responses import Response

from components.serve.limits import BINARY, HEADER_LENGTH, RefusedError, require_few_values
from components.serve.schemas import InferRequest, InferResponse, Tensor

EXTENSION = "binary_tensor_data"  # its name among the server's extensions
LENGTH = struct.Struct("<I")
MOST_ELEMENTS = 10_000  # each becomes an object before photos are counted


def read_raw(body: bytes, length: int) -> InferRequest:
    """Returns what is asked where tensors follow the JSON, which has so many bytes.

    Raises:
        RefusedError: 400 no JSON, or tensors that are not as long as it says.
        ValidationError: of another form.
    """
    require_few_values(body[:length])
    try:
        said = json.loads(body[:length])
    except (ValueError, RecursionError):
        raise RefusedError(400, f"Invalid JSON in the first {length} bytes") from None
    left = memoryview(body)[length:]
    for tensor in said.get("inputs", []) if isinstance(said, dict) and isinstance(said.get("inputs"), list) else []:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
        if size is None:
            continue
        if not isinstance(size, int) or not 0 <= size <= len(left):
            raise RefusedError(400, f"binary_data_size: got {str(size)[:20]}; {len(left)} bytes are left")
        tensor["data"], left = elements(left[:size]), left[size:]
    if len(left):
        raise RefusedError(400, f"{len(left)} bytes more than the tensors' binary_data_size say")
    return InferRequest.model_validate(said)


def elements(content: memoryview) -> list[bytes]:
    """Returns the elements of a raw tensor of BYTES; raises RefusedError where their lengths are not those of the content."""
    found: list[bytes] = []
    while len(content):
        size = LENGTH.unpack_from(content)[0] if len(content) >= LENGTH.size else len(content)
        if LENGTH.size + size > len(content):
            raise RefusedError(400, "a raw tensor of BYTES: expected each element behind its length, four bytes")
        if len(found) == MOST_ELEMENTS:
            raise RefusedError(413, f"a raw tensor of more than {MOST_ELEMENTS:,} elements; send fewer photos at a time")
        found.append(bytes(content[LENGTH.size : LENGTH.size + size]))
        content = content[LENGTH.size + size :]
    return found


def in_bytes(tensor: Tensor) -> bytes:
    """Returns a tensor, FP64 or BYTES, as raw bytes."""
    if tensor.datatype == "FP64":
        return struct.pack(f"<{len(tensor.data)}d", *tensor.data)
    return b"".join(LENGTH.pack(len(each)) + each for each in (element.encode() for element in tensor.data))


def response_of(asked: InferRequest, response: InferResponse) -> Response:
    """Returns an answer with the outputs that are wanted, in JSON or raw. Raises RefusedError: one that there is not."""
    all_raw = bool((asked.parameters or {}).get("binary_data_output"))
    outputs = {tensor.name: tensor for tensor in response.outputs}
    wanted = {each.name: each.parameters or {} for each in asked.outputs or []} or {name: {} for name in outputs}
    unknown = [name for name in wanted if name not in outputs]
    if unknown:
        raise RefusedError(422, f"outputs: got {unknown[0][:50]!r}; expected some of {', '.join(outputs)}")
    said = response.model_dump(exclude_none=True, exclude={"outputs"}) | {"outputs": []}
    behind: list[bytes] = []
    for name, parameters in wanted.items():
        tensor = outputs[name].model_dump(exclude_none=True)
        if parameters.get("binary_data", all_raw):
            behind.append(in_bytes(outputs[name]))
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": len(behind[-1])}
        said["outputs"].append(tensor)
    head, tail = json.dumps(said, ensure_ascii=False).encode(), b"".join(behind)
    if not tail:
        return Response(head, media_type="application/json")
    return Response(head + tail, media_type=BINARY, headers={HEADER_LENGTH: str(len(head))})
