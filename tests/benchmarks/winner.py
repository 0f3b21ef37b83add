"""What the winner's recipe is asked to do enters, what it measured on its own libraries leaves."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from components.images import ROOT

PYTHON = ROOT / ".venv-parity/bin/python"


def run_peer(task: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Runs `peer.py TASK FOLDER --NAME VALUE ...` with the winner's libraries and returns its measurements.

    Raises:
        FileNotFoundError: the winner's libraries are not installed.
        subprocess.CalledProcessError: it failed; its own output says why.
    """
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON}: no such interpreter; run `make .venv-parity`, which needs Python 3.11.")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [PYTHON, ROOT / "tests/benchmarks/peer.py", task, folder, *flags]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
