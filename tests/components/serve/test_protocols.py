"""The server speaks as published: to the Open Inference Protocol's own client, and in the messages of Vertex AI's API."""

import base64
import json
from collections.abc import Iterator

import pytest
from google.cloud.aiplatform_v1.types import PredictRequest, PredictResponse
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.types import InferenceRequest, RequestInput, TensorData
from served_model import photo, write_models
from serving import Server, sent, serving

from components.serve.models.bundle import write_bundle
from components.serve.models.predictor import Predictor

ONE, TWO = photo(0), photo(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, float]]:
    """A server, and the calibrated days from ONE to TWO of LT."""
    place = tmp_path_factory.mktemp("protocols")
    bundle = write_models(place / "models", models=1)
    write_bundle(bundle, place / "published")
    predictor = Predictor(bundle)
    (answer,) = predictor.between([tuple(predictor.photos([("", ONE), ("", TWO)]))], "LT")
    with serving(place / "published", place / "log") as server:
        yield server, answer.days


def test_the_open_inference_protocols_client_asks_and_understands(served: tuple[Server, float]) -> None:
    server, expected = served
    client = OpenInferenceClient(base_url=server.address)
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness("verdelta")
    assert client.read_server_metadata().name == "verdelta"
    described = client.read_model_metadata("verdelta")
    assert [each.datatype for each in described.outputs] == ["FP64", "FP64", "BYTES"]
    inputs = [
        RequestInput(name=name, shape=[1], datatype="BYTES", data=TensorData(__root__=[text]))
        for name, text in (
            *((name, base64.b64encode(each).decode()) for name, each in (("before", ONE), ("after", TWO))),
            ("species", "LT"),
        )
    ]
    for id_ in ("seven", None):
        response = client.model_infer("verdelta", request=InferenceRequest(id=id_, inputs=inputs))
        days = next(each for each in response.outputs if each.name == "days")
        assert days.data.__root__ == pytest.approx([expected], abs=1e-4)
        assert response.id == "seven" if id_ else response.id


def test_vertex_ais_messages_go_in_and_come_out(served: tuple[Server, float]) -> None:
    server, expected = served
    instance = {"before": sent(ONE), "after": sent(TWO), "species": "LT"}
    asked = PredictRequest.from_json(json.dumps({"instances": [instance], "parameters": {"anything": 1.0}}))
    body = json.loads(PredictRequest.to_json(asked))
    status, said, _ = server.ask("/predict", {name: body[name] for name in ("instances", "parameters")})
    assert status == 200
    response = PredictResponse.from_json(json.dumps(said))  # which refuses a field that Vertex AI does not know
    assert response.predictions[0]["days"] == pytest.approx(expected, abs=1e-4)
