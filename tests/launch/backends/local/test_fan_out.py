"""Local runs with several shards: what each leaves behind, what is run again, and that nobody sees a difference in the end."""

import json
import subprocess
from pathlib import Path

import pytest
from command_line import captured, entry, in_process, pipeline_py, record, states, write_raw
from launch_pipelines import main as run_pipeline
from stored_photos import stored_photos
from trained_run import NAME, RUN_OPTIONS, copy_of_trained_run

RESIZED = [f"resize_images[{shard}]" for shard in (0, 1, 2)]
DATA = [*RESIZED, "generate_pairs", "split_folds"]
EQUAL_PAIRS = {"split_folds": "cached"}  # the pairs of three shards are those of one, to the byte


def run_tables(runs: Path, name: str, raw: Path, num_shards: int) -> subprocess.CompletedProcess[str]:
    """Runs the stages without tensors."""
    parameters = {"raw": str(raw), "num_shards": num_shards, "shards": list(range(num_shards))}
    return captured(run_pipeline, "tables", str(runs), name, json.dumps(parameters))


def files(*folders: str) -> dict[str, bytes]:
    """Relative path to bytes of every file in folders, but those by which shards know each other."""
    found = {}
    for folder in map(Path, folders):
        paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "shard.json"]
        found |= {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return found


def test_three_shards_make_what_one_makes_and_come_from_the_cache(tmp_path: Path) -> None:
    raw, runs = write_raw(tmp_path / "raw"), tmp_path / "runs"
    for name, num_shards in (("one", 1), ("three", 3)):
        done = run_tables(runs, name, raw, num_shards)
        assert done.returncode == 0, done.stdout + done.stderr
    for label in RESIZED:
        assert f"{label}   executed" in done.stdout
    assert states(runs, "three") == dict.fromkeys(DATA, "executed") | EQUAL_PAIRS
    assert states(runs, "one") == dict.fromkeys(["resize_images", *DATA[3:]], "executed")
    logs = sorted(path.name for path in (runs / "three/logs").glob("resize*"))
    assert logs == ["resize_images-0.log", "resize_images-1.log", "resize_images-2.log"]
    assert [path.name for path in (runs / "one/logs").glob("resize*")] == ["resize_images.log"]

    shards = [each for each in record(runs, "three")["stages"] if each["stage"] == "resize_images"]
    assert [each["shard"] for each in shards] == [0, 1, 2]
    whole = entry(runs, "one", "resize_images")["outputs"]
    photos = stored_photos(Path(whole["images"]))
    assert stored_photos(*(Path(each["outputs"]["images"]) for each in shards)) == photos
    assert photos
    for stage, output in (("generate_pairs", "catalog"), ("generate_pairs", "pairs"), ("split_folds", "folded_pairs")):
        one, three = (entry(runs, name, stage)["outputs"][output] for name in ("one", "three"))
        assert files(three) == files(one), output
    resized, gathered = files(whole["catalog"]), files(entry(runs, "one", "generate_pairs")["outputs"]["catalog"])
    manifests = [json.loads(each.pop("manifest.json")) for each in (resized, gathered)]
    assert [each["stage"] for each in manifests] == ["resize_images", "generate_pairs"]
    assert gathered == resized

    assert run_tables(runs, "again", raw, 3).returncode == 0
    assert states(runs, "again") == dict.fromkeys(DATA, "cached")


def test_a_shard_that_fails_is_named_and_the_stage_is_run_again_in_all_its_shards(tmp_path: Path) -> None:
    raw, runs = write_raw(tmp_path / "raw"), tmp_path / "runs"
    photo = raw / "train_dataset/BC/BC_01/DAT02.png"  # the second photo of all
    good = photo.read_bytes()
    photo.write_bytes(b"no photo")
    settings = ["--set", "image_size=16", "--set", "num_shards=3", "--runs-dir", str(runs)]
    failed = pipeline_py("run", "--raw", str(raw), "--name", "bad", *settings)
    assert failed.returncode == 1
    assert "FAILED: stage resize_images (shard 1): ValueError: " in failed.stdout
    assert f"log: {runs / 'bad/logs/resize_images-1.log'}" in failed.stdout
    assert states(runs, "bad")["resize_images[1]"] == "failed"
    refused = in_process("rerun", "bad", "generate_pairs", "--runs-dir", str(runs))
    assert refused.returncode == 2
    assert "bad: no catalog in its record, because resize_images did not succeed there" in refused.stderr

    photo.write_bytes(good)
    for stage, name, expected in (("resize_images", "mended", RESIZED), ("generate_pairs", "paired", ["generate_pairs"])):
        done = pipeline_py("rerun", "bad" if name == "mended" else "mended", stage, "--name", name, "--runs-dir", str(runs))
        assert done.returncode == 0, done.stdout + done.stderr
        assert states(runs, name) == dict.fromkeys(expected, "executed")
    catalogs = [each["outputs"]["catalog"] for each in record(runs, "mended")["stages"]]
    assert entry(runs, "paired", "generate_pairs")["inputs"]["catalogs"] == catalogs


def test_a_run_of_three_shards_ends_with_the_submission_of_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Models, predictions and submissions, too; and one model predicts once more from what the three tasks wrote."""
    place = copy_of_trained_run(tmp_path_factory)
    runs, where = place / "runs", ["--runs-dir", str(place / "runs")]
    options = [*RUN_OPTIONS, "--set", "num_shards=3", "--name", "three", *where]
    done = pipeline_py("run", "--raw", str(place / "raw"), *options, tree=place / "tree")
    assert done.returncode == 0, done.stdout + done.stderr
    in_loop = ["train[0]", "train[1]", "predict[0]", "predict[1]"]
    stages = [*DATA, "write_tfrecords", *in_loop, "calibrate", "report"]
    assert states(runs, "three") == dict.fromkeys(stages, "executed") | EQUAL_PAIRS
    for name in ("submission_raw.csv", "submission_calibrated.csv"):
        assert (runs / "three" / name).read_bytes() == (runs / NAME / name).read_bytes()
    for stage, output, name in (
        ("train", "out_of_fold", "out_of_fold.csv"),
        ("predict", "predictions", "predictions.csv"),
    ):
        for fold in (0, 1):
            one, three = (Path(entry(runs, run, stage, fold)["outputs"][output], name) for run in (NAME, "three"))
            assert three.read_bytes() == one.read_bytes(), (stage, fold)

    done = pipeline_py("rerun", "three", "predict", "--fold", "0", "--name", "again", *where, tree=place / "tree")
    assert done.returncode == 0, done.stdout + done.stderr
    three, again = (entry(runs, run, "predict", 0) for run in ("three", "again"))
    assert len(list(Path(again["inputs"]["examples"]).glob("test.tfrecord-*"))) == 3
    assert again["inputs"] == three["inputs"]
    assert files(again["outputs"]["predictions"]) == files(three["outputs"]["predictions"])
