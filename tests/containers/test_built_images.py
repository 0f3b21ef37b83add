"""What is in the images that `make images` builds, and what is not."""

import hashlib
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from components.images import ROOT, flavour_of, image_for, source_files
from components.settings import STAGES

LEFT_OUT = ("gcc", "cc", "make", "uv", "pip", "pip3")  # a compiler, and what installs packages
PYTHONS = ("/opt/venv/bin/python", "/usr/bin/python3", "/usr/local/bin/python3")  # the image's; the base's, where it has them
TEMPORARY = {"/tmp", "/var/tmp", "/run/lock"}  # for everybody, in Debian
OF_THE_LAUNCHER = {"/gcs", "/s3", "/minio"}
CACHES = ("*/.cache/*", "/var/cache/uv/*", "/var/cache/apt/archives/*.deb", "/var/lib/apt/lists/*Packages*")


def in_image(engine: docker.DockerClient, stage: str, command: str, user: str | None = None) -> list[str]:
    """The lines of a shell command in the image of `stage`."""
    output = engine.containers.run(image_for(stage), ["sh", "-c", command], remove=True, user=user)
    return output.decode().splitlines()


@pytest.mark.parametrize("stage", STAGES)
def test_an_image_holds_the_code_that_its_tag_is_a_hash_of_and_no_other(engine: docker.DockerClient, stage: str) -> None:
    lines = in_image(engine, stage, "cd /opt/verdelta && find . -type f -exec sha256sum {} +")
    found = {path.removeprefix("./"): digest for digest, path in (line.split() for line in lines)}
    code = {path for path in source_files(stage, flavour_of(stage)) if path.startswith("components/")}
    assert found == {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in code}


@pytest.mark.parametrize("stage", ["report", "train"])
def test_an_image_starts_as_a_user_who_is_not_root_and_owns_nothing(engine: docker.DockerClient, stage: str) -> None:
    identity, *owned = in_image(engine, stage, "id -u; find / -xdev -user $(id -u) 2>/dev/null; true")
    assert int(identity) > 0
    assert owned == []


@pytest.mark.parametrize("stage", ["report", "train"])
def test_its_user_can_write_to_temporary_folders_and_the_launchers_alone(engine: docker.DockerClient, stage: str) -> None:
    writable = set(in_image(engine, stage, "find / -xdev -writable ! -type l 2>/dev/null; true"))
    assert writable - TEMPORARY == OF_THE_LAUNCHER


@pytest.mark.parametrize("stage", ["report", "train"])
def test_no_compiler_no_installer_and_no_cache_is_left(engine: docker.DockerClient, stage: str) -> None:
    commands = in_image(engine, stage, f"for name in {' '.join(LEFT_OUT)}; do command -v $name; done; true")
    modules = in_image(
        engine,
        stage,
        f'for p in {" ".join(PYTHONS)}; do for m in pip ensurepip; do $p -c "import $m" 2>&- && echo $p $m; done; done; true',
    )
    named = " -o ".join(f"-path '{cache}'" for cache in CACHES)
    caches = in_image(engine, stage, f"find / -xdev -type f \\( {named} \\)", user="0")  # root looks everywhere
    assert (commands, modules, caches) == ([], [], [])


@pytest.mark.parametrize("stage", STAGES)
def test_all_code_in_an_image_finds_what_it_imports(engine: docker.DockerClient, stage: str) -> None:
    files = source_files(stage, flavour_of(stage))
    # a face runs in the image as text that KFP brings; the file is there as part of what the tag is made of
    modules = sorted(path[:-3].replace("/", ".") for path in files if path.endswith(".py") and not path.endswith("component.py"))
    assert in_image(engine, stage, f"python -c 'import {', '.join(modules)}; print({len(modules)})'") == [str(len(modules))]


@pytest.mark.parametrize("stage", ["report", "train"])
def test_the_packages_of_the_lock_are_there_in_its_versions(engine: docker.DockerClient, stage: str) -> None:
    list_all = "import importlib.metadata as m; [print(d.name.lower(), d.version) for d in m.distributions()]"
    found = dict(line.split() for line in in_image(engine, stage, f'python -c "{list_all}"'))
    assert {name: found.get(name) for name in ("kfp", "pandas", "numpy")} == {
        name: locked(flavour_of(stage), name) for name in ("kfp", "pandas", "numpy")
    }


def locked(flavour: str, package: str) -> str:
    """The version of a package in a lock."""
    lines = (ROOT / f"requirements/{flavour}.txt").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))


@pytest.mark.parametrize("stage", ["report", "train"])
def test_an_image_is_labelled(engine: docker.DockerClient, stage: str) -> None:
    labels = engine.images.get(image_for(stage)).labels
    assert labels["verdelta.stage"] == stage
    assert labels["org.opencontainers.image.title"] == f"verdelta-{flavour_of(stage)}"


def test_an_image_for_vertex_ai_writes_where_the_mounter_alone_may(engine: docker.DockerClient, tmp_path: Path) -> None:
    """As below /gcs there: folders of root's, 0755."""
    command = [sys.executable, "-m", "launch.backends.cluster.build_images", "--stage", "report", "--variant", "root"]
    subprocess.run(command, cwd=ROOT, check=True)
    tmp_path.chmod(0o755)
    volumes = {str(tmp_path): {"bind": "/gcs", "mode": "rw"}}
    engine.containers.run(image_for("report", variant="root"), ["touch", "/gcs/root"], remove=True, volumes=volumes)
    with pytest.raises(docker.errors.ContainerError, match="Permission denied"):
        engine.containers.run(image_for("report"), ["touch", "/gcs/plain"], remove=True, volumes=volumes)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_building_again_builds_the_same_images(engine: docker.DockerClient) -> None:
    before = {stage: engine.images.get(image_for(stage)).id for stage in STAGES}
    done = subprocess.run(
        [sys.executable, "-m", "launch.backends.cluster.build_images"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert before == {stage: engine.images.get(image_for(stage)).id for stage in STAGES}
    assert all(image_for(stage) in done.stdout for stage in STAGES)


@pytest.mark.usefixtures("engine")
def test_a_build_that_fails_says_so_and_ends_with_an_error() -> None:
    arguments = [
        sys.executable,
        "-m",
        "launch.backends.cluster.build_images",
        "--stage",
        "report",
        "--base",
        "verdelta-there-is-none:0",
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ERROR: `docker build" in done.stderr
