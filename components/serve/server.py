"""Runs the server until it is told to stop; requests that have begun are answered first."""

import argparse
import logging

import uvicorn

from components.serve.app import Routes, create_app
from components.serve.models.bundle import Bundle
from components.serve.models.predictor import Predictor
from components.serve.options import limits_of

CONNECTIONS = 2000  # at a time; those above it get status 503 at once
STOPPING_SECONDS = 30  # which Kubernetes gives, too


def run_server(bundle: Bundle, arguments: argparse.Namespace, routes: Routes | None = None) -> int:
    """Loads the models and serves them; returns the exit status.

    Raises:
        ValueError: a limit or a model that cannot be.
        FileNotFoundError: a model is missing.
    """
    limits = limits_of(arguments)
    predictor = Predictor(bundle, limits.pixels)
    app = create_app(predictor, limits, allow_gcs=arguments.allow_gcs, routes=routes)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    print(f"{bundle.name}: {len(bundle.models)} models, at http://{arguments.address}:{arguments.port}", flush=True)
    # uvicorn's own line for a request holds what was asked for
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=arguments.address,
            port=arguments.port,
            log_config=None,
            log_level="warning",
            access_log=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOPPING_SECONDS,
            server_header=False,
        )
    )
    server.run()
    return 0 if server.started else 1
