"""A damaged artifact that is made anew, equal to the byte, has nothing executed after it: keys of the cache are of content."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import captured, entry, states, write_raw
from kfp import dsl
from launch_pipelines import main as run_pipeline

from components.contract.artifacts import write_manifest
from launch.backends.local.cache.stage_cache import StageCache


def run(runs: Path, name: str) -> str:
    """Runs the stages without tensors, and returns what a person sees."""
    values = json.dumps({"raw": str(runs.parent / "raw")})
    done = captured(run_pipeline, "tables", str(runs), name, values)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_of_a_damaged_artifact_its_stage_alone_is_executed_again(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw")
    runs = tmp_path / "runs"
    run(runs, "first")
    for number, (stage, output) in enumerate(
        [("resize_images", "catalog"), ("generate_pairs", "pairs"), ("split_folds", "folded_pairs")]
    ):
        artifact = Path(entry(runs, "first", stage)["outputs"][output])
        whole, damaged = files(artifact), max(artifact.glob("*.csv"))
        content = bytearray(damaged.read_bytes())
        content[-2] ^= 1
        damaged.write_bytes(content)
        name = f"mended-{number}"
        said = run(runs, name)
        assert f"not taken from the cache, but executed again: {damaged}: SHA-256 " in said
        assert {each: state for each, state in states(runs, name).items() if state == "executed"} == {stage: "executed"}
        mended = Path(entry(runs, name, stage)["outputs"][output])
        assert mended != artifact
        assert files(mended) == whole
        run(runs, f"again-{number}")
        assert set(states(runs, f"again-{number}").values()) == {"cached"}


def artifact(folder: Path, content: bytes = b"a", **metadata: object) -> dsl.Dataset:
    folder.mkdir()
    (folder / "table.csv").write_bytes(content)
    write_manifest(folder, "split_folds")
    return dsl.Dataset(uri=str(folder), metadata=metadata)


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(str(tmp_path / "cache"))


def test_a_key_is_made_of_what_is_in_artifacts_and_not_of_where_they_lie(cache: StageCache, tmp_path: Path) -> None:
    def key(*given: dsl.Dataset) -> str:
        return cache.compute_key("train", "image", ["command"], {"one": given[0], "many": list(given), "epochs": 1})

    here, there = artifact(tmp_path / "here"), artifact(tmp_path / "there")
    other, counted = artifact(tmp_path / "other", b"b"), artifact(tmp_path / "counted", pairs=1)
    assert key(here, other) == key(there, other)
    assert len({key(here, other), key(other, here), key(here), key(here, here), key(counted, other), key(other)}) == 6
    shutil.rmtree(tmp_path / "there")
    assert key(there, other) != key(here, other)
    (tmp_path / "here/manifest.json").write_text("{}")
    assert key(here, other) not in (key(other, other), key(there, other))
