"""The server: a page for people, KServe's two protocols and Vertex AI's for programs, health and metrics for who runs it."""

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from components.serve.bodies import infer_request, predict_request
from components.serve.front import Answers, Front
from components.serve.limits import BINARY, FORM, JSON, Gate, RefusedError
from components.serve.metrics import Metrics
from components.serve.models.predictor import Predictor
from components.serve.options import Limits
from components.serve.raw_tensors import EXTENSION, response_of
from components.serve.schemas import (
    ErrorResponse,
    FilesRequest,
    InferRequest,
    InferResponse,
    Instance,
    Prediction,
    PredictRequest,
    PredictResponse,
    Ready,
    Tensor,
)
from components.serve.service import Service

MODEL = "verdelta"  # its name in KServe's routes
PAGES = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Routes:
    """Where Vertex AI asks: AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE."""

    health: str = "/healthz"
    predict: str = "/predict"


def create_app(predictor: Predictor, limits: Limits, *, allow_gcs: bool = False, routes: Routes | None = None) -> Front:
    """Returns the application, behind its front; with `allow_gcs` photos may be in buckets, read with the server's own rights."""
    routes = routes or Routes()
    service, gate, metrics = Service(predictor, limits, allow_gcs=allow_gcs), Gate(limits), Metrics(predictor)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.batcher.close()

    app = FastAPI(title="verdelta", docs_url=None, redoc_url=None, lifespan=lifespan, openapi_url=None)

    @app.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def predict(request: Request, body: bytes) -> Response:
        form = await predict_request(request, body)
        said = PredictResponse(predictions=await service.answer(form.instances))
        return Response(said.model_dump_json(exclude_none=True), media_type=JSON)

    async def infer(request: Request, body: bytes) -> Response:
        form = await infer_request(request, body)
        try:
            instances = form.instances()
        except ValidationError:
            raise
        except ValueError as error:
            raise RefusedError(422, str(error)) from error
        return response_of(form, as_tensors(form, await service.answer(instances)))

    files, raw = described("PredictRequest", FORM, "FilesRequest"), described("InferRequest", BINARY, "InferRequest")
    kserve_v1, kserve_v2 = f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"
    describe(app, kserve_v1, "KServe v1: questions in, days out.", PredictResponse, files)
    describe(app, routes.predict, "Vertex AI: as KServe v1.", PredictResponse, files)
    describe(app, kserve_v2, "KServe v2, the Open Inference Protocol: tensors in, tensors out.", InferResponse, raw)
    add_facts(app, predictor, routes)
    add_pages(app, metrics)
    asking = {kserve_v1: predict, kserve_v2: infer, routes.predict: predict}
    return Front(app, gate, metrics, asking, None if allow_gcs else Answers())  # what is in a bucket may change


def describe(app: FastAPI, path: str, about: str, answer: type[BaseModel], body: dict[str, Any]) -> None:
    """Adds a route to the description of the interface; what is posted there, the front answers."""

    async def asked() -> None:
        """Is never reached."""

    app.add_api_route(
        path, asked, methods=["POST"], description=about, summary=about, response_model=answer, responses=REFUSALS,
        openapi_extra=body,
    )  # fmt: skip


def as_tensors(form: InferRequest, predictions: list[Prediction]) -> InferResponse:
    """Returns answers as v2 has them."""
    rows = [len(predictions)]
    outputs = [
        Tensor(name=name, shape=rows, datatype=kind, data=[getattr(each, name) for each in predictions])
        for name, kind in (("days", "FP64"), ("raw_days", "FP64"), ("calibration", "BYTES"))
    ]
    return InferResponse(model_name=MODEL, id=form.id or uuid.uuid4().hex, outputs=outputs)


def add_facts(app: FastAPI, predictor: Predictor, routes: Routes) -> None:
    """Adds what says that the server is there, and what it serves."""

    async def healthy() -> dict[str, str]:
        """The server is there, and its models are loaded."""
        return {"status": "ok", "run": predictor.bundle.name}

    for path in sorted({"/healthz", routes.health}):
        app.get(path)(healthy)

    @app.get("/v1/models")
    @app.get("/v2/models")
    async def models() -> dict[str, list[str]]:
        """KServe v1 and v2: the names of models."""
        return {"models": [MODEL]}

    @app.get(f"/v1/models/{MODEL}")
    async def ready() -> Ready:
        """KServe v1 and v2: the model can be asked."""
        return Ready(name=MODEL)

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        """KServe v2: the server."""
        return {"name": "verdelta", "version": "1", "extensions": [EXTENSION]}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """KServe v2: the server is there."""
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready_now() -> dict[str, bool]:
        """KServe v2: the server can be asked."""
        return {"ready": True}

    app.get(f"/v2/models/{MODEL}/ready")(ready)

    @app.get(f"/v2/models/{MODEL}")
    async def metadata() -> dict[str, Any]:
        """KServe v2: what goes in and out."""
        photos = [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in ("before", "after", "species", "series")]
        days = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("days", "raw_days")]
        words = [{"name": "calibration", "datatype": "BYTES", "shape": [-1]}]
        return {"name": MODEL, "platform": "openvino", "inputs": photos, "outputs": days + words}


def add_pages(app: FastAPI, metrics: Metrics) -> None:
    """Adds what people look at."""
    page, api = ((PAGES / name).read_text(encoding="utf-8") for name in ("page.html", "api.html"))

    @app.get("/", include_in_schema=False)
    async def home() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(api)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return published(app)

    @app.get("/metrics", include_in_schema=False)
    async def measured() -> Response:
        return Response(metrics.text(), media_type=metrics.media_type)


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": why}
    for status, why in {
        400: "not of the type that it says, or cut off",
        403: "an address in a bucket, which this server does not read",
        408: "the body came too slowly",
        413: "too large, or too many photos",
        415: "a type of content that is not read",
        422: "not of this form, or a photo that cannot be decoded",
        502: "a bucket that cannot be read",
        503: "too many requests at a time",
        504: "too slow to answer",
    }.items()
}


def described(form: str, other_type: str, other: str) -> dict[str, Any]:
    """Returns what OpenAPI says of a body that the route reads itself: JSON of one form, or another type of another."""
    kinds = {JSON: form, other_type: other}
    content = {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def published(app: FastAPI) -> dict[str, Any]:
    """Returns the description of the interface, the forms of bodies included."""
    found = get_openapi(
        title="verdelta", version="1", routes=app.routes, description="How many days lie between photos of a plant."
    )
    forms = [(form, "validation") for form in (PredictRequest, InferRequest, Instance, FilesRequest)]
    _, schemas = models_json_schema(forms, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    found.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
    return found
