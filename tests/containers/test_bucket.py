"""Raw data in a bucket, read by a stage in its container: the one kind of stage that has a network."""

import hashlib
from pathlib import Path

import gcs_server
import pytest
from command_line import write_raw
from launch_pipelines import SMALL, tables

from components.raw.storage import content_digest
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.terminal import Terminal
from launch.runs.record import RunRecord


@pytest.mark.usefixtures("engine")
def test_a_container_reads_a_bucket_and_writes_what_it_writes_of_a_folder(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    with gcs_server.gcs_server() as url, gcs_server.served_at(url):
        gcs_server.upload_folder(url, raw, "plants")
        files = []
        for name, address in (("folder", str(raw)), ("bucket", f"gs://{gcs_server.BUCKET}/plants")):
            folder = tmp_path / name
            folder.mkdir()
            run = LocalRun(folder, tmp_path / ".cache", RunRecord(folder, None, {}), Terminal(), containers=True)
            assert run.execute(tables, SMALL | {"raw": address, "raw_digest": content_digest(address)}), run.failures
            files.append(digests(Path(run.outputs["resize_images"]["images"])))
    assert files[0] == files[1]
    assert len(files[0]) == 2  # the archive of photos, and the manifest


def digests(folder: Path) -> dict[str, str]:
    """Relative file name to SHA-256."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
