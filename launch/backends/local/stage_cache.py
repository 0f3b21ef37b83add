"""The cache of a local run: kfp.local's, whose hits are trusted only where their files are as the stage left them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl

from launch.runs.dag.kfp_internals import LocalCache

FINGERPRINT = "files"
CHECKPOINT_MINUTES = "checkpoint_minutes"  # train's


class StageCache(LocalCache):
    """A cache whose hits still hold what the stage wrote.

    kfp asks only whether an output's path exists, so a folder that someone emptied, or a file that someone edited, would be
    a hit. Here a hit also needs every file to have the size and modification time it was left with, and, where a stage's process
    does not compute as its image does, that it was computed in that other way.

    Attributes:
        instead: image to what stands in the key in place of it.
    """

    def __init__(self, cache_root: str, instead: Mapping[str, str] | None = None) -> None:
        super().__init__(cache_root)
        self.instead = instead or {}

    def compute_key(
        self, component_name: str, image: str, full_command: list[str], arguments: dict[str, Any], *rest: Any, **named: Any
    ) -> str:
        """As kfp's, without what changes no result."""
        arguments = {name: value for name, value in arguments.items() if name != CHECKPOINT_MINUTES}
        return super().compute_key(component_name, self.instead.get(image, image), full_command, arguments, *rest, **named)

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Stores the outputs of a stage that has succeeded."""
        super().put(key, {**outputs, FINGERPRINT: fingerprint(outputs)})

    def get(self, key: str) -> dict[str, Any] | None:
        """Returns the outputs stored under `key`, or None where there are none or their files have changed."""
        outputs = super().get(key)
        if outputs is None or outputs.pop(FINGERPRINT, None) != fingerprint(outputs):
            return None
        return outputs


def fingerprint(outputs: dict[str, Any]) -> str:
    """Returns a hash of the name, size and modification time of every file in the outputs' paths."""
    digest = hashlib.sha256()
    for name, artifact in sorted(outputs.items()):
        if isinstance(artifact, dsl.Artifact):
            root = Path(artifact.path)
            for path in [root, *sorted(root.rglob("*"))]:
                if path.is_file():
                    stat = path.stat()
                    digest.update(f"{name}\0{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def content_of(uri: str) -> str:
    """Returns a fingerprint of the files at a path: run folders can be deleted, and made anew under the same name."""
    return fingerprint({"artifact": dsl.Artifact(uri=uri)})
