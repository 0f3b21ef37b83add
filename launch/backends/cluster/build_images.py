"""Builds the container images of the stages and of the server, and pushes them where a registry is given.

make images
make images REGISTRY=europe-docker.pkg.dev/project/repository ACCELERATOR=gpu VARIANT=root PUSH=yes

The context of each build holds just the files that the tag is a hash of, so that an image is what its name says. The images of
one kind share every layer but the last, which is a few kilobytes of code.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from components.images import ACCELERATORS, ROOT, SERVER, VARIANTS, digest_of, flavour_of, image_for, source_files
from components.settings import STAGES

INSTALLER = "requirements/uv.txt"  # installs the packages; not in the image, so not in its tag
NO_BUILDX = (
    "Docker has no buildx here, which its command line from version 23 on builds with: install the package docker-buildx-plugin "
    "(of Docker's own repository) or docker-buildx (of Debian and Ubuntu)."
)
BUILD_TIME = 0  # of every file in the context: a layer's digest then depends on contents alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds, and pushes, what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m launch.backends.cluster.build_images", description=__doc__.splitlines()[0])
    parser.add_argument("--registry", default="", help="where the images will be pulled from; their names begin with it")
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="none", help="build train and predict for this")
    parser.add_argument(
        "--stage", choices=[*STAGES, SERVER], action="append", help="build this stage's alone, or the server's; repeatable"
    )
    parser.add_argument("--variant", choices=list(VARIANTS), default="", help="root: for Vertex AI, where only root may write")
    parser.add_argument("--base", help="base image in place of the Dockerfile's, such as python@sha256:...")
    parser.add_argument("--push", action="store_true", help="push each image to its registry")
    parsed = parser.parse_args(arguments)
    if parsed.push and not parsed.registry:
        parser.error("--push needs --registry: where should the images go? Such as europe-docker.pkg.dev/PROJECT/REPOSITORY.")
    if shutil.which("docker") is None:
        parser.error("no `docker` on this machine: install Docker Engine and its command line.")
    try:
        for stage in parsed.stage or (*STAGES, SERVER):
            name = image_for(stage, parsed.registry, parsed.accelerator, parsed.variant)
            print(f"{stage:<16} {name}", flush=True)
            build(stage, flavour_of(stage, parsed.accelerator), name, VARIANTS[parsed.variant], parsed.base)
            if parsed.push:
                docker("push", "--quiet", name)
    except ValueError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"ERROR: `{' '.join(error.cmd)}` ended with status {error.returncode}; its lines above say why.", file=sys.stderr)
        if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode:
            print(NO_BUILDX, file=sys.stderr)
        return 1
    return 0


def build(stage: str, flavour: str, name: str, user: str, base: str | None = None) -> None:
    """Builds the image `name` of `stage`, which runs as `user`.

    Raises:
        subprocess.CalledProcessError: the build failed; Docker has said why.
        ValueError: the code is not what the image is named after.
    """
    with tempfile.TemporaryDirectory(prefix="verdelta-") as folder:
        context = Path(folder)
        for file in sorted(source_files(stage, flavour) | {INSTALLER}):
            copy = context / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, copy)
            copy.chmod(0o644)
            os.utime(copy, (BUILD_TIME, BUILD_TIME))
        if digest_of(source_files(stage, flavour, context), context) != name.rpartition(":")[2]:
            raise ValueError(f"{name}: the code was edited while the image was being named. Repeat the command.")
        arguments = ["--file", str(context / f"docker/{flavour}.Dockerfile"), "--tag", name, "--label", f"verdelta.stage={stage}"]
        arguments += ["--build-arg", f"USER={user}"]
        docker("build", "--quiet", *arguments, *(["--build-arg", f"BASE={base}"] if base else []), str(context))


def docker(*arguments: str) -> None:
    """Runs Docker's command line, with BuildKit, which engines before version 23 do not use of themselves."""
    subprocess.run(["docker", *arguments], check=True, env={**os.environ, "DOCKER_BUILDKIT": "1"})


if __name__ == "__main__":
    sys.exit(main())
