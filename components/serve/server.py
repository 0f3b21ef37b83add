"""Runs the server until it is told to stop; requests that have begun are answered first."""

import argparse
import logging

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from components.serve.app import Routes, create_app
from components.serve.models.bundle import Bundle
from components.serve.models.predictor import Predictor
from components.serve.options import limits_of

CONNECTIONS = 2000  # at a time; those above it get status 503 at once
STOPPING_SECONDS = 30  # which Kubernetes gives, too
MOST_HEAD_BYTES = 64 * 1024  # of a request's line and headers


class Protocol(HttpToolsProtocol):
    """HTTP read by a C library, which alone would take headers without an end."""

    head_bytes = header_bytes = 0  # of a head that is not complete yet; of its complete headers

    def on_message_begin(self) -> None:
        """Begins to count."""
        super().on_message_begin()
        self.head_bytes, self.header_bytes = 1, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; raises ValueError, which is answered with status 400, where they are too long together."""
        self.header_bytes += len(name) + len(value)
        if self.header_bytes > MOST_HEAD_BYTES:
            raise ValueError("headers too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Ends to count."""
        self.head_bytes = 0
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Takes what came."""
        if self.head_bytes and b"\r\n\r\n" not in data:  # else what follows the head is no part of it
            self.head_bytes += len(data)
        if self.head_bytes > MOST_HEAD_BYTES:
            self.send_400_response("headers too large")
            return
        super().data_received(data)


def run_server(bundle: Bundle, arguments: argparse.Namespace, routes: Routes | None = None) -> int:
    """Loads the models and serves them; returns the exit status.

    Raises:
        ValueError: a limit or a model that cannot be.
        FileNotFoundError: a model is missing.
    """
    limits = limits_of(arguments)
    predictor = Predictor(bundle, limits.pixels, limits.known_bytes)
    app = create_app(predictor, limits, allow_gcs=arguments.allow_gcs, routes=routes)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    print(f"{bundle.name}: {len(bundle.models)} models, at http://{arguments.address}:{arguments.port}", flush=True)
    # uvicorn's own line for a request holds what was asked for
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            host=arguments.address,
            port=arguments.port,
            log_config=None,
            log_level="warning",
            access_log=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOPPING_SECONDS,
            server_header=False,
            proxy_headers=False,  # nothing here asks where a request comes from
        )
    )
    server.run()
    return 0 if server.started else 1
