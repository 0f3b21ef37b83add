"""A Docker engine and the stages' images, built from the real Dockerfiles."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import docker
import pytest

from components.images import ROOT, SERVER, image_for
from components.settings import STAGES
from launch.backends.local.isolation.containers import require_images


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A client of an engine that has every stage's image; without an engine the tests are skipped, in CI they fail."""
    try:
        client = docker.from_env(timeout=120)
    except docker.errors.DockerException as error:
        if os.environ.get("VERDELTA_REQUIRE_CONTAINERS"):
            raise
        pytest.skip(f"no Docker engine: {error}")
    try:
        require_images(client, map(image_for, (*STAGES, SERVER)))
    except ValueError:  # an image that is there is made from this code: its tag says so
        subprocess.run([sys.executable, "-m", "launch.backends.cluster.build_images"], cwd=ROOT, check=True)
    yield client
    client.close()


@pytest.fixture
def containers_with(engine: docker.DockerClient) -> Callable[[str], list[str]]:
    """Returns a function that gives the states of the containers, ended ones too, whose command holds a text.

    Other tests may be running containers of the same image meanwhile.
    """

    def states(text: str) -> list[str]:
        found = engine.containers.list(all=True, ignore_removed=True)
        return [each.status for each in found if any(text in part for part in each.attrs["Config"]["Cmd"] or ())]

    return states
