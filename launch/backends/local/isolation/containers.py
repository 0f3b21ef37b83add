"""Runs a stage as a container of this machine's engine, and never takes one that failed for one that succeeded.

Stands in for kfp's own way to run a container, which lets the engine remove it as soon as it ends and takes one that is gone
for one that succeeded: of 100 containers that fail at once it reported 5 as successes. Here a container is created, started,
followed, waited for, looked at and only then removed.
"""

import codecs
import contextlib
import functools
import io
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from launch.backends.local.isolation.places import SECRET, Place
from launch.backends.local.isolation.processes import GUARD, STOPPED, RunningStages

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

ENGINE_TIMEOUT_SECONDS = 120  # of one answer of the engine, which is slow while it unpacks an image
RUN_LABEL = "verdelta.run"  # of a container: the folder of the run that it is a stage of
KFP_SHELL, KFP_PYTHON = (
    "_KFP_RUNTIME=true python3 ",
    "_KFP_RUNTIME=true exec python3 ",
)  # a shell would end at SIGTERM before its stage
# Takes the credentials from standard input into the container's memory, where nothing outlives it.
TAKE_SECRET = f"""umask 077; IFS= read -r secret && printf %s "$secret" > {SECRET}; unset secret
"""
# Runs the stage, hands SIGTERM on to it, and ends with its status; or as if killed, if the kernel killed a process of the
# container for want of memory: the engine hears of that by a message which the container's end may overtake, and is then lost.
FOLLOW = """"$@" 3<&- & stage=$!
trap 'kill -s TERM $stage' TERM
while wait $stage; status=$?; kill -s 0 $stage 2>/dev/null; do :; done
grep -qs '^oom_kill [1-9]' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control && exit 137
exit $status
"""


def kill_container(container: "Container", number: signal.Signals) -> None:
    """Sends a signal to a container, from any thread; one that has ended is left as it is."""
    import docker

    with contextlib.suppress(docker.errors.APIError, OSError):  # which requests raises
        container.kill(signal=number.name)


def connect() -> "docker.DockerClient":
    """Returns a client of the engine of DOCKER_HOST, or of the current context's socket. Raises ValueError: no engine answers."""
    import docker

    try:
        return docker.from_env(timeout=ENGINE_TIMEOUT_SECONDS)
    except docker.errors.DockerException as error:
        raise ValueError(
            f"--runner docker: no Docker engine answers ({error}). Start it, see that you may use it (`docker info`), "
            "or run with --runner subprocess."
        ) from error


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
        docker.errors.DockerException: the engine refused.
        OSError: the engine does not answer, or went away; or `on_line` could not write a line.
    """
    import docker

    if stages.stopped_by:
        return STOPPED, False
    mounts = [docker.types.Mount(path, here, type="bind", read_only=True) for path, here in place.readable.items()]
    mounts += [docker.types.Mount(path, path, type="bind") for path in place.writable]
    guarded = ["sh", "-c", (TAKE_SECRET if place.secret else "") + GUARD + FOLLOW, "sh"]
    container = client.containers.create(
        image,
        [*guarded, *(part.replace(KFP_SHELL, KFP_PYTHON) for part in command)],
        labels={RUN_LABEL: place.run},
        stdin_open=True,  # which the engine closes when this process is gone
        entrypoint=[],  # an image's own would get the command as its arguments
        user=place.user or None,
        group_add=list(place.groups),
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
        with contextlib.closing(container.attach_socket(params={"stdin": 1, "stream": 1})) as stdin:
            container.start()
            if place.secret:
                stdin._sock.sendall(place.secret.encode() + b"\n")
            with stages.keep(functools.partial(kill_container, container)):
                for line in lines(output):
                    on_line(line)
                status = container.wait()["StatusCode"]
        container.reload()
        return status, bool(container.attrs["State"]["OOMKilled"])
    finally:
        # what became of the stage is known, or on its way up: an engine that is slow or gone does not change it
        with contextlib.suppress(docker.errors.APIError, OSError):  # which requests raises
            container.remove(force=True)


def remove_abandoned(client: "docker.DockerClient", runs: Path, is_running: Callable[[Path], bool]) -> int:
    """Removes the containers of runs below `runs` that died, and returns how many there were."""
    import docker

    dead = [
        container
        for container in client.containers.list(all=True, ignore_removed=True, filters={"label": RUN_LABEL})
        if Path(container.labels[RUN_LABEL]).parent == runs and not is_running(Path(container.labels[RUN_LABEL]))
    ]
    for container in dead:
        with contextlib.suppress(docker.errors.APIError):  # another command removes it
            container.remove(force=True)
    return len(dead)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yields the lines of a stream that comes in pieces; a progress bar's carriage returns end lines too."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    text = ""
    for chunk in chunks:
        *whole, text = (text + decoder.decode(chunk)).split("\n")
        yield from whole
    if text:
        yield text
