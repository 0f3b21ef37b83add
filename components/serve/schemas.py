"""What requests and answers look like, in the words of KServe's two protocols and of Vertex AI's custom containers.

KServe v1 and Vertex AI are alike: `instances` in, `predictions` out, bytes as {"b64": ...}. v2, the Open Inference Protocol, has
named tensors. The models below are what /openapi.json publishes.
"""

from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

LONGEST_NAME = 200


class Form(BaseModel):
    """Base of all forms: a field that is not known is refused, and what was sent is not repeated in errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PhotoBytes(Form):
    """A photo as bytes: the file as it is, PNG or JPEG, in base64."""

    b64: Base64Bytes
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = ""


class PhotoInBucket(Form):
    """A photo in a bucket, where the server may read there (`--allow-gcs`)."""

    gcs: Annotated[str, Field(pattern="^gs://[^/]+/.+", max_length=2000)]
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = ""


SentPhoto = Annotated[PhotoBytes | PhotoInBucket, Field(union_mode="left_to_right")]  # the first that fits: each try decodes it


class Instance(Form):
    """A question: two photos of a plant, `before` and `after`, or `photos`, two or more, to be put on a time line.

    `cadence_days` are from one of `photos` to the next, where they are regular but for a few that are missing.
    """

    before: SentPhoto | None = None
    after: SentPhoto | None = None
    photos: Annotated[list[SentPhoto], Field(min_length=2, fail_fast=True)] | None = None
    species: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    series: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    cadence_days: Annotated[float, Field(ge=0, le=366, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def one_question(self) -> "Instance":
        """Refuses an instance that is neither kind of question, or both."""
        if (self.photos is None) != (self.before is not None and self.after is not None):
            raise ValueError("expected before and after, or photos")
        return self

    def sent(self) -> list[SentPhoto]:
        """The photos, the earliest first."""
        return self.photos or [each for each in (self.before, self.after) if each is not None]


class PredictRequest(Form):
    """KServe v1 and Vertex AI: the questions."""

    instances: Annotated[list[Instance], Field(min_length=1, fail_fast=True)]  # or each wrong one would become an error, of 1 kB
    parameters: dict[str, Any] | None = None  # of Vertex AI's; nothing is read of them


class FilesRequest(Form):
    """A form of files: one question, as an instance has it, its photos as files."""

    before: bytes | None = None
    after: bytes | None = None
    photos: list[bytes] | None = None
    species: str = ""
    series: str = ""
    cadence_days: float = 0.0


class Prediction(Form):
    """The answer to one instance.

    `days` lie between the two photos, at least above 0; of `photos`, since the first, for each of them, below 0 where one looks
    younger than it. `interval` is low and high, of the last photo; null where the run's calibration has none. `drift` is how far
    the photos look from all that was trained on, above 1.65 unusually; null where the run has nothing to tell it by.
    """

    days: float | list[float]
    raw_days: float | list[float]
    interval: tuple[float, float] | None
    drift: float | None
    calibration: str
    warnings: list[str]


class PredictResponse(Form):
    """KServe v1 and Vertex AI: the answers, in the order of the questions."""

    predictions: list[Prediction]


class Tensor(Form):
    """v2: a named tensor, row after row. Photos are BYTES, in base64."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class Wanted(Form):
    """v2: an output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(Form):
    """v2: tensors `before` and `after` of as many photos each, BYTES; optional `species` and `series`, BYTES (text)."""

    inputs: Annotated[list[Tensor], Field(min_length=2, fail_fast=True)]
    id: str | None = None
    outputs: list[Wanted] | None = None
    parameters: dict[str, Any] | None = None

    def instances(self) -> list[Instance]:
        """The questions in the tensors.

        Raises:
            ValueError: other tensors than are expected, or of different lengths.
        """
        given = [tensor.name for tensor in self.inputs]
        unknown = [name for name in given if name not in ("before", "after", "species", "series")]
        if unknown or len(set(given)) < len(given) or not {"before", "after"} <= set(given):
            raise ValueError("inputs: expected the tensors before and after, and optionally species and series")
        for tensor in self.inputs:
            if tensor.datatype != "BYTES" or tensor.shape not in ([len(tensor.data)], [len(tensor.data), 1]):
                raise ValueError(
                    f"inputs: tensor {tensor.name}: expected datatype BYTES and the shape of its data, [{len(tensor.data)}]"
                )
        if len({len(tensor.data) for tensor in self.inputs}) != 1:
            raise ValueError("inputs: expected tensors of one length")
        rows = zip(*(tensor.data for tensor in self.inputs), strict=True)
        return [
            Instance.model_validate({name: element_of(name, each) for name, each in zip(given, row, strict=True)}) for row in rows
        ]


def element_of(name: str, element: Any) -> Any:
    """Returns an element of the tensor `name` as an instance has it: of JSON it is text, of raw tensors bytes."""
    raw = isinstance(element, bytes)
    if name in ("before", "after"):
        return PhotoBytes.model_construct(b64=element) if raw else {"b64": element}
    return element.decode("utf-8", "replace") if raw else element


class InferResponse(Form):
    """v2: the tensors `days` and `raw_days`, FP64, and `calibration`, BYTES (text)."""

    model_name: str
    model_version: str | None = None
    id: str  # the request's; where that has none, one of the answer's own: KServe's own form has no answer without
    outputs: list[Tensor]


class ErrorResponse(Form):
    """What all protocols say of a request that is refused."""

    error: str


class Ready(Form):
    """KServe v1 and v2: whether the model can be asked."""

    name: str
    ready: Literal[True] = True
