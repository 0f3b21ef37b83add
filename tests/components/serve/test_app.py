"""The server in a process of its own: three protocols, one answer; the photos of many requests in few passes."""

import base64
import json
import re
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from gcs_server import BUCKET, gcs_server, upload, upload_folder
from pydantic import BaseModel, ConfigDict
from served_model import photo, write_models
from serving import PREDICT, Server, form, raw, sent, serving

from components.serve.front import Answers
from components.serve.models.bundle import Bundle, write_bundle
from components.serve.models.predictor import Predictor

ONE, TWO, THREE = (photo(seed) for seed in range(3))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_models(tmp_path_factory.mktemp("models"), tta_views=2)


@pytest.fixture(scope="module")
def published(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_bundle(bundle, folder)
    return folder


@pytest.fixture(scope="module")
def server(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(published, tmp_path_factory.mktemp("log") / "server.log") as server:
        yield server


@pytest.fixture(scope="module")
def expected(bundle: Bundle) -> list[float]:
    """The calibrated days from ONE to TWO and to THREE, of LT."""
    predictor = Predictor(bundle)
    one, two, three = predictor.photos([("", each) for each in (ONE, TWO, THREE)])
    return [each.days for each in predictor.between([(one, two), (one, three)], "LT")]


def pair(before: bytes = ONE, after: bytes = TWO, **more: Any) -> dict[str, Any]:
    return {"before": sent(before), "after": sent(after), **more}


class V1Response(BaseModel):
    """KServe's and Vertex AI's: an object with the list `predictions`, and nothing else."""

    model_config = ConfigDict(extra="forbid")
    predictions: list[Any]


class V2Tensor(BaseModel):
    """An output of the Open Inference Protocol's $response_output."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    shape: list[int]
    datatype: Literal["BOOL", "UINT8", "INT64", "FP32", "FP64", "BYTES"]
    parameters: dict[str, Any] = {}
    data: list[Any]


class V2Response(BaseModel):
    """The Open Inference Protocol's $inference_response."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    model_name: str
    model_version: str | None = None
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[V2Tensor]


@pytest.mark.parametrize("route", [PREDICT, "/predict"], ids=["KServe v1", "Vertex AI"])
def test_a_pair_and_a_series_are_answered_alike(server: Server, expected: list[float], route: str) -> None:
    series = {"photos": [sent(ONE), sent(TWO), sent(THREE)], "species": "LT"}
    status, said, _ = server.ask(route, {"instances": [pair(species="LT"), series], "parameters": {"any": 1}})
    assert status == 200
    first, second = V1Response.model_validate(said).predictions
    assert first["days"] == pytest.approx(expected[0], abs=1e-4)
    assert first["calibration"] == "1.1 for LT"
    assert second["days"] == pytest.approx([0.0, *expected], abs=1e-4)


def test_the_open_inference_protocol_gets_tensors(server: Server, expected: list[float]) -> None:
    def tensor(name: str, *data: str) -> dict[str, Any]:
        return {"name": name, "shape": [len(data)], "datatype": "BYTES", "data": list(data)}

    one, two, three = (base64.b64encode(each).decode() for each in (ONE, TWO, THREE))
    inputs = [tensor("before", one, one), tensor("after", two, three), tensor("species", "LT", "LT")]
    status, said, _ = server.ask("/v2/models/verdelta/infer", {"id": "7", "inputs": inputs})
    assert status == 200
    response = V2Response.model_validate(said)
    tensors = {each.name: each for each in response.outputs}
    assert (response.model_name, response.id) == ("verdelta", "7")
    assert (tensors["days"].datatype, tensors["days"].shape) == ("FP64", [2])
    assert tensors["days"].data == pytest.approx(expected, abs=1e-4)
    for odd, message in (
        ([tensor("before", one), tensor("later", two)], "expected the tensors before and after"),
        ([tensor("before", one), tensor("after", two, three)], "expected tensors of one length"),
        ([tensor("before", one), {**tensor("after", two), "shape": [2]}], "tensor after: expected datatype BYTES and the shape"),
    ):
        status, said, _ = server.ask("/v2/models/verdelta/infer", {"inputs": odd})
        assert (status, message in said["error"]) == (422, True)


def test_photos_come_as_files_of_a_form_too(server: Server, expected: list[float]) -> None:
    words = ("species", "", b"LT")
    for route in (PREDICT, "/predict"):
        status, said, _ = server.ask(route, *form(("before", "a.png", ONE), ("after", "b.png", TWO), words))
        assert status == 200
        assert said["predictions"][0]["days"] == pytest.approx(expected[0], abs=1e-4)
    _, said, _ = server.ask(PREDICT, *form(*(("photos", "a", each) for each in (ONE, TWO, THREE)), words))
    assert said["predictions"][0]["days"] == pytest.approx([0.0, *expected], abs=1e-4)
    status, said, _ = server.ask(PREDICT, *form(("before", "a.png", ONE), ("after", "später 🌱.png", b"x")))
    assert (status, said["error"].startswith("später 🌱.png: cannot be decoded as a photo")) == (422, True)


def test_tensors_come_and_go_as_raw_bytes_where_that_is_asked_for(server: Server, expected: list[float]) -> None:
    route, inputs = "/v2/models/verdelta/infer", {"before": [ONE, ONE], "after": [TWO, THREE], "species": [b"LT", b"LT"]}
    assert "binary_tensor_data" in server.ask("/v2")[1]["extensions"]
    status, said, _ = server.ask(route, *raw(inputs))
    assert status == 200
    assert V2Response.model_validate(said).outputs[0].data == pytest.approx(expected, abs=1e-4)
    body, headers = raw(inputs, parameters={"binary_data_output": True}, outputs=[{"name": "days"}, {"name": "calibration"}])
    status, content, answered = server.ask(route, body, headers)
    length = int(answered["Inference-Header-Content-Length"])
    days, words = json.loads(content[:length])["outputs"]
    assert (status, days["name"], days["parameters"], "data" in days) == (200, "days", {"binary_data_size": 16}, False)
    assert struct.unpack("<2d", content[length : length + 16]) == pytest.approx(expected, abs=1e-4)
    assert content[length + 16 :] == 2 * (b"\x0a\0\0\0" + b"1.1 for LT")
    assert words["parameters"] == {"binary_data_size": 28}
    one = raw(inputs, outputs=[{"name": "raw_days", "parameters": {"binary_data": False}}])
    assert [each["name"] for each in server.ask(route, *one)[1]["outputs"]] == ["raw_days"]


def test_the_same_question_gets_the_same_answer_without_being_read_again(published: Path, tmp_path: Path) -> None:
    question, other = {"instances": [pair(species="LT")]}, {"instances": [pair(species="BC")]}
    bad = {"instances": [pair(after=b"x")]}
    with serving(published, tmp_path / "log") as server:
        first, again, third = (server.ask(PREDICT, each) for each in (question, question, other))
        assert (first[:2], third[1] == first[1]) == (again[:2], False)
        assert [server.ask(PREDICT, bad)[0] for _ in range(2)] == [422, 422]
        assert server.ask("/predict", question)[1] == first[1]
        assert "verdelta_answered_again_total 1.0\n" in server.ask("/metrics")[1]


def test_answers_are_kept_within_their_bounds() -> None:
    def answer(size: int) -> list[dict[str, Any]]:
        return [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": bytes(size)}]

    answers = Answers(most=3, most_bytes=100)
    for asked in "abc":
        answers.keep(asked, answer(10))
    assert answers.recall("a") == answer(10)
    answers.keep("d", answer(10))  # b was used longest ago
    assert [bool(answers.recall(asked)) for asked in "abcd"] == [True, False, True, True]
    answers.keep("e", answer(90))
    assert (list(answers.kept), answers.bytes) == (["d", "e"], 100)
    answers.keep("e", answer(80))  # as two who asked at once do
    assert (list(answers.kept), answers.bytes) == (["d", "e"], 90)
    answers.keep("f", answer(1000))
    assert (list(answers.kept), answers.bytes) == ([], 0)


def test_both_protocols_say_that_the_model_is_ready(server: Server) -> None:
    said = {path: server.ask(path)[:2] for path in ("/healthz", "/v1/models", "/v1/models/verdelta", "/v2/models/verdelta/ready")}
    assert said["/healthz"] == (200, {"status": "ok", "run": "tiny"})
    assert said["/v1/models"] == (200, {"models": ["verdelta"]})
    assert said["/v1/models/verdelta"] == (200, {"name": "verdelta", "ready": True})
    assert said["/v2/models/verdelta/ready"] == (200, {"name": "verdelta", "ready": True})
    names = [each["name"] for each in server.ask("/v2/models/verdelta")[1]["inputs"]]
    assert names == ["before", "after", "species", "series"]


def test_photos_pass_the_backbone_once_however_many_ask_at_a_time(published: Path, tmp_path: Path) -> None:
    with serving(published, tmp_path / "log") as server, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: server.ask(PREDICT, {"instances": [pair()]}), range(48)))
        assert {status for status, _, _ in answers} == {200}
        assert len({str(said) for _, said, _ in answers}) == 1
        metrics = server.ask("/metrics")[1]
    assert "verdelta_backbone_photos_total 2.0\n" in metrics
    assert f'verdelta_requests_total{{route="{PREDICT}",status="200"}} 48.0' in metrics


def test_the_log_has_sizes_and_digests_and_nothing_else_of_a_request(server: Server) -> None:
    server.ask(PREDICT + "?secret=query", {"instances": [pair(species="secret-species")]})
    server.ask(PREDICT, {"instances": [{"photos": [sent(b"secret content", name="secret-name"), sent(ONE)]}]})
    server.ask("/secret-path")
    assert server.log is not None
    log = server.log.read_text()
    assert "secret" not in log
    assert re.search(rf"POST {PREDICT} 200 \d+ ms, \d+ bytes [0-9a-f]{{16}}\n", log)
    assert re.search(r"GET none 404 ", log)


def test_photos_in_a_bucket_are_read_where_that_is_allowed_and_vertex_says_where_to_listen(
    published: Path, tmp_path: Path, expected: list[float]
) -> None:
    with gcs_server() as url:
        upload_folder(url, published, "model")
        upload(url, "photos/one.png", ONE)
        upload(url, "photos/two.png", TWO)
        there = {
            "STORAGE_EMULATOR_HOST": url, "AIP_STORAGE_URI": f"gs://{BUCKET}/model", "AIP_PREDICT_ROUTE": "/ask/here",
            "AIP_HEALTH_ROUTE": "/is/well",
        }  # fmt: skip
        with serving("", tmp_path / "log", "--allow-gcs", **there) as server:
            photos = {"before": {"gcs": f"gs://{BUCKET}/photos/one.png"}, "after": {"gcs": f"gs://{BUCKET}/photos/two.png"}}
            status, said, _ = server.ask("/ask/here", {"instances": [{**photos, "species": "LT"}]})
            assert (status, server.ask("/is/well")[0], server.ask("/predict", {})[0]) == (200, 200, 404)
            assert said["predictions"][0]["days"] == pytest.approx(expected[0], abs=1e-4)
            gone = {"before": {"gcs": f"gs://{BUCKET}/photos/three.png"}, "after": sent(ONE)}
            status, said, _ = server.ask("/ask/here", {"instances": [gone]})
            assert (status, said["error"].startswith(f"gs://{BUCKET}/photos/three.png: no such object")) == (422, True)


def test_pages_need_no_network_and_the_interface_is_described(server: Server) -> None:
    for path in ("/", "/docs"):
        status, page, headers = server.ask(path)
        assert status == 200
        assert not re.search(r"(src|href)=\"(https?:)?//", page)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    described = server.ask("/openapi.json")[1]
    body = described["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    forms = described["components"]["schemas"]
    assert forms[body.rpartition("/")[2]]["required"] == ["instances"]
    refs = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert refs <= set(forms)
