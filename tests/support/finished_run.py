"""A run that has ended, and the part of Kubeflow's ML Metadata that tells what its tasks read and wrote.

Its wire format is written here by hand, after ml_metadata/proto and the description of gRPC-Web, and knows nothing of launch/.
"""

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from far_end import Answer, Request
from google.protobuf import struct_pb2

from launch.runs.dag.wiring import read_wiring
from pipeline import verdelta

WIRING = read_wiring(verdelta)
OUTPUTS = {
    "resize_images": ["images", "catalog"],
    "generate_pairs": ["catalog", "pairs"],
    "split_folds": ["folded_pairs"],
    "write_tfrecords": ["examples", "tables"],
    "train": ["model", "history", "out_of_fold", "metrics"],
    "predict": ["predictions"],
    "calibrate": ["submission", "metrics"],
    "report": ["html", "summary", "metrics"],
}
Place = tuple[str, int | None]  # a stage and, in a loop, its fold or shard


def uri(stage: str, output: str, part: int | None = None, run: str = "first") -> str:
    """Where a run keeps an artifact; nothing of it but the stage's name is read by anyone."""
    return f"gs://plants/pipelines/{run}/{stage}_{7001 + (part or 0) * 13}/{output}"


@dataclasses.dataclass(frozen=True)
class Ran:
    """A task: name to URIs, and the parameters that it got, unless they are told, those of its stage."""

    stage: str
    part: int | None
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    state: str = "COMPLETE"
    told: dict[str, Any] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        if self.told is not None:
            return self.told
        if self.stage in WIRING.per_shard:
            return {"shard": self.part}
        return {"fold": self.part, "epochs": 1} if self.stage == "train" else {}


def ran(
    folds: Sequence[int], failed: str = "", run: str = "first", only: Sequence[str] = tuple(OUTPUTS), before: str = "",
    shards: Sequence[int] = (0,),
) -> Iterator[Ran]:  # fmt: skip
    """The tasks of a run, those of later folds and shards first; `failed` fails and nothing that depends on it starts.

    Of a stage that fans out, only the last shard fails.

    Args:
        only: the stages that the run has.
        before: the run that it takes the artifacts of other stages from.
    """
    never = WIRING.onward(failed)[1:] if failed else []
    for stage in (stage for stage in OUTPUTS if stage in only and stage not in never):
        parts = WIRING.parts_of(stage, folds, shards)
        for part in reversed(parts):
            inputs = {}
            for name, (source, output) in WIRING.inputs[stage].items():
                many = WIRING.parts_of(source, folds if stage not in WIRING.per_fold else [part or 0], shards)
                of = run if source in only else before
                inputs[name] = [uri(source, output, each, of) for each in reversed(many)]
            outputs = {name: [uri(stage, name, part, run)] for name in OUTPUTS[stage]}  # known before they are written
            state = "CACHED" if stage == "predict" else "COMPLETE"
            if stage == failed and (part == parts[-1] or stage not in WIRING.per_shard):
                state = "FAILED"
            yield Ran(stage, part, inputs, outputs, state)


def varint(value: int) -> bytes:
    found = b""
    while value >= 128:
        found, value = found + bytes([value % 128 + 128]), value // 128
    return found + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message: a number, or text or a message with its length before it."""
    if isinstance(value, int):
        return varint(number * 8) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number * 8 + 2) + varint(len(content)) + content


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value, shift = 0, 0
    while message[at] >= 128:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | message[at] << shift, at + 1


def read_fields(message: bytes) -> dict[int, list[Any]]:
    """Number to values of a message of such fields."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        value, at = read_varint(message, at)
        if tag % 8 == 2:
            found.setdefault(tag // 8, []).append(message[at : at + value])
            at += value
        else:
            found.setdefault(tag // 8, []).append(value)
    return found


def numbers(values: Sequence[Any]) -> set[int]:
    """The numbers of a repeated field, packed into one value or not."""
    found: set[int] = set()
    for packed in values:
        at = 0
        while isinstance(packed, bytes) and at < len(packed):
            number, at = read_varint(packed, at)
            found.add(number)
        found |= set() if isinstance(packed, bytes) else {packed}
    return found


STATES = {"COMPLETE": 3, "FAILED": 4, "CACHED": 5}


class MetadataStore:
    """ML Metadata with the tasks of some runs; two at most on each page."""

    def __init__(self) -> None:
        self.runs: dict[str, list[Ran]] = {}
        self.uris: list[str] = []

    def artifact(self, address: str) -> int:
        """The id of an artifact, a large one."""
        if address not in self.uris:
            self.uris.append(address)
        return 300 + self.uris.index(address)

    def answer(self, request: Request) -> Answer:
        """Answers as Envoy does: a frame with the message, a frame with the trailer."""
        assert request.headers["Content-Type"] == "application/grpc-web+proto"
        kind, length = struct.unpack(">BI", request.body[:5])
        assert (kind, length) == (0, len(request.body) - 5)
        method = request.path.rpartition("/")[2]
        message = getattr(self, method)(read_fields(request.body[5:]))
        end = b"grpc-status:0\r\n"
        body = struct.pack(">BI", 0, len(message)) + message + struct.pack(">BI", 128, len(end)) + end
        return Answer(body, headers={"Content-Type": "application/grpc-web+proto"})

    def GetContextByTypeAndName(self, asked: dict[int, list[Any]]) -> bytes:  # noqa: N802
        assert asked[1] == [b"system.PipelineRun"]
        run = asked[2][0].decode()
        return field(1, field(1, 900 + list(self.runs).index(run)) + field(3, run)) if run in self.runs else b""

    def GetExecutionsByContext(self, asked: dict[int, list[Any]]) -> bytes:  # noqa: N802
        number = asked[1][0] - 900
        start = int((read_fields(asked[2][0]).get(3) or [b"0"])[0] or 0)
        tasks = list(self.runs.values())[number]
        page = b"".join(
            field(1, self.execution(1000 * (number + 1) + n, task)) for n, task in list(enumerate(tasks))[start : start + 2]
        )
        return page + (field(2, str(start + 2)) if start + 2 < len(tasks) else b"")

    def execution(self, number: int, task: Ran) -> bytes:
        inputs = struct_pb2.Struct()
        inputs.update(task.parameters)
        properties = {
            "task_name": field(3, task.stage.replace("_", "-")),
            "inputs": field(4, inputs.SerializeToString()),
            "iteration_index": field(1, 1),
        }
        entries = b"".join(field(5, field(1, name) + field(2, value)) for name, value in properties.items())
        return field(1, number) + field(2, 17) + field(3, STATES[task.state]) + entries + field(7, "system.ContainerExecution")

    def GetEventsByExecutionIDs(self, asked: dict[int, list[Any]]) -> bytes:  # noqa: N802
        found = b""
        for execution in sorted(numbers(asked[1])):
            task = list(self.runs.values())[execution // 1000 - 1][execution % 1000]
            for kind, named in ((3, task.inputs), (4, task.outputs)):
                for name, addresses in named.items():
                    for address in addresses:
                        path = field(3, field(1, field(2, name)))
                        found += field(1, field(1, self.artifact(address)) + field(2, execution) + path + field(4, kind))
        return found

    def GetArtifactsByID(self, asked: dict[int, list[Any]]) -> bytes:  # noqa: N802
        return b"".join(field(1, field(1, n) + field(3, self.uris[n - 300])) for n in sorted(numbers(asked[1]), reverse=True))
