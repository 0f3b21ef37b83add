"""The compiled pipeline for every target and accelerator, as tests/golden/ keeps it for review.

python tests/support/golden_files.py     writes the files anew; look at what changed before you commit it
"""

import functools
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from launch.cli.main import main  # noqa: E402
from pipeline import verdelta  # noqa: E402

GOLDEN = ROOT / "tests/golden"
REGISTRY = "europe-docker.pkg.dev/project/repository"
CASES = [(target, accelerator) for target in ("kubeflow", "vertex") for accelerator in ("none", "gpu", "tpu")]


def golden_file(target: str, accelerator: str) -> Path:
    """Where the compiled pipeline of one case is kept."""
    return GOLDEN / f"{target}-{accelerator}.yaml"


@functools.cache
def compiled_text(target: str, accelerator: str, *flags: str) -> str:
    """The file that `compile` writes; AssertionError where it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "verdelta.yaml")
        fixed = ["--target", target, "--accelerator", accelerator, "--registry", REGISTRY, "--output", str(output)]
        assert main(verdelta, ["compile", *fixed, *flags]) == 0
        return output.read_text(encoding="utf-8")


def compiled(target: str, accelerator: str, *flags: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline spec and the Kubernetes executors' settings (none for Vertex) of what `compile` writes."""
    spec, *platform = yaml.load_all(compiled_text(target, accelerator, *flags), yaml.CSafeLoader)
    return spec, platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platform else {}


def without_tags(text: str) -> str:
    """The text with zeros for content tags, which change with each edit of the code."""
    return re.sub(r"(verdelta-[a-z-]+):[0-9a-f]{16}\b", r"\1:0000000000000000", text)


if __name__ == "__main__":
    for case in CASES:
        golden_file(*case).write_text(without_tags(compiled_text(*case)), encoding="utf-8")
