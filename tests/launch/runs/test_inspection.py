"""What is seen of raw data before anything runs: photos of a bucket within reason, every table, and what later stages refuse."""

from collections.abc import Iterator
from pathlib import Path

import gcs_server
import numpy as np
import pytest
from gcs_server import BUCKET, upload
from PIL import Image

from launch.runs import inspection
from launch.runs.inspection import Inspection, inspect_raw
from launch.runs.parameters import resolve

BROKEN = "train_dataset/LT/LT_01/DAT03.png"


def shot(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)).save(path)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two train series of four photos and two test photos, all of them good."""
    root = tmp_path / "raw"
    names = [f"train_dataset/LT/LT_0{series}/DAT0{day}.png" for series in (1, 2) for day in (1, 2, 3, 4)]
    for seed, name in enumerate([*names, "test_dataset/LT/1003/a.png", "test_dataset/LT/1003/b.png"]):
        shot(root / name, seed)
    (root / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,a,b\n")
    return root


def inspected(raw: Path | str, **parameters: object) -> Inspection:
    return inspect_raw(str(raw), resolve({}, parameters), open_photos=True)


@pytest.fixture
def bucket(raw: Path) -> Iterator[str]:
    """The same in a bucket, with one photo that is cut and one that is empty."""
    (raw / BROKEN).write_bytes((raw / BROKEN).read_bytes()[:-30])
    with gcs_server.gcs_server() as url, gcs_server.served_at(url):
        gcs_server.upload_folder(url, raw, "raw")
        upload(url, "raw/train_dataset/LT/LT_02/DAT05.png", b"")
        yield f"gs://{BUCKET}/raw"


def test_photos_of_a_bucket_are_opened(bucket: str) -> None:
    found = inspected(bucket)
    assert len(found.problems) == 2
    assert f"{bucket}/{BROKEN}: cannot be decoded as a photo" in found.problems[0]
    assert f"{bucket}/train_dataset/LT/LT_02/DAT05.png: cannot be decoded as a photo: the file is empty" in found.problems[1]
    assert "9 photos: PNG RGB of 20x20 pixels" in found.lines
    assert not any("NOT opened" in line for line in found.lines)


def test_of_many_bytes_in_a_bucket_some_photos_are_opened_and_the_empty_ones_named(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_FETCHED_BYTES", 6000)  # 10 photos of about 1,300 bytes: every third is opened
    found = inspected(bucket)
    (left,) = (line for line in found.lines if "NOT opened" in line)
    assert left.startswith("6 of 11 photos were NOT opened")
    assert any("DAT05.png" in problem and "empty" in problem for problem in found.problems)
    assert sum("photos: PNG RGB" in line for line in found.lines) == 1


def test_photos_of_a_folder_are_all_opened(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MOST_FETCHED_BYTES", 1)
    assert "10 photos: PNG RGB of 20x20 pixels" in inspected(raw).lines


def test_what_is_wrong_with_each_table_is_told_at_once(raw: Path) -> None:
    (raw / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,a,b\n1,a,c\n")
    (raw / "sample_submission.csv").write_text("idx,time_delta\n0,0\n")
    (raw / "test_dataset/test_labels.csv").write_text("idx;time_delta\n0;1\n")
    (raw / "train_dataset/days.csv").write_text("species,series,file,day\nLT,LT_01,DAT01.png,soon\n")
    problems = inspected(raw).problems
    assert len(problems) == 4
    for problem, place, words in zip(
        sorted(problems),
        ("sample_submission.csv", "test_dataset/test_data.csv", "test_dataset/test_labels.csv", "train_dataset/days.csv"),
        ("idx 1 is not in the file", "idx 1: after_file_path names 'c'", "semicolons", "line 2: day='soon'"),
        strict=True,
    ):
        assert problem.startswith(f"{raw}/{place}")
        assert words in problem
        assert "verdelta-check-" not in problem  # the folder in which tables are looked at


def test_a_table_that_cannot_be_fetched_is_named(bucket: str, raw: Path) -> None:
    url = bucket.replace("raw", "other")
    with gcs_server.gcs_server() as server, gcs_server.served_at(server):
        gcs_server.upload_folder(server, raw, "other")
        upload(server, "other/test_dataset/test_labels.csv", b"idx,time_delta\n", contentEncoding="gzip")
        problems = inspected(url, on_bad_photo="skip").problems
    assert len(problems) == 1
    assert f"{url}/test_dataset/test_labels.csv" in problems[0]


def test_days_with_fractions_are_refused_for_records_of_whole_days(raw: Path) -> None:
    for path in sorted((raw / "train_dataset/LT/LT_02").iterdir()):
        path.rename(path.with_name(f"{path.stem}.5.png"))
    assert not inspected(raw).problems
    (problem,) = inspected(raw, layout="pairs").problems
    assert "LT/LT_02 has days with fractions" in problem
    assert "layout=images" in problem


@pytest.mark.parametrize("name", ["{{$}}", "a {{$.inputs.parameters['raw']}} b", "{{$.pipeline_job_name}}"])
def test_a_path_that_kubeflow_pipelines_would_change_is_a_problem(raw: Path, tmp_path: Path, name: str) -> None:
    (problem,) = inspected(raw.rename(tmp_path / name)).problems
    assert str(tmp_path / name) in problem
    with pytest.raises(ValueError, match=r"^checkpoint=.*Kubeflow Pipelines would put something else"):
        resolve({}, {"checkpoint": f"/models/{name}.h5"})
