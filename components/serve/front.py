"""Stands before the application: lets a request's body in, answers what was asked before, and says of every answer what came.

Plain ASGI, as a middleware of Starlette's own kind takes longer for each request than all of this.
"""

import dataclasses
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.serve.limits import Gate, RefusedError
from components.serve.metrics import Metrics
from components.serve.models.predictor import digest_of

HEADERS = {  # of every answer: a page loads and sends nothing elsewhere
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
MOST_ANSWERS, MOST_ANSWER_BYTES = 10_000, 16 * 2**20
BROKEN = "the server failed; its log says more"
log = logging.getLogger("verdelta.serve")
Answering = Callable[[Request, bytes], Awaitable[Response]]  # a request and its body


class Answers:
    """Answers by the digest of what was asked; what was used longest ago goes where they become too many."""

    def __init__(self, most: int = MOST_ANSWERS, most_bytes: int = MOST_ANSWER_BYTES) -> None:
        self.most, self.most_bytes, self.bytes = most, most_bytes, 0
        self.kept: OrderedDict[str, list[Message]] = OrderedDict()

    def recall(self, asked: str) -> list[Message] | None:
        """Returns an answer that is kept, or None."""
        if asked in self.kept:
            self.kept.move_to_end(asked)
        return self.kept.get(asked)

    def keep(self, asked: str, answer: list[Message]) -> None:
        """Keeps an answer for the next time."""
        self.bytes += size_of(answer) - size_of(self.kept.get(asked, []))
        self.kept[asked] = answer
        while len(self.kept) > self.most or self.bytes > self.most_bytes:
            self.bytes -= size_of(self.kept.popitem(last=False)[1])


def size_of(answer: list[Message]) -> int:
    """Returns the bytes of an answer's body."""
    return sum(len(message.get("body", b"")) for message in answer)


@dataclasses.dataclass
class Turn:
    """One request on its way: the size and digest of its body, and the status of its answer, once it has one."""

    size: int = 0
    digest: str = "-"
    status: int = 0


class Front:
    """An application, and what is done before and after it.

    Attributes:
        app: what answers all other requests.
        asking: by path, what answers those that have a body, which the gate lets in; FastAPI's own way there takes longer than
            all that is here.
        answers: those that are given again; None where the same question may have another answer later.
    """

    def __init__(
        self, app: ASGIApp, gate: Gate, metrics: Metrics, asking: Mapping[str, Answering], answers: Answers | None
    ) -> None:
        self.app, self.gate, self.metrics, self.asking, self.answers = app, gate, metrics, asking, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers; of what was sent, the log has its size and digest alone."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, turn = time.monotonic(), Turn()

        def tell() -> None:
            route = str(getattr(scope.get("route"), "path", scope["path"] if scope["path"] in self.asking else "none"))
            seconds = time.monotonic() - begun
            self.metrics.count(route, turn.status, seconds)
            log.info(
                "%s %s %d %.0f ms, %d bytes %s",
                scope["method"], route, turn.status, 1000 * seconds, turn.size, turn.digest[:16],
            )  # fmt: skip

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                turn.status = message["status"]
                message = {**message, "headers": [*message["headers"], *RAW_HEADERS]}
            elif not message.get("more_body"):
                tell()  # before whoever asked has the answer's end, so that what they look at then knows of it
            await send(message)

        try:
            if "\n" in scope["path"]:  # a route matches a path whose last sign is a line's end, and the gate does not know it
                raise RefusedError(404, "Not Found")
            if scope["method"] == "POST" and scope["path"] in self.asking:
                await self.asked(scope, receive, sending, turn)
            else:
                await self.app(scope, receive, sending)
        except RefusedError as error:
            await refusal(error)(scope, receive, sending)
        except Exception as error:  # its text may hold what was sent
            log.error("%s", type(error).__name__)
            if not turn.status:
                await refusal(RefusedError(500, BROKEN))(scope, receive, sending)

    async def asked(self, scope: Scope, receive: Receive, send: Send, turn: Turn) -> None:
        """Answers a request that has a body.

        Raises:
            RefusedError: as `Gate.body`.
        """
        request = Request(scope, receive)
        async with self.gate.body(request) as body:
            turn.size, turn.digest = len(body), digest_of(body)
            read_as = [request.headers.get(name) for name in ("content-type", "inference-header-content-length")]
            question = digest_of(repr((scope["path"], *read_as, turn.digest)).encode())
            answer = self.answers.recall(question) if self.answers else None
            if answer is None:
                answer = await self.answer_of(request, body)
                if self.answers and answer[0]["status"] == 200:
                    self.answers.keep(question, answer)
            else:
                self.metrics.again.inc()
            for message in answer:
                await send(message)

    async def answer_of(self, request: Request, body: bytes) -> list[Message]:
        """Returns what is said to a body that has been read; raises as the answering function, but for malformed bodies."""
        answer: list[Message] = []

        async def send(message: Message) -> None:
            answer.append(message)

        try:
            response = await self.asking[request.scope["path"]](request, body)
        except ValidationError as error:
            response = malformed(error)
        await response(request.scope, request.receive, send)
        return answer


def malformed(error: ValidationError) -> JSONResponse:
    """Returns what is said of a body of another form: the place, and nothing of what is there."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"][:4])) or "the body"
    return JSONResponse({"error": f"{place}: {first['msg']}"}, 400 if first["type"] == "json_invalid" else 422)


def refusal(error: RefusedError) -> JSONResponse:
    """Returns what is said of a request that is refused."""
    again = {"Retry-After": "1"} if error.status == 503 else {}
    closing = {"Connection": "close"} if error.status in (400, 408, 413, 415, 503) else {}  # a body may still be coming
    return JSONResponse({"error": error.reason}, error.status, again | closing)
