"""What is said to ML Metadata and what it answers, as far as it is read here, with the numbers of ml_metadata/proto.

Its Python package does not resolve beside this protobuf. Names are shortened where several messages have the same fields.
"""

import proto
from google.protobuf import struct_pb2


class Value(proto.Message):
    """A property's value."""

    int_value = proto.Field(proto.INT64, number=1, oneof="value")
    double_value = proto.Field(proto.DOUBLE, number=2, oneof="value")
    string_value = proto.Field(proto.STRING, number=3, oneof="value")
    struct_value = proto.Field(struct_pb2.Struct, number=4, oneof="value")


class Artifact(proto.Message):
    """What was read or written."""

    id = proto.Field(proto.INT64, number=1)
    uri = proto.Field(proto.STRING, number=3)


class Execution(proto.Message):
    """A task; its custom properties are its name, its parameters and more."""

    id = proto.Field(proto.INT64, number=1)
    last_known_state = proto.Field(proto.INT32, number=3)
    custom_properties = proto.MapField(proto.STRING, proto.MESSAGE, number=5, message=Value)


class Step(proto.Message):
    """Part of a path."""

    key = proto.Field(proto.STRING, number=2)


class Path(proto.Message):
    """The name of an input or output."""

    steps = proto.RepeatedField(Step, number=1)


class Event(proto.Message):
    """That a task read or wrote an artifact."""

    artifact_id = proto.Field(proto.INT64, number=1)
    execution_id = proto.Field(proto.INT64, number=2)
    path = proto.Field(Path, number=3)
    type_ = proto.Field(proto.INT32, number=4)


class Context(proto.Message):
    """A run."""

    id = proto.Field(proto.INT64, number=1)


class ContextByName(proto.Message):
    """GetContextByTypeAndNameRequest."""

    type_name = proto.Field(proto.STRING, number=1)
    context_name = proto.Field(proto.STRING, number=2)


class OneContext(proto.Message):
    """GetContextByTypeAndNameResponse."""

    context = proto.Field(Context, number=1)


class Options(proto.Message):
    """ListOperationOptions."""

    max_result_size = proto.Field(proto.INT32, number=1)
    next_page_token = proto.Field(proto.STRING, number=3)


class OfContext(proto.Message):
    """GetExecutionsByContextRequest."""

    context_id = proto.Field(proto.INT64, number=1)
    options = proto.Field(Options, number=2)


class Executions(proto.Message):
    """GetExecutionsByContextResponse."""

    executions = proto.RepeatedField(Execution, number=1)
    next_page_token = proto.Field(proto.STRING, number=2)


class Ids(proto.Message):
    """GetEventsByExecutionIDsRequest, and GetArtifactsByIDRequest."""

    ids = proto.RepeatedField(proto.INT64, number=1)


class Events(proto.Message):
    """GetEventsByExecutionIDsResponse."""

    events = proto.RepeatedField(Event, number=1)


class Artifacts(proto.Message):
    """GetArtifactsByIDResponse."""

    artifacts = proto.RepeatedField(Artifact, number=1)
