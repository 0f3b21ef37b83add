"""What runs on the user's machine: `cli` reads the command line, `backends` run a pipeline, `runs` knows what a run is."""

import importlib.metadata
import os
import re
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements/laptop.txt"
EVERYWHERE = re.compile(r"^([\w.-]+)==\S+ \\$", re.MULTILINE)  # a pin without a marker that keeps it to some machines
SHOWN = 3
KFP_RUNTIME = "_KFP_RUNTIME"  # set in a stage's process, by its command; kfp then imports none of its parts by itself


def refuse_another_python() -> None:
    """Ends the process with status 2 where this Python lacks packages of requirements/laptop.txt.

    To be called before they are imported. Metadata is asked, as the repository's folder docker/ passes for the package of that
    name where Docker's SDK is not installed, and kfp.local fails on it.
    """
    missing = [name for name in EVERYWHERE.findall(LOCK.read_text(encoding="utf-8")) if not is_installed(name)]
    if missing:
        some = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        print(
            f"ERROR: {sys.executable} lacks {len(missing)} of the packages in requirements/laptop.txt: {some}. Expected a Python "
            "of this repository's own: .venv/bin/python, which `make demo` sets up, or .venv-gpu/bin/python (`make gpu`).",
            file=sys.stderr,
        )
        sys.exit(2)


def is_installed(distribution: str) -> bool:
    """Returns whether this Python has a distribution, whatever its version."""
    return any(importlib.metadata.distributions(name=distribution))


def import_kfp_without_its_client() -> None:
    """Imports kfp as a stage does: its client, with Kubernetes's and Google's behind it, takes half a second of each command.

    To be called before anything else imports kfp. `from kfp import client`, or `dsl`, imports that part where it is needed.
    """
    os.environ[KFP_RUNTIME] = "true"
    try:
        import kfp  # noqa: F401
    finally:
        del os.environ[KFP_RUNTIME]  # else kfp.dsl, which is imported next, would be that of a stage
