"""Declares the messages of ML Metadata, as far as they are used here, with the numbers of ml_metadata/proto.

Its Python package does not resolve beside this protobuf. Names are shortened where several messages have the same fields.
"""

from typing import Any

import proto
from google.protobuf import struct_pb2


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
