"""The serving image, started and asked over HTTP as KServe does."""

from pathlib import Path

import docker
import pytest
from served_model import photo, write_models
from serving import PREDICT, Server, sent, wait_for

from components.images import SERVER, image_for, source_files
from components.serve.models.bundle import write_bundle
from components.serve.models.predictor import Predictor


def test_the_image_answers_as_the_models_do_and_holds_no_tensorflow(engine: docker.DockerClient, tmp_path: Path) -> None:
    bundle = write_models(tmp_path / "models")
    write_bundle(bundle, tmp_path / "published")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    predictor = Predictor(bundle)
    contents = [photo(seed) for seed in range(2)]
    (expected,) = predictor.between([tuple(predictor.photos([("", each) for each in contents]))], "LT")
    container = engine.containers.run(
        image_for(SERVER), detach=True, read_only=True, tmpfs={"/tmp": ""}, ports={"8080/tcp": ("127.0.0.1", None)},
        volumes={str(tmp_path / "published"): {"bind": "/mnt/models", "mode": "ro"}}, cap_drop=["ALL"],
    )  # fmt: skip
    try:
        container.reload()
        server = Server(int(container.ports["8080/tcp"][0]["HostPort"]))
        wait_for(server)
        body = {"instances": [{"before": sent(contents[0]), "after": sent(contents[1]), "species": "LT"}]}
        status, said, _ = server.ask(PREDICT, body)
        assert status == 200
        assert said["predictions"][0]["days"] == pytest.approx(expected.days, abs=1e-4)
        assert container.exec_run("id -u").output.strip() == b"10001"
        absent = container.exec_run(["python", "-c", "import importlib.util as u; print([u.find_spec(n) for n in "
                                     "('tensorflow', 'keras', 'pandas', 'openvino_telemetry', 'pip')])"]).output  # fmt: skip
        assert absent.strip() == b"[None, None, None, None, None]"
        found = container.exec_run(["sh", "-c", "cd /opt/verdelta && find components -type f"]).output.decode().split()
        assert set(found) == {path for path in source_files(SERVER, SERVER) if path.startswith("components/")}
        assert b"warning" not in container.logs().lower()
        container.stop()
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True)
