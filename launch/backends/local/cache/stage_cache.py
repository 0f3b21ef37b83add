"""The cache of a local run: kfp.local's, whose hits are trusted only where their files hold what the stage wrote."""

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contract.verified import ChangedError, content_of
from launch.runs.dag.kfp_internals import LocalCache

FINGERPRINT = "files"
CHECKPOINT_MINUTES = "checkpoint_minutes"  # train's
DAMAGED = "damaged"
GONE = "deleted or changed while the run was using it. Repeat the command: what is missing is made anew."


class StageCache(LocalCache):
    """A cache whose hits still hold what the stage wrote.

    kfp asks only whether an output's path exists, so a folder that someone emptied, or a file that someone edited, would be
    a hit. Here a hit also needs every file to be what it was, byte for byte, whenever it was last written, and that what can
    change a result is as it was. What a stage reads is told by its content: an artifact that was damaged and made anew, equal to
    the byte, in another run's folder, has no stage after it executed again.

    Attributes:
        instead: image to what stands in the key in place of it.
        say: is told of what is no hit because it was changed.
    """

    def __init__(
        self, cache_root: str, instead: Mapping[str, str] | None = None, say: Callable[[str], None] = logging.warning
    ) -> None:
        super().__init__(cache_root)
        self.instead, self.say = instead or {}, say

    def compute_key(
        self, component_name: str, image: str, full_command: list[str], arguments: dict[str, Any], *rest: Any, **named: Any
    ) -> str:
        """As kfp's, without what changes no result: checkpoints, and where artifacts lie."""
        arguments = {name: by_content(value) for name, value in arguments.items() if name != CHECKPOINT_MINUTES}
        return super().compute_key(component_name, self.instead.get(image, image), full_command, arguments, *rest, **named)

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Stores the outputs of a stage that has succeeded; it hashed them itself, so its manifests are believed."""
        super().put(key, {**outputs, FINGERPRINT: fingerprint(outputs, verify=False)})

    def get(self, key: str) -> dict[str, Any] | None:
        """Returns the outputs stored under `key`, or None where there are none or their files have changed."""
        outputs = super().get(key)
        if outputs is None:
            return None
        stored = outputs.pop(FINGERPRINT, None)
        try:
            places = ", ".join(each.path for each in outputs.values() if isinstance(each, dsl.Artifact))
            changed = "" if fingerprint(outputs, verify=True) == stored else f"{places}: changed since it was cached."
        except (ChangedError, OSError) as error:
            changed = str(error)
        if changed:
            self.say(f"not taken from the cache, but executed again: {changed}")
        return None if changed else outputs


def by_content(value: Any) -> Any:
    """Returns what stands in the key for an argument of a stage; its manifest is believed, as by `content_of_uri`.

    An artifact that cannot be told by its content, as its manifest is damaged, is told by its URI: the stage will refuse it.
    """
    if isinstance(value, list):
        return [by_content(each) for each in value]
    if not isinstance(value, dsl.Artifact) or not Path(value.path).exists():
        return value
    try:
        return {"content": content_of_uri(value.path), "type": value.schema_title, "metadata": value.metadata}
    except (ChangedError, OSError):
        return value


def input_contents(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Returns a digest of each artifact that a stage is given, by its path: DAMAGED in place of one, "" where it is gone."""
    values = [each for value in arguments.values() for each in (value if isinstance(value, list) else [value])]
    found = dict.fromkeys([each.path for each in values if isinstance(each, dsl.Artifact)], "")
    for path in filter(os.path.exists, found):
        try:
            found[path] = content_of_uri(path)
        except (ChangedError, OSError):  # which the stage will refuse
            found[path] = DAMAGED
    return found


def fingerprint(outputs: Mapping[str, Any], *, verify: bool) -> str:
    """Returns a digest of the content of all outputs; raises as `content_of`."""
    digest = hashlib.sha256()
    for name, artifact in sorted(outputs.items()):
        if isinstance(artifact, dsl.Artifact):
            digest.update(f"{name}\0{content_of(Path(artifact.path), verify=verify)}\0".encode())
    return digest.hexdigest()


def content_of_uri(uri: str) -> str:
    """Returns a digest of the artifact at a path: run folders can be deleted, and made anew under the same name.

    Its manifest is believed: the stage that reads a file verifies it.
    """
    return content_of(Path(uri), verify=False)
