"""What is asked before a run is sent: a registry over its HTTP API, and Google Cloud Storage."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from far_end import DROP, Answer, FarEnd, Request, serving

from launch.backends.cluster.checks import check_images, check_pipeline_root

TAG = "0123456789abcdef"
DIGEST = "sha256:" + "ab" * 32


class Registry(FarEnd):
    """The read side of the OCI distribution API, which hands out tokens for user and password where it is private."""

    def __init__(self) -> None:
        super().__init__()
        self.private = False
        self.images = {f"/v2/plants/verdelta-data/manifests/{TAG}", f"/v2/plants/verdelta-data/manifests/{DIGEST}"}
        self.routes = [("HEAD", "/v2/.*", self.manifest), ("GET", "/token", self.token)]

    def manifest(self, request: Request) -> Answer:
        if self.private and request.headers.get("Authorization") != "Bearer of-plants":
            challenge = f'Bearer realm="{self.url}/token",service="plants",scope="repository:plants/verdelta-data:pull"'
            return Answer(status=401, headers={"WWW-Authenticate": challenge})
        return Answer(status=200 if request.path in self.images else 404)

    def token(self, request: Request) -> Answer:
        asked = (request.query, request.headers.get("Authorization"))
        good = ({"service": "plants", "scope": "repository:plants/verdelta-data:pull"}, "Basic bWU6c2VjcmV0")  # me:secret
        return Answer({"token": "of-plants"}) if asked == good else Answer({"errors": []}, 401)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    """The server, and a home without logins."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with serving(Registry()) as server:
        yield server  # type: ignore[misc]


def image(registry: Registry, name: str = f"verdelta-data:{TAG}") -> str:
    """The image's name in that registry."""
    return f"{registry.url.removeprefix('http://')}/plants/{name}"


def test_images_that_are_there_are_found_by_tag_and_by_digest_and_asked_for_once(registry: Registry) -> None:
    names = [image(registry), image(registry, f"verdelta-data@{DIGEST}"), image(registry)]
    assert check_images(names, may_be_local=False) == []
    assert len(registry.requests) == 2
    assert "application/vnd.oci.image.index.v1+json" in registry.requests[0].headers["Accept"]


def test_missing_images_are_all_named_with_the_command_that_builds_them(registry: Registry) -> None:
    missing = [image(registry, "verdelta-gpu:" + "1" * 16), image(registry, "verdelta-data:" + "2" * 16)]
    with pytest.raises(FileNotFoundError) as error:
        check_images([image(registry), *missing], may_be_local=False)
    assert all(name in str(error.value) for name in missing)
    assert image(registry) not in str(error.value)
    build = f"make images REGISTRY={missing[0].rpartition('/')[0]} PUSH=yes"
    commands = [line.partition(": ")[2] for line in str(error.value).splitlines() if "make images" in line]
    assert commands == [f"{build} ACCELERATOR=gpu", build]


def test_a_missing_image_that_was_named_by_hand_is_not_one_to_build_here(registry: Registry) -> None:
    mine, ours = image(registry, "mine:" + "1" * 16), image(registry, "verdelta-data:" + "2" * 16)
    with pytest.raises(FileNotFoundError) as error:
        check_images([mine], may_be_local=False, given=[mine])
    assert "make images" not in str(error.value)
    assert "What --image names has to be pushed there first" in str(error.value)
    with pytest.raises(FileNotFoundError) as error:
        check_images([mine, ours], may_be_local=False, given=[mine])
    assert str(error.value).count("make images") == 1
    assert "What --image names" in str(error.value)


def test_private_registry_is_asked_with_the_login_of_docker(registry: Registry, tmp_path: Path) -> None:
    registry.private = True
    host = registry.url.removeprefix("http://")
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": "bWU6c2VjcmV0"}}}))
    assert check_images([image(registry)], may_be_local=False) == []
    with pytest.raises(FileNotFoundError, match="1 images are not in their registry"):
        check_images([image(registry, "verdelta-data:" + "2" * 16)], may_be_local=False)


def test_private_registry_without_a_login_is_said_to_be_unchecked(registry: Registry) -> None:
    registry.private = True
    (line,) = check_images([image(registry)], may_be_local=False)
    assert "answers 401 to you, so it could not be asked; log in: docker login 127.0.0.1" in line


@pytest.mark.parametrize("fault", [DROP, Answer(status=500)])
def test_registry_that_does_not_answer_is_said_to_be_unchecked(registry: Registry, fault: Answer | str) -> None:
    registry.faults["HEAD", ".*"] = [fault] * 5
    (line,) = check_images([image(registry)], may_be_local=False)
    assert line.startswith(image(registry))
    assert "could not be asked" in line


def test_image_without_a_registry_may_be_on_nodes_but_not_on_vertex() -> None:
    (line,) = check_images([f"verdelta-data:{TAG}"], may_be_local=True)
    assert "has to be on every node already" in line
    with pytest.raises(ValueError, match="give --registry"):
        check_images([f"verdelta-data:{TAG}"], may_be_local=False)


def test_bucket_that_may_not_be_looked_into_is_told_with_the_role_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """fake-gcs-server knows no permissions, so another server answers as Google's does."""
    denied = {"error": {"code": 403, "message": "me@plants does not have storage.objects.list access"}}
    with serving(FarEnd()) as server:
        server.routes = [("GET", "/storage/v1/b/plants/o", lambda _: Answer(denied, 403))]
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        with pytest.raises(FileNotFoundError) as error:
            check_pipeline_root("gs://plants/pipelines", "p", "r")
    assert "does not have storage.objects.list access" in str(error.value)
    assert "add-iam-policy-binding gs://plants" in str(error.value)


@pytest.mark.parametrize("root", ["/data", "s3://plants/root", "gs://", "plants"])
def test_root_elsewhere_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match=r"expected gs://BUCKET/FOLDER"):
        check_pipeline_root(root, "", "")
