"""What a container sees of this machine: paths and the links in them, users and groups, network, credentials."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import docker
import pytest
from command_line import pipeline_py, write_raw
from kfp import dsl

from components.images import ROOT, image_for
from components.raw.storage import find_photos, open_raw
from launch.backends.local.isolation import places
from launch.backends.local.isolation.containers import run_container
from launch.backends.local.isolation.places import Place, container_user, fetching, linked_places, readable_paths, secret_for
from launch.backends.local.isolation.processes import RunningStages

IMAGE = image_for("split_folds")
READ_ALL = """
import pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*_dataset/*/*/*")):
    print(path.relative_to(sys.argv[1]), len(path.read_bytes()))
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root, whose containers are not")


def in_container(engine: docker.DockerClient, place: Place, *command: str) -> list[str]:
    """The lines of a command that succeeds in a container."""
    lines: list[str] = []
    status, _ = run_container(engine, RunningStages(), IMAGE, command, place, lines.append)
    assert status == 0, lines
    return lines


def place(readable: dict[str, str], user: str = "10001:10001", groups: tuple[int, ...] = ()) -> Place:
    return Place(user=user, groups=groups, readable=readable, writable=(), network="none", environment={})


# Paths.


def test_a_stage_may_read_its_inputs_and_the_paths_it_is_given(tmp_path: Path) -> None:
    for name in ("raw", "model-0", "model-1", "elsewhere"):
        (tmp_path / name).mkdir()
    inputs = {
        "raw": str(tmp_path / "raw"),
        "models": [dsl.Model(uri=str(tmp_path / f"model-{number}")) for number in (1, 0)],
        "checkpoint": str(tmp_path / "there-is-none.h5"),
        "encoder": "B0",
        "fold": 0,
    }
    assert readable_paths(inputs) == {str(tmp_path / name): str(tmp_path / name) for name in ("model-0", "model-1", "raw")}


