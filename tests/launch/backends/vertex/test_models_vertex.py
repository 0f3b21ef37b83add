"""Models registered with Vertex AI, over HTTP, in the messages of its API; their files in a bucket."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from far_end import Answer, Request, serving
from gcs_server import BUCKET, gcs_server
from google.cloud.aiplatform_v1.types import Model, UploadModelRequest, UploadModelResponse
from google.protobuf import any_pb2, json_format
from served_model import write_models
from test_submit_vertex import PARENT, Vertex, as_json, bucket, refused, vertex

from components.serve.models.bundle import Bundle, read_bundle
from launch.cli.answers.publish import to_vertex

__all__ = ["bucket", "vertex"]  # fixtures
IMAGE = "europe-docker.pkg.dev/plants-42/images/verdelta-serve:0123abcd"
MODELS, RESOURCE = f"/v1/{PARENT}/models", f"{PARENT}/models/verdelta"


class Registry(Vertex):
    """Vertex AI's model registry: versions of one model, by number."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[Model] = []
        self.uploads: list[UploadModelRequest] = []
        self.routes += [("POST", f"{MODELS}:upload", self.upload), ("GET", f"{MODELS}/verdelta.*", self.read)]

    def upload(self, request: Request) -> Answer:
        """The message's type refuses fields that the API does not have."""
        asked = UploadModelRequest.from_json(request.body)
        self.uploads.append(asked)
        for version in self.versions:
            version.version_aliases = [each for each in version.version_aliases if each not in asked.model.version_aliases]
        model = Model(asked.model)
        model.name, model.version_id = RESOURCE, str(len(self.versions) + 1)
        self.versions.append(model)
        response = any_pb2.Any()
        response.Pack(UploadModelResponse.pb(UploadModelResponse(model=RESOURCE, model_version_id=model.version_id)))
        return Answer({"name": f"{RESOURCE}/operations/7", "done": True, "response": json_format.MessageToDict(response)})

    def read(self, request: Request) -> Answer:
        alias = request.path.rpartition("@")[2] if "@" in request.path else ""
        named = [each for each in self.versions if alias in ("", each.version_id, *each.version_aliases)]
        return Answer(as_json(named[-1])) if named else refused(404, f"{request.path} does not exist")


@pytest.fixture
def registry(vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:  # noqa: ARG001
    with serving(Registry()) as server:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
        yield server  # type: ignore[misc]


def test_versions_follow_each_other_and_the_alias_goes_to_the_better(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Bundle | None] = []

    def publish(name: str, better: bool) -> str:
        flags = argparse.Namespace(
            project="plants-42", region="europe-west4", api_endpoint=registry.url, alias="champion", if_better=True,
            serving_image=IMAGE, to=f"gs://{BUCKET}/models/{name}",
        )  # fmt: skip
        (tmp_path / f"of {name}").mkdir()
        return to_vertex(
            flags, bundle, f"card of {name}", lambda earlier: asked.append(earlier) or better, tmp_path / f"of {name}"
        )

    bundle = write_models(tmp_path / "models", models=1)
    with gcs_server() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        assert publish("one", True) == f"{RESOURCE}@1"
        assert publish("two", False) == ""
        assert publish("three", True) == f"{RESOURCE}@2"
        (tmp_path / "back").mkdir()
        back = read_bundle(f"gs://{BUCKET}/models/three", tmp_path / "back")
        with pytest.raises(FileNotFoundError):
            read_bundle(f"gs://{BUCKET}/models/two", tmp_path / "back")
    assert asked[0] is None
    assert [each.models[0].read_bytes() for each in (asked[1], asked[2], back) if each] == [bundle.models[0].read_bytes()] * 3
    first, second = registry.uploads
    assert (first.model_id, first.parent_model, second.model_id, second.parent_model) == ("verdelta", "", "", RESOURCE)
    model = second.model
    assert (model.artifact_uri, model.version_description) == (f"gs://{BUCKET}/models/three", "card of three")
    assert (list(model.version_aliases), dict(model.labels)) == (["champion", "default"], {"app": "verdelta"})
    container = json.loads(as_json_text(model.container_spec))
    assert container == {
        "imageUri": IMAGE, "predictRoute": "/predict", "healthRoute": "/healthz", "ports": [{"containerPort": 8080}],
    }  # fmt: skip
    assert [list(each.version_aliases) for each in registry.versions] == [[], ["champion", "default"]]


def as_json_text(message: object) -> str:
    """A message's fields that are set."""
    return type(message).to_json(message, always_print_fields_with_no_presence=False)  # type: ignore[attr-defined]
