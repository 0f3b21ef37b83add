"""The server: a page for people, KServe's two protocols and Vertex AI's for programs, health and metrics for who runs it."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from components.serve.limits import Gate, RefusedError
from components.serve.metrics import Metrics
from components.serve.models.predictor import Predictor, digest_of
from components.serve.options import Limits
from components.serve.schemas import (
    ErrorResponse,
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
HEADERS = {  # of every answer: a page loads and sends nothing elsewhere
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
log = logging.getLogger("verdelta.serve")
Form = TypeVar("Form", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class Routes:
    """Where Vertex AI asks: AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE."""

    health: str = "/healthz"
    predict: str = "/predict"


def create_app(predictor: Predictor, limits: Limits, *, allow_gcs: bool = False, routes: Routes | None = None) -> FastAPI:
    """Returns the application.

    Args:
        predictor: the models, loaded.
        limits: what requests may take.
        allow_gcs: whether photos may be addresses in buckets, read with the server's own rights.
        routes: Vertex AI's.
    """
    routes = routes or Routes()
    service, gate, metrics = Service(predictor, limits, allow_gcs=allow_gcs), Gate(limits), Metrics(predictor)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.batcher.close()

    app = FastAPI(title="verdelta", docs_url=None, redoc_url=None, lifespan=lifespan, openapi_url=None)
    app.state.metrics = metrics

    @app.middleware("http")
    async def watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        begun = time.monotonic()
        response = await call_next(request)
        response.headers.update(HEADERS)
        route = getattr(request.scope.get("route"), "path", "none")
        seconds, sent = time.monotonic() - begun, getattr(request.state, "sent", None)
        metrics.count(route, response.status_code, seconds)
        # of what was sent, its size and digest alone
        size, digest = sent or (0, "-")
        log.info("%s %s %d %.0f ms, %d bytes %s", request.method, route, response.status_code, 1000 * seconds, size, digest)
        return response

    @app.exception_handler(RefusedError)
    async def refused(_request: Request, error: RefusedError) -> JSONResponse:
        again = {"Retry-After": "1"} if error.status == 503 else {}
        closing = {"Connection": "close"} if error.status in (400, 408, 413, 415, 503) else {}  # a body may still be coming
        return JSONResponse({"error": error.reason}, error.status, again | closing)

    @app.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> JSONResponse:
        log.error("%s", type(error).__name__)  # its text may hold what was sent
        return JSONResponse({"error": "the server failed; its log says more"}, 500)

    async def asked(request: Request, form: type[Form], answer: Callable[[Form], Awaitable[BaseModel]]) -> Response:
        """Reads a request of a form, and answers it."""
        async with gate.body(request) as body:
            request.state.sent = (len(body), digest_of(body)[:16])
            read = form.model_validate_json if len(body) < 100_000 else None
            parsed = read(body) if read else await asyncio.to_thread(form.model_validate_json, body)
            said = await answer(parsed)
        return Response(said.model_dump_json(exclude_none=True), media_type="application/json")

    @app.exception_handler(ValidationError)
    async def malformed(_request: Request, error: ValidationError) -> JSONResponse:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"][:4])) or "the body"
        status = 400 if first["type"] == "json_invalid" else 422
        return JSONResponse({"error": f"{place}: {first['msg']}"}, status)

    async def predict(form: PredictRequest) -> PredictResponse:
        return PredictResponse(predictions=await service.answer(form.instances))

    async def infer(form: InferRequest) -> InferResponse:
        try:
            instances = form.instances()
        except ValidationError:
            raise
        except ValueError as error:
            raise RefusedError(422, str(error)) from error
        return as_tensors(form, await service.answer(instances))

    body_of = described("PredictRequest")

    @app.post(f"/v1/models/{MODEL}:predict", response_model=PredictResponse, responses=REFUSALS, openapi_extra=body_of)
    async def kserve_predict(request: Request) -> Response:
        """KServe v1: questions in, days out."""
        return await asked(request, PredictRequest, predict)

    @app.post(routes.predict, response_model=PredictResponse, responses=REFUSALS, openapi_extra=body_of)
    async def vertex_predict(request: Request) -> Response:
        """Vertex AI: as KServe v1."""
        return await asked(request, PredictRequest, predict)

    @app.post(
        f"/v2/models/{MODEL}/infer", response_model=InferResponse, responses=REFUSALS, openapi_extra=described("InferRequest")
    )
    async def kserve_infer(request: Request) -> Response:
        """KServe v2, the Open Inference Protocol: tensors in, tensors out."""
        return await asked(request, InferRequest, infer)

    add_facts(app, predictor, routes)
    add_pages(app, metrics)
    return app


def as_tensors(form: InferRequest, predictions: list[Prediction]) -> InferResponse:
    """Returns answers as v2 has them."""
    rows = [len(predictions)]
    outputs = [
        Tensor(name=name, shape=rows, datatype=kind, data=[getattr(each, name) for each in predictions])
        for name, kind in (("days", "FP64"), ("raw_days", "FP64"), ("calibration", "BYTES"))
    ]
    return InferResponse(model_name=MODEL, id=form.id, outputs=outputs)


def add_facts(app: FastAPI, predictor: Predictor, routes: Routes) -> None:
    """Adds what says that the server is there, and what it serves."""

    async def healthy() -> dict[str, str]:
        """The server is there, and its models are loaded."""
        return {"status": "ok", "run": predictor.bundle.name}

    for path in sorted({"/healthz", routes.health}):
        app.get(path)(healthy)

    @app.get("/v1/models")
    async def models() -> dict[str, list[str]]:
        """KServe v1: the names of models."""
        return {"models": [MODEL]}

    @app.get(f"/v1/models/{MODEL}")
    async def ready() -> Ready:
        """KServe v1: the model can be asked."""
        return Ready(name=MODEL)

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        """KServe v2: the server."""
        return {"name": "verdelta", "version": "1", "extensions": []}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """KServe v2: the server is there."""
        return {"live": True}

    @app.get("/v2/health/ready")
    @app.get(f"/v2/models/{MODEL}/ready")
    async def ready_now() -> dict[str, bool]:
        """KServe v2: the model can be asked."""
        return {"ready": True}

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
        400: "not JSON, or cut off",
        403: "an address in a bucket, which this server does not read",
        408: "the body came too slowly",
        413: "too large, or too many photos",
        415: "not application/json",
        422: "not of this form, or a photo that cannot be decoded",
        502: "a bucket that cannot be read",
        503: "too many requests at a time",
        504: "too slow to answer",
    }.items()
}


def described(form: str) -> dict[str, Any]:
    """Returns what OpenAPI says of a body that the route reads itself."""
    schema = {"$ref": f"#/components/schemas/{form}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def published(app: FastAPI) -> dict[str, Any]:
    """Returns the description of the interface, the forms of bodies included."""
    found = get_openapi(
        title="verdelta", version="1", routes=app.routes, description="How many days lie between photos of a plant."
    )
    forms = [(form, "validation") for form in (PredictRequest, InferRequest, Instance)]
    _, schemas = models_json_schema(forms, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    found.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
    return found
