"""`make images` where Docker cannot build: it says what is missing."""

from pathlib import Path

import pytest

from launch.backends.cluster.build_images import main


@pytest.mark.parametrize("has_buildx", [False, True])
def test_docker_without_buildx_is_told_with_what_to_install(
    has_buildx: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$1" = buildx ] && exit {int(not has_buildx)}\necho "no build" >&2\nexit 125\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert main(["--stage", "report"]) == 1
    told = capfd.readouterr().err
    assert "ended with status 125" in told
    assert ("docker-buildx" in told) is not has_buildx