def link(path: Path, place: Path, text: str | Path | None = None) -> None:
    """Moves what is at `path` to `place` and puts a link there, which says `text` or else the place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    path.rename(place)
    path.symlink_to(text or place)


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """(raw folder, what holds all else): links at every level, absolute and relative, through other links, and within."""
    raw, disk = write_raw(tmp_path / "raw"), tmp_path / "disk"
    (tmp_path / "mnt").symlink_to(disk)  # as /data -> /mnt/disk2
    link(raw / "train_dataset/BC/BC_01/DAT01.png", disk / "photos/one.png")
    link(raw / "train_dataset/BC/BC_01", disk / "series/BC_01", "../../../disk/series/BC_01")
    link(raw / "train_dataset/LT", disk / "species/LT", tmp_path / "mnt/species/LT")
    link(raw / "test_dataset", disk / "test", tmp_path / "mnt/test")
    link(raw / "test_dataset/test_data.csv", disk / "tables/pairs.csv")
    (raw / "train_dataset/again").symlink_to("BC")
    (raw / "train_dataset/BC/lost").symlink_to(disk / "nowhere")
    (raw / "train_dataset/circle").symlink_to("circle")
    (raw / "notes").symlink_to(disk)  # nothing that is read
    photo = disk / "series/BC_01/DAT01.png"  # which has moved, and its link is relative
    photo.unlink()
    photo.symlink_to("../../photos/one.png")
    return raw, disk


def test_what_the_links_of_raw_data_lead_to_can_be_read_in_a_container(
    engine: docker.DockerClient, linked: tuple[Path, Path]
) -> None:
    raw, disk = linked
    found = linked_places(str(raw))
    mnt = disk.with_name("mnt")
    assert found == {
        str(disk / "series/BC_01"): str(disk / "series/BC_01"),
        str(disk / "photos/one.png"): str(disk / "photos/one.png"),
        str(mnt / "species/LT"): str(disk / "species/LT"),
        str(mnt / "test"): str(disk / "test"),
        str(disk / "tables/pairs.csv"): str(disk / "tables/pairs.csv"),
    }
    here = subprocess.run([sys.executable, "-c", READ_ALL, str(raw)], capture_output=True, text=True, check=True)
    there = in_container(engine, place(readable_paths({"raw": str(raw)})), "python", "-c", READ_ALL, str(raw))
    assert there == here.stdout.splitlines()
    photos = find_photos(open_raw(raw))
    assert len(there) == len(photos.train) + len(photos.test) == 6 + 2  # those of BC by two names


def test_links_that_a_container_cannot_follow_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_raw(tmp_path / "raw")
    (raw / "all").symlink_to(tmp_path / "disk")
    link(raw / "train_dataset/BC", tmp_path / "disk/BC", raw / "all/BC")
    with pytest.raises(ValueError, match=rf"train_dataset/BC leads to {raw}/all/BC, .*Make it a link to {tmp_path}/disk/BC"):
        linked_places(str(raw))
    (raw / "train_dataset/BC").unlink()
    link(raw / "train_dataset/LT/LT_01/DAT01.png", tmp_path / "disk/a.png")
    link(raw / "train_dataset/LT/LT_01/DAT02.png", tmp_path / "disk/b.png")
    monkeypatch.setattr(places, "MOST_LINKS", 1)
    with pytest.raises(ValueError, match=r"holds 2 links to files or folders elsewhere, and at most 1 can be .*copy the photos"):
        linked_places(str(raw))


@pytest.mark.usefixtures("engine")
def test_such_links_end_the_command_before_it_begins(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    (raw / "all").symlink_to(tmp_path)
    link(raw / "train_dataset/BC", tmp_path / "BC", raw / "all/BC")
    done = pipeline_py("run", "--raw", str(raw), "--runner", "docker", "--runs-dir", str(tmp_path / "runs"))
    assert (done.returncode, "cannot follow both" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_bucket_and_no_raw_data_have_no_links() -> None:
    assert linked_places("gs://bucket/plants") == linked_places("") == linked_places("/there/is/none") == {}


# Users.


@as_root
def test_a_stage_reads_what_the_callers_groups_may_read(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared.txt"
    shared.write_text("of the group")
    os.chown(shared, 0, 54321)
    shared.chmod(0o640)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(os, "getgid", lambda: 12345)
    monkeypatch.setattr(os, "getgroups", lambda: [12345, 54321])
    uid, gid, groups = container_user(engine, IMAGE)
    look = in_container(engine, place({str(shared): str(shared)}, f"{uid}:{gid}", groups), "sh", "-c", f"id -u; cat {shared}")
    assert look == ["12345", "of the group"]


def test_an_engine_without_root_has_the_caller_as_its_root() -> None:
    rootless = SimpleNamespace(info=lambda: {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]})
    assert container_user(rootless, IMAGE) == (0, 0, ())


# Network and credentials.


@pytest.mark.parametrize(
    ("inputs", "emulator", "network"),
    [
        ({"raw": "/data", "checkpoint": "none"}, False, "none"),
        ({"raw": "gs://bucket/prefix"}, False, "bridge"),
        ({"raw": "gs://bucket/prefix"}, True, "host"),
        ({"checkpoint": "gs://bucket/b7.h5"}, False, "bridge"),
        ({"checkpoint": "imagenet"}, False, "bridge"),  # downloaded on first use
        ({"checkpoint": "/weights/b7.h5"}, True, "none"),
        ({"checkpoint": "none"}, True, "none"),
        ({}, False, "none"),
    ],
)
def test_only_a_stage_that_fetches_something_has_a_network(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, str], emulator: bool, network: str
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    if emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443")
    assert fetching(inputs)[0] == network


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of credentials that only its owner may read."""
    key = tmp_path / "key.json"
    key.write_text("secret")
    key.chmod(0o600)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    return key


def test_credentials_go_only_to_a_stage_that_reads_gcs(key: Path) -> None:
    assert fetching({"raw": "gs://bucket"})[2] == key
    assert fetching({"checkpoint": "imagenet"})[1:] == ({}, None)


def test_only_a_container_that_cannot_read_the_credentials_is_told_them(key: Path) -> None:
    key.write_text('{"type":\n"secret\\n"}')
    assert secret_for(key, 0) == ""
    assert secret_for(None, 10001) == ""
    assert secret_for(key, 10001) == ('{"type": "secret\\n"}' if os.getuid() == 0 else "")


@pytest.mark.usefixtures("engine")
@as_root
def test_a_container_of_roots_reads_the_credentials_and_leaves_no_copy(key: Path, tmp_path: Path) -> None:
    read = "echo $(id -u) $(cat $GOOGLE_APPLICATION_CREDENTIALS) $(stat -c %a $GOOGLE_APPLICATION_CREDENTIALS)"
    command = [sys.executable, "tests/containers/one_stage.py", str(tmp_path / "run"), "gs://bucket", "sh", "-c", read]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert (tmp_path / "run/logs/stage.log").read_text() == "10001 secret 600\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != key and path.read_bytes() == b"secret"] == []
