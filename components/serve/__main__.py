"""The server in its image: `python -m components.serve [--model DIR_OR_GS]`.

KServe mounts the model at /mnt/models; Vertex AI says in AIP_STORAGE_URI where its copy lies, and in AIP_HTTP_PORT,
AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE where it will ask.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from components.serve.app import Routes
from components.serve.models.bundle import read_bundle
from components.serve.options import add_server_flags
from components.serve.server import run_server

MOUNTED = "/mnt/models"


def main() -> int:
    """Serves, and returns the exit status."""
    given = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m components.serve", description="Serves the models of a published run.")
    place = given("AIP_STORAGE_URI") or MOUNTED
    parser.add_argument("--model", default=place, metavar="DIR_OR_GS", help=f"what publish wrote (here: {place})")
    add_server_flags(parser, "0.0.0.0", int(given("AIP_HTTP_PORT", "8080")))
    arguments = parser.parse_args()
    routes = Routes(given("AIP_HEALTH_ROUTE", Routes.health), given("AIP_PREDICT_ROUTE", Routes.predict))
    try:
        with tempfile.TemporaryDirectory(prefix="verdelta-serve-") as scratch:  # a gs:// address is copied there
            return run_server(read_bundle(arguments.model, Path(scratch)), arguments, routes)
    except (ValueError, OSError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
