"""Stages of a local run as containers: an image, a command and folders go in, lines and an exit status come out.

Stands in for kfp's own way to run a container, which lets the engine remove it as soon as it ends and takes one that is gone
for one that succeeded: of 100 containers that fail at once it reported 5 as successes. Here a container is created, started,
followed, waited for, looked at and only then removed.
"""

import codecs
import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.settings import CHECKPOINT_NAMES
from components.storage import GS
from launch.processes import STOPPED, RunningStages

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

EMULATOR = "STORAGE_EMULATOR_HOST"
CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
DEFAULT_CREDENTIALS = Path("~/.config/gcloud/application_default_credentials.json")
ENGINE_TIMEOUT_SECONDS = 120  # of one answer of the engine, which is slow while it unpacks an image


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a container sees of this machine.

    Attributes:
        user: "uid:gid" of its process; empty for the image's own user.
        readable: files and folders it may read, at the paths that they have here.
        writable: folders it may write to, at the paths that they have here.
        network: the engine's network mode; "none" but for a stage that fetches something.
        environment: variables on top of the image's.
        memory_bytes: above this it is killed; None for no limit.
    """

    user: str
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    network: str
    environment: Mapping[str, str]
    memory_bytes: int | None = None


class RunningContainer:
    """A container that can be told to end, from any thread."""

    def __init__(self, container: "Container") -> None:
        self.container = container

    def kill(self, number: signal.Signals) -> None:
        """As `launch.processes.Running`; a container that has ended is left as it is."""
        import docker

        with contextlib.suppress(docker.errors.APIError):
            self.container.kill(signal=number.name)


def connect() -> "docker.DockerClient":
    """Returns a client of the engine that DOCKER_HOST or the current context's default socket leads to.

    Raises:
        ValueError: Docker's SDK is not installed, or no engine answers.
    """
    try:
        import docker

        client = docker.from_env(timeout=ENGINE_TIMEOUT_SECONDS)
    except ImportError as error:
        raise ValueError("--runner docker needs Docker's SDK: install the packages of requirements/laptop.txt.") from error
    except docker.errors.DockerException as error:
        raise ValueError(
            f"--runner docker: no Docker engine answers ({error}). Start it, see that you may use it (`docker info`), "
            "or run with --runner subprocess."
        ) from error
    return client


def require_images(client: "docker.DockerClient", images: Iterable[str]) -> None:
    """Raises ValueError where the engine lacks one of `images`: they are made from this code, so there is nothing to pull."""
    here = {tag for image in client.images.list() for tag in image.tags}
    missing = sorted(set(images) - here)
    if missing:
        raise ValueError(
            f"--runner docker: {len(missing)} images are not on this machine, such as {missing[0]}. "
            "Their tags are made from this code, so build them: make images"
        )


def run_container(
    client: "docker.DockerClient",
    stages: RunningStages,
    image: str,
    command: Sequence[str],
    place: Place,
    on_line: Callable[[str], None],
) -> tuple[int, bool]:
    """Runs `command` in a container of `image` to its end and gives each line it writes to `on_line`.

    The container has no privilege, its files are read-only but for `place.writable`, and it is removed in any case.

    Returns:
        The exit status, 128 + n for signal n, and whether a process in it asked for more memory than there was.

    Raises:
        docker.errors.DockerException: the engine refused, or went away.
        OSError: `on_line` could not write a line.
    """
    import docker

    if stages.stopped_by:
        return STOPPED, False
    mounts = [docker.types.Mount(path, path, type="bind", read_only=True) for path in place.readable]
    mounts += [docker.types.Mount(path, path, type="bind") for path in place.writable]
    container = client.containers.create(
        image,
        list(command),
        entrypoint=[],  # an image's own would get the command as its arguments
        user=place.user or None,
        mounts=mounts,
        network_mode=place.network,
        environment=dict(place.environment),
        mem_limit=place.memory_bytes,
        memswap_limit=place.memory_bytes,  # no swap on top of it
        read_only=True,
        init=True,  # a shell that is process 1 would not hear SIGTERM
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", "label=disable"],  # SELinux would deny the folders of the run
    )
    try:
        # not its log, which keeps a progress bar back until it ends with a newline; before the start, so that nothing is missed
        output = container.attach(stream=True)
        container.start()
        with stages.keep(RunningContainer(container)):
            for line in lines(output):
                on_line(line)
            status = container.wait()["StatusCode"]
        container.reload()
        return status, bool(container.attrs["State"]["OOMKilled"])
    finally:
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yields the lines of a stream that comes in pieces; a progress bar's carriage returns end lines too."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    text = ""
    for chunk in chunks:
        *whole, text = (text + decoder.decode(chunk)).split("\n")
        yield from whole
    if text:
        yield text


def container_user(client: "docker.DockerClient", image: str) -> tuple[int, int]:
    """Returns the (uid, gid) for a container of `image`: the caller's; where that is root, the image's own, which is not."""
    if os.getuid():
        return os.getuid(), os.getgid()
    user, _, group = client.images.get(image).attrs["Config"]["User"].partition(":")
    return int(user or 0), int(group or user or 0)


def readable_paths(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the paths on this machine that a stage is given: its input artifacts', and parameters that are absolute paths."""
    values = [each for value in inputs.values() for each in (value if isinstance(value, list) else [value])]
    paths = [getattr(value, "path", value) for value in values]
    return tuple(sorted({path for path in paths if isinstance(path, str) and path.startswith("/") and Path(path).exists()}))


def fetching(inputs: Mapping[str, Any]) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """Returns (network mode, environment, readable paths) for what a stage has to fetch; ("none", {}, ()) where it is nothing.

    A stage fetches what is given as gs://, with the credentials of this machine, and a checkpoint that is given by name.
    """
    from_gcs = any(isinstance(value, str) and value.startswith(GS) for value in inputs.values())
    if not from_gcs and inputs.get("checkpoint", "none") not in set(CHECKPOINT_NAMES) - {"none"}:
        return "none", {}, ()
    environment = {name: os.environ[name] for name in (EMULATOR, "GOOGLE_CLOUD_PROJECT") if name in os.environ}
    credentials = Path(os.environ.get(CREDENTIALS) or DEFAULT_CREDENTIALS.expanduser()).absolute()
    readable = (str(credentials),) if from_gcs and credentials.is_file() else ()
    if readable:
        environment[CREDENTIALS] = readable[0]
    # an emulator listens on this machine's loopback, which only the host's own network reaches
    return "host" if EMULATOR in environment else "bridge", environment, readable
