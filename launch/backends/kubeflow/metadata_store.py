"""Asks Kubeflow's ML Metadata what the tasks of a run read and wrote.

The run API has fields for a task's artifacts and leaves them empty (kubeflow/pipelines issue 9858), so the pages of Kubeflow
Pipelines ask ML Metadata, over gRPC-Web at their own address. This asks the same four questions, which are about one run
only: a Kubeflow of several users answers no others.
"""

import email
import json
import struct
import urllib.parse
from collections import defaultdict
from typing import Any

import proto
from google.protobuf import struct_pb2

from launch.backends.cluster.records import ClusterTask

SERVICE = "/ml_metadata.MetadataStoreService/"
CONTENT_TYPE = "application/grpc-web+proto"
RUN_CONTEXT = "system.PipelineRun"
COMPLETE, CACHED = 3, 5  # of Execution.State
INPUT, OUTPUT = 3, 4  # of Event.Type
PAGE = 100  # the most that is answered
NOT_FOUND = 5  # of gRPC's codes
DATA, TRAILER = 0x00, 0x80  # kinds of gRPC-Web frames


# The messages of ml_metadata/proto, as far as they are used here, with its numbers: its Python package does not resolve beside
# this protobuf. Names are shortened where several messages have the same fields.
def message(name: str, **fields: Any) -> Any:
    """Returns the class of a message with these fields."""
    return type(proto.Message)(name, (proto.Message,), {"__module__": __name__, **fields})


def one(kind: Any, number: int, **more: Any) -> Any:
    """Returns a field."""
    return proto.Field(kind, number=number, **more)


def many(kind: Any, number: int) -> Any:
    """Returns a repeated field."""
    return proto.RepeatedField(kind, number=number)


INT, INT32, TEXT = proto.INT64, proto.INT32, proto.STRING
# fmt: off
Value = message("Value", int_value=one(INT, 1, oneof="value"), double_value=one(proto.DOUBLE, 2, oneof="value"),
                string_value=one(TEXT, 3, oneof="value"), struct_value=one(struct_pb2.Struct, 4, oneof="value"))
Artifact = message("Artifact", id=one(INT, 1), uri=one(TEXT, 3))
Execution = message("Execution", id=one(INT, 1), last_known_state=one(INT32, 3),
                    custom_properties=proto.MapField(TEXT, proto.MESSAGE, number=5, message=Value))  # a task: name, parameters
Step = message("Step", key=one(TEXT, 2))
Path = message("Path", steps=many(Step, 1))  # the name of an input or output
Event = message("Event", artifact_id=one(INT, 1), execution_id=one(INT, 2), path=one(Path, 3), type_=one(INT32, 4))
Context = message("Context", id=one(INT, 1))  # a run
ContextByName = message("ContextByName", type_name=one(TEXT, 1), context_name=one(TEXT, 2))  # GetContextByTypeAndNameRequest
OneContext = message("OneContext", context=one(Context, 1))  # GetContextByTypeAndNameResponse
Options = message("Options", max_result_size=one(INT32, 1), next_page_token=one(TEXT, 3))  # ListOperationOptions
OfContext = message("OfContext", context_id=one(INT, 1), options=one(Options, 2))  # GetExecutionsByContextRequest
Executions = message("Executions", executions=many(Execution, 1), next_page_token=one(TEXT, 2))  # and its response
Ids = message("Ids", ids=many(INT, 1))  # GetEventsByExecutionIDsRequest, GetArtifactsByIDRequest
Events = message("Events", events=many(Event, 1))  # GetEventsByExecutionIDsResponse
Artifacts = message("Artifacts", artifacts=many(Artifact, 1))  # GetArtifactsByIDResponse
# fmt: on


def stored_tasks(client: Any, run_id: str) -> list[ClusterTask]:
    """Returns the tasks of a run in the order of their start; none where the run ended before its first. Raises as `call`."""
    context = call(client, "GetContextByTypeAndName", ContextByName(type_name=RUN_CONTEXT, context_name=run_id), OneContext)
    if not context.context.id:
        return []
    executions: list[Any] = []
    options: Any = Options(max_result_size=PAGE)
    while options:
        page = call(client, "GetExecutionsByContext", OfContext(context_id=context.context.id, options=options), Executions)
        executions += page.executions
        following = page.next_page_token
        options = Options(max_result_size=PAGE, next_page_token=following) if following else None
    if not executions:
        return []
    events = call(client, "GetEventsByExecutionIDs", Ids(ids=[each.id for each in executions]), Events).events
    ids = sorted({event.artifact_id for event in events})
    uris = {each.id: each.uri for each in call(client, "GetArtifactsByID", Ids(ids=ids), Artifacts).artifacts} if ids else {}
    by_task: dict[tuple[int, int], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event.artifact_id in uris and event.path.steps:
            by_task[event.execution_id, event.type_][event.path.steps[0].key].append(uris[event.artifact_id])
    return [
        ClusterTask(
            name=each.custom_properties["task_name"].string_value if "task_name" in each.custom_properties else "",
            succeeded=each.last_known_state in (COMPLETE, CACHED),
            parameters=dict(each.custom_properties["inputs"].struct_value) if "inputs" in each.custom_properties else {},
            inputs=dict(by_task[each.id, INPUT]),
            outputs=dict(by_task[each.id, OUTPUT]),
        )
        for each in sorted(executions, key=lambda each: each.id)
    ]


def call(client: Any, method: str, question: Any, answer: Any) -> Any:
    """Returns the `answer` of ML Metadata, empty where it has no such thing. Raises kfp_server_api.ApiException: it says no."""
    import kfp_server_api

    api = client.runs.api_client
    headers = {**api.default_headers, "Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE, "X-Grpc-Web": "1"}
    if api.cookie:
        headers["Cookie"] = api.cookie
    api.update_params_for_auth(headers, [], ["Bearer"])
    place = urllib.parse.urlsplit(api.configuration.host)
    content = type(question).serialize(question)
    url, body = f"{place.scheme}://{place.netloc}{SERVICE}{method}", struct.pack(">BI", DATA, len(content)) + content
    response = api.rest_client.request("POST", url, headers=headers, body=body)
    code, message = response.getheader("grpc-status"), response.getheader("grpc-message") or ""
    found = b""
    try:
        for kind, part in frames(response.data):
            if kind == TRAILER:
                said = email.message_from_bytes(part)  # lines of names and values, as of HTTP
                code, message = said.get("grpc-status", code), said.get("grpc-message", message)
            else:
                found += part
    except struct.error:
        code, message = (
            "-1",
            "the answer is no gRPC-Web; the pages of Kubeflow Pipelines lead to ML Metadata, its bare API does not",
        )
    if int(code or 0) not in (0, NOT_FOUND):
        refusal = kfp_server_api.ApiException(status=502, reason=f"ML Metadata, {method}")
        refusal.body = json.dumps({"message": f"gRPC status {code} {urllib.parse.unquote(message)}"})
        raise refusal
    return answer.deserialize(found)


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """Returns kind and content of each frame: a byte, the length in four bytes, the content. Raises struct.error: no frames."""
    found, at = [], 0
    while at < len(body):
        kind, length = struct.unpack_from(">BI", body, at)
        if kind not in (DATA, TRAILER) or at + 5 + length > len(body):
            raise struct.error("no frame")
        found.append((kind, body[at + 5 : at + 5 + length]))
        at += 5 + length
    return found
