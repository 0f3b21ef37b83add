"""Decides what a container sees of this machine: user, paths, network and credentials."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract import schema
from components.network.settings import CHECKPOINT_NAMES
from components.raw.layout import PHOTO_PARTS
from components.raw.source import GS
from components.raw.storage import locate_raw

if TYPE_CHECKING:
    import docker

EMULATOR = "STORAGE_EMULATOR_HOST"
CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
DEFAULT_CREDENTIALS = Path("~/.config/gcloud/application_default_credentials.json")
RAW_NAMES = (schema.TRAIN_FOLDER, schema.TEST_FOLDER, schema.SAMPLE_SUBMISSION_CSV)
SECRET = "/dev/shm/credentials.json"  # where a container has a secret, in its memory
MOST_LINKS = 1000  # each is a mount of its own, which costs milliseconds


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a container sees of this machine."""

    user: str  # "uid:gid" of its process; empty for the image's own user
    groups: tuple[int, ...] = ()  # ids of the groups it belongs to besides
    readable: Mapping[str, str]  # files and folders it may read, path in the container to path here
    writable: tuple[str, ...]  # folders it may write to, at the paths that they have here
    network: str  # the engine's network mode; "none" but for a stage that fetches something
    environment: Mapping[str, str]  # variables on top of the image's
    memory_bytes: int | None = None  # above this it is killed; None for no limit
    secret: str = field(default="", repr=False)  # a line that the container alone gets to see, at SECRET
    run: str = ""  # the folder of the run that it is of


def place_of(
    client: "docker.DockerClient", image: str, inputs: Mapping[str, Any], environment: Mapping[str, str], **more: Any
) -> Place:
    """Returns what a container of `image` sees that is given `inputs`; `more` is of `Place`. Makes `writable` its user's."""
    uid, gid, groups = container_user(client, image)
    network, fetching_environment, credentials = fetching(inputs)
    readable, secret = readable_paths(inputs), secret_for(credentials, uid)
    if credentials:
        fetching_environment[CREDENTIALS] = SECRET if secret else str(credentials)
        readable |= {} if secret else {str(credentials): str(credentials)}
    for folder in more["writable"]:
        if os.getuid() == 0:  # root's containers are not root, and yet have to write there
            os.chown(folder, uid, gid)
    given = {**fetching_environment, **environment}
    return Place(user=f"{uid}:{gid}", groups=groups, readable=readable, network=network, environment=given, secret=secret, **more)


def container_user(client: "docker.DockerClient", image: str) -> tuple[int, int, tuple[int, ...]]:
    """Returns (uid, gid, further groups) for a container of `image`: the caller's; where that is root, the image's own.

    An engine without root maps the caller to root in its containers, and every other user to nobody that files belong to.
    """
    if "name=rootless" in (client.info().get("SecurityOptions") or ()):
        return 0, 0, ()
    if os.getuid():
        return os.getuid(), os.getgid(), tuple(os.getgroups())
    user, _, group = client.images.get(image).attrs["Config"]["User"].partition(":")
    return int(user or 0), int(group or user or 0), ()


def readable_paths(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Returns what a stage is given of this machine, path in the container to path here; raises as `linked_places`.

    That is its input artifacts, parameters that are absolute paths, and what the links of a raw folder lead to.
    """
    values = [each for value in inputs.values() for each in (value if isinstance(value, list) else [value])]
    paths = [getattr(value, "path", value) for value in values]
    found = {path: path for path in paths if isinstance(path, str) and path.startswith("/") and Path(path).exists()}
    return found | linked_places(inputs.get("raw", ""))


def linked_places(raw: str) -> dict[str, str]:
    """Returns what the links of a raw folder lead to outside of it: the path that a container looks for to the path here.

    Links are followed that are folders of a split, a species or a series, photos, or tables. The two paths differ where a link
    leads through another one, which is not in the container.

    Raises:
        ValueError: links that cannot be followed in a container.
    """
    if not raw or raw.startswith(GS) or not Path(raw).is_dir():
        return {}
    root = locate_raw(raw)
    found = {root: root}
    folders = [(Path(root), Path(root))]  # in the container, here
    for depth in range(PHOTO_PARTS):
        inner = []
        for there, here in folders:
            for entry in os.scandir(here):
                if entry.name.startswith(".") or (depth == 0 and entry.name not in RAW_NAMES):
                    continue
                inside, real = there / entry.name, here / entry.name
                if entry.is_symlink():
                    if not (real := Path(os.path.realpath(real))).exists():  # leads nowhere, or in a circle
                        continue
                    inside = Path(os.path.normpath(there / Path(entry.path).readlink()))
                    if not already_seen(inside, real, found, entry.path):
                        found[str(inside)] = str(real)
                if depth < PHOTO_PARTS - 1 and entry.is_dir() and os.access(real, os.R_OK | os.X_OK):
                    inner.append((inside, real))
        folders = inner
    del found[root]
    if len(found) > MOST_LINKS:
        raise ValueError(
            f"--runner docker: {raw} holds {len(found)} links to files or folders elsewhere, and at most {MOST_LINKS} "
            "can be made to work in a container. Link folders in place of photos, copy the photos, or use --runner subprocess."
        )
    return found


def already_seen(inside: Path, real: Path, found: Mapping[str, str], link: str) -> bool:
    """Whether a container with the folders `found` finds `real` at `inside`. Raises ValueError: it finds something else there."""
    above = next((parent for parent in (inside, *inside.parents) if str(parent) in found), None)
    if above is None:
        return False
    if Path(found[str(above)]) / inside.relative_to(above) != real:
        raise ValueError(
            f"--runner docker: {link} leads to {inside}, which is or lies behind another link, and a container cannot follow "
            f"both. Make it a link to {real}, or run with --runner subprocess."
        )
    return True


def fetching(inputs: Mapping[str, Any]) -> tuple[str, dict[str, str], Path | None]:
    """Returns (network mode, environment, credentials) for what a stage has to fetch; ("none", {}, None) where it is nothing.

    A stage fetches what is given as gs://, with the credentials of this machine, and a checkpoint that is given by name.
    """
    from_gcs = any(isinstance(value, str) and value.startswith(GS) for value in inputs.values())
    if not from_gcs and inputs.get("checkpoint", "none") not in set(CHECKPOINT_NAMES) - {"none"}:
        return "none", {}, None
    environment = {name: os.environ[name] for name in (EMULATOR, "GOOGLE_CLOUD_PROJECT") if name in os.environ}
    credentials = Path(os.environ.get(CREDENTIALS) or DEFAULT_CREDENTIALS.expanduser()).absolute()
    # an emulator listens on this machine's loopback, which only the host's own network reaches
    network = "host" if EMULATOR in environment else "bridge"
    return network, environment, credentials if from_gcs and credentials.is_file() else None


def secret_for(credentials: Path | None, uid: int) -> str:
    """Returns the credentials, on one line as JSON can be, for a container whose user cannot read their file; else nothing.

    They are for their owner's eyes, and root's containers are not root. A copy of the file could outlive the run.
    """
    if credentials is None or os.getuid() or uid == 0:
        return ""
    return " ".join(credentials.read_text(encoding="utf-8").splitlines())
