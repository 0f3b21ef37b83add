"""What is changed while a run goes on, code or photos, never ends in the cache under the name of what was there before."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import record, states, write_raw
from PIL import Image
from source_tree import copy_source

from components.images import ROOT, image_for
from components.raw.storage import content_digest
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from launch.backends.cluster.build_images import build
from launch.backends.local.backend import claim_folder
from launch.backends.local.isolation.code import copy_code, require_same_code
from launch.backends.local.results import collect_results
from launch.runs.plans.plan import Plan

STAGES = ["resize_images", "generate_pairs", "split_folds"]
SPLIT = "components/split_folds/split.py"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the source in tree/ and photos in raw/."""
    copy_source(tmp_path / "tree")
    support = tmp_path / "tree/tests/support"
    support.mkdir(parents=True)
    (support / "launch_pipelines.py").write_bytes((ROOT / "tests/support/launch_pipelines.py").read_bytes())
    write_raw(tmp_path / "raw")
    return tmp_path


def run(place: Path, name: str, watch: Callable[[str], None] = str, **parameters: Any) -> str:
    """Runs the stages without tensors, shows `watch` each line as it comes, and returns all of them."""
    values = json.dumps({"raw": str(place / "raw"), **parameters})
    command = [sys.executable, "tests/support/launch_pipelines.py", "tables", str(place / "runs"), name, values]
    environment = {**os.environ, "PYTHONPATH": str(place / "tree"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=place / "tree", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        watch(line)
    process.wait(timeout=600)
    return "".join(lines)


def folded(place: Path, name: str) -> bytes:
    """The table that the last of the stages wrote."""
    folder = record(place / "runs", name)["stages"][-1]["outputs"]["folded_pairs"]
    return Path(folder, "train_pairs.csv").read_bytes()


def test_code_that_is_edited_while_a_run_goes_on_is_not_what_it_runs(place: Path, record_property: Callable[..., None]) -> None:
    before = (place / "tree" / SPLIT).read_text()
    edited = before.replace("folds[validation] = fold\n", "folds[validation] = 1 - fold\n")
    assert edited != before
    edits = []

    def edit(line: str) -> None:
        if not edits and "resize_images" in line and "started" in line:
            (place / "tree" / SPLIT).write_text(edited)
            edits.append(line)

    said = run(place, "first", edit)
    assert states(place / "runs", "first") == dict.fromkeys(STAGES, "executed"), said
    assert edits
    run(place, "edited")
    assert states(place / "runs", "edited") == dict(zip(STAGES, ["cached", "cached", "executed"], strict=True))
    (place / "tree" / SPLIT).write_text(before)
    run(place, "reverted")
    assert states(place / "runs", "reverted") == dict.fromkeys(STAGES, "cached")
    run(place, "alone", num_folds=2, jpeg_quality=74)  # nothing of it is cached
    assert folded(place, "reverted") == folded(place, "alone") != folded(place, "edited")
    record_property("count", "code edited while a run went on: 1 of 1 ended in no cache under the old digest")


def test_code_that_was_edited_before_it_was_copied_is_refused(place: Path) -> None:
    image = image_for("split_folds", root=place / "tree")
    copy = copy_code(place / "same", place / "tree")
    require_same_code(image, copy)
    require_same_code("verdelta-test:0", copy)  # no stage's
    with (place / "tree" / SPLIT).open("a") as file:
        file.write("\nANOTHER = 'version'\n")
    with pytest.raises(ValueError, match=r"the code was edited while the run was being started.* Repeat the command"):
        require_same_code(image, copy_code(place / "edited", place / "tree"))


def test_an_image_is_not_built_of_other_code_than_it_is_named_after() -> None:
    with pytest.raises(ValueError, match=r"verdelta-data:0{16}: the code was edited while the image was being named"):
        build("split_folds", "data", f"verdelta-data:{'0' * 16}", "10001:10001")


@pytest.mark.parametrize("num_shards", [1, 2])
def test_a_photo_that_is_replaced_while_a_run_goes_on_ends_it_and_nothing_is_cached(
    place: Path, num_shards: int, record_property: Callable[..., None]
) -> None:
    shards = {"shards": list(range(num_shards)), "num_shards": num_shards}
    photo = place / "raw/train_dataset/BC/BC_01/DAT01.png"
    digest, content = content_digest(place / "raw"), photo.read_bytes()
    Image.new("RGB", (20, 20), (1, 2, 3)).save(photo)
    run(place, "changed", raw_digest=digest, **shards)  # as if it was replaced after it had been listed
    changed = record(place / "runs", "changed")
    assert changed["state"] == "FAILED"
    assert {entry["state"] for entry in changed["stages"]} == {"failed"}
    for text in (
        f"{place}/raw: changed since the run was started",
        "written last: train_dataset/BC/BC_01/DAT01.png",
        "Repeat the",
    ):
        assert text in changed["error"]
    photo.write_bytes(content)
    run(place, "again", raw_digest=digest, **shards)
    assert set(states(place / "runs", "again").values()) == {"executed"}
    record_property("count", f"photo replaced while a run of {num_shards} shards went on: 1 of 1 refused, 0 cached")


@pytest.mark.parametrize(
    ("moment", "lost"),
    [
        ("resize_images cached", ""),
        ("split_folds started", ""),  # its input is found, and not read so far
        ("split_folds started", "manifest.json"),  # where `rm -r` may have got to
    ],
)
def test_a_cached_run_that_is_deleted_while_it_is_used_ends_in_an_error_or_in_the_right_result(
    place: Path, moment: str, lost: str, record_property: Callable[..., None]
) -> None:
    run(place, "base")
    pairs = Path(record(place / "runs", "base")["stages"][1]["outputs"]["pairs"])
    settings = SplitFoldsSettings(num_folds=2, shuffle_seed=7)
    split_folds(pairs=pairs, folded_pairs=place / "expected", settings=settings)
    expected, deleted = (place / "expected/train_pairs.csv").read_bytes(), []

    def delete(line: str) -> None:
        if not deleted and line.split()[:2] == moment.split():
            (pairs / lost).unlink() if lost else shutil.rmtree(place / "runs/base")
            deleted.append(line)

    said = run(place, "second", delete, shuffle_seed=7)
    assert deleted, said
    ended = record(place / "runs", "second")
    if ended["state"] == "SUCCEEDED":
        assert folded(place, "second") == expected
    else:
        assert f"{place}/runs/base" in ended["error"]
        assert "deleted or changed while the run was using it. Repeat the command" in ended["error"]
    if "started" in moment:
        assert ended["state"] == "FAILED"
    run(place, "again", shuffle_seed=7)
    assert record(place / "runs", "again")["state"] == "SUCCEEDED"
    assert folded(place, "again") == expected
    record_property("count", f"cached run deleted while used, {moment}: {ended['state']}, and the repeated command succeeded")


def test_results_that_were_deleted_before_they_were_collected_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"/gone/submission: deleted or changed while .* Repeat the command"):
        collect_results(tmp_path, {"calibrate": {"submission": "/gone/submission"}}, {})


def test_of_many_runs_of_one_name_at_once_one_is_made(tmp_path: Path, record_property: Callable[..., None]) -> None:
    plan = Plan(title="run", name="same", preset=None, parameters={}, stages=(), steps=())
    begin, made, refused = threading.Barrier(20), list[Path](), list[str]()

    def claim() -> None:
        begin.wait()
        try:
            made.append(claim_folder(tmp_path, plan))
        except FileExistsError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [tmp_path / "same"]
    assert len([text for text in refused if "same: a run of this name exists; choose another --name" in text]) == 19
    record_property("count", "the same name twice: 1 run made and 19 of 19 refused")
