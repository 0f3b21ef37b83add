"""What stages wrote is read as they wrote it: a bit that flips, or an end that is lost, is refused by the file's name."""

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from kfp import dsl
from one_process_run import OUTPUTS, OneProcessRun

from components.contract import schema, verified
from components.contract.artifacts import write_manifest
from components.contract.verified import ChangedError, is_there, read_bytes, require_complete, unchanged
from launch.backends.local.cache.stage_cache import StageCache
from launch.backends.local.results import collect_results

FLIPS, TRUNCATIONS = 200, 50
READERS = {  # stage that wrote it, output, file: who is asked to read it; other files of the folder are read by the same
    ("resize_images", "images", ""): "write_tfrecords",
    ("resize_images", "catalog", ""): "generate_pairs",
    ("generate_pairs", "catalog", ""): "read_pairs",
    ("generate_pairs", "catalog", "stage.json"): "write_tfrecords",
    ("generate_pairs", "pairs", ""): "write_tfrecords",
    ("generate_pairs", "pairs", "train_pairs.csv"): "split_folds",
    ("split_folds", "folded_pairs", ""): "write_tfrecords",
    ("write_tfrecords", "examples", ""): "read_examples",
    ("write_tfrecords", "examples", "test.tfrecord-00000-of-00001"): "predict",
    ("write_tfrecords", "examples", "test_pairs.csv"): "predict",
    ("write_tfrecords", "tables", ""): "report",
    ("train", "model", ""): "predict",
    ("train", "history", ""): "calibrate",
    ("train", "out_of_fold", ""): "calibrate",
    ("predict", "predictions", ""): "calibrate",
    ("calibrate", "submission", ""): "report",
    ("calibrate", "submission", "metrics.json"): "score",
    ("calibrate", "submission", "submission_raw.csv"): "collect",
    ("calibrate", "submission", "submission_calibrated.csv"): "collect",
    ("report", "html", ""): "collect",
    ("report", "summary", ""): "collect",
}
FOR_PEOPLE = {  # no stage reads these, so that nothing depends on them
    ("write_tfrecords", "examples", "dataset.json"),
    ("write_tfrecords", "examples", "stage.json"),
    ("train", "history", "stage.json"),
}


class Damaged:
    """The tiny run, and what reads it."""

    def __init__(self, root: Path) -> None:
        self.run = OneProcessRun(root)
        self.said: list[str] = []
        self.cache = StageCache(str(root / "cache"), say=self.said.append)
        for stage, outputs in OUTPUTS.items():
            self.cache.put(stage, {name: dsl.Artifact(uri=str(self.run.place(stage, name))) for name in outputs})

    def collect(self) -> None:
        """What the launcher does when all stages have ended."""
        outputs = {
            stage: {name: str(self.run.place(stage, name)) for name in OUTPUTS[stage]} for stage in ("calibrate", "report")
        }
        digests = {outputs["report"][name]: self.run.counts[f"{name}_sha256"] for name in OUTPUTS["report"]}
        (self.run.root / "results").mkdir(exist_ok=True)
        collect_results(self.run.root / "results", outputs, digests)

    def reader(self, stage: str, path: Path) -> str:
        """Who is asked to read a file: a method of the run, `collect`, or nobody."""
        output = path.name if path.parent.name == stage.replace("_", "-") else path.parent.name
        if (stage, output, path.name) in FOR_PEOPLE:
            return ""
        return READERS.get((stage, output, path.name)) or READERS[stage, output, ""]

    def outcome(self, stage: str, path: Path) -> str:
        """What becomes of the damage that was done to a file."""
        self.said.clear()
        assert self.cache.get(stage) is None
        assert path.name in self.said[0], self.said
        reader = self.reader(stage, path)
        if not reader:
            return "read by no stage, refused by the cache"
        try:
            self.collect() if reader == "collect" else getattr(self.run, reader)()
        except (ValueError, FileNotFoundError) as error:
            named = str(path) in str(error) and f"Run {stage} again" in str(error)
            return "refused by name" if named else f"{path} refused without its name by {reader}: {error}"
        return f"{path} not refused by {reader}"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    return Damaged(tmp_path_factory.mktemp("run"))


def flipped(content: bytes, rng: random.Random) -> bytes:
    """The content with one bit the other way."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def cut(content: bytes, rng: random.Random) -> bytes:
    """The content without its end."""
    return content[: rng.randrange(len(content))]


@pytest.mark.parametrize(("number", "damage"), [(FLIPS, flipped), (TRUNCATIONS, cut)], ids=["flips", "truncations"])
def test_damage_anywhere_is_refused_by_name(
    damaged: Damaged, number: int, damage: Callable[[bytes, random.Random], bytes], record_property: Callable[[str, object], None]
) -> None:
    rng, outcomes = random.Random(12), Counter[str]()
    files = list(damaged.run.files())
    rng.shuffle(files)  # each in turn, so that none is left out
    for turn in range(number):
        stage, path = files[turn % len(files)]
        content, stat = path.read_bytes(), path.stat()
        path.write_bytes(damage(content, rng))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # not even the time tells
        try:
            outcomes[damaged.outcome(stage, path)] += 1
        finally:
            path.write_bytes(content)
    apart = outcomes.pop("read by no stage, refused by the cache", 0)
    assert set(outcomes) == {"refused by name"}, outcomes
    assert len(files) > 40
    kinds = len({path.parent.name + path.suffix for _, path in files})
    record_property(
        "count",
        f"{number} {damage.__name__}: {outcomes['refused by name']} refused by name, {apart} in files that no stage reads, and "
        f"the cache refused; {len(files)} files of {kinds} kinds",
    )


def test_what_is_not_damaged_is_taken_and_a_touched_file_is_a_hit(damaged: Damaged) -> None:
    for _, path in damaged.run.files():
        os.utime(path)
    assert [stage for stage in OUTPUTS if damaged.cache.get(stage) is None] == []
    damaged.collect()
    for reader in {name for name in READERS.values() if name != "collect"}:
        getattr(damaged.run, reader)()


def test_a_lost_file_is_refused_by_name_also_where_it_need_not_be_there(damaged: Damaged) -> None:
    for path, reader in [
        (damaged.run.place("calibrate", "submission") / "calibration.json", damaged.run.report),
        (next(damaged.run.place("write_tfrecords", "examples").glob("fold.1*")), damaged.run.read_examples),
        (next(damaged.run.place("resize_images", "images").glob("*.zip")), damaged.run.write_tfrecords),
    ]:
        content = path.read_bytes()
        path.unlink()
        try:
            with pytest.raises(FileNotFoundError, match=rf"{path.name}: missing, and \w+ wrote it. Run \w+ again"):
                reader()
        finally:
            path.write_bytes(content)


# The manifest itself.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    (tmp_path / "b.bin").write_bytes(b"")
    write_manifest(tmp_path, "split_folds")
    return tmp_path


def test_a_manifest_says_name_bytes_and_sha256_of_every_file(folder: Path) -> None:
    said = json.loads((folder / "manifest.json").read_text())
    expected = {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in (("a.csv", b"x\n1\n"), ("b.bin", b""))
    }
    assert {each["name"]: (each["bytes"], each["sha256"]) for each in said["files"]} == expected
    assert said["stage"] == "split_folds"
    assert read_bytes(folder / "a.csv") == b"x\n1\n"
    assert unchanged(folder / "b.bin") == folder / "b.bin"


def test_what_came_to_a_folder_later_is_refused(folder: Path) -> None:
    (folder / "c.csv").write_bytes(b"")
    with pytest.raises(ChangedError, match=r"c.csv: not among the files that split_folds wrote, by .*manifest.json. Run split"):
        read_bytes(folder / "c.csv")


def test_a_link_is_verified_by_the_manifest_beside_what_it_leads_to(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "a.csv"
    link.symlink_to(folder / "a.csv")
    assert read_bytes(link) == b"x\n1\n"
    (folder / "a.csv").write_bytes(b"x\n2\n")
    with pytest.raises(ChangedError, match=r"links0/a.csv: SHA-256 \w{12}\.\.\., and split_folds wrote"):
        read_bytes(link)


def test_what_is_older_than_manifests_is_read_and_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (schema.STAGE_RECORD, "a.csv"):
        (tmp_path / name).write_bytes(b"{}")
    assert [read_bytes(tmp_path / "a.csv"), read_bytes(tmp_path / "a.csv")] == [b"{}", b"{}"]
    assert is_there(tmp_path / "a.csv") and not is_there(tmp_path / "b.csv")
    require_complete(tmp_path)
    said = f"{tmp_path}: written before there was a manifest.json, so it is read as it is, without being verified\n"
    assert capsys.readouterr().out == said


def test_the_stage_behind_a_damaged_manifest_is_told_by_the_task_that_it_lies_in(tmp_path: Path) -> None:
    place = tmp_path / "write-tfrecords/examples"
    place.mkdir(parents=True)
    (place / "manifest.json").write_bytes(b"{")
    with pytest.raises(ChangedError, match=r"manifest.json: damaged \(JSONDecodeError: .*\). Run write_tfrecords again"):
        read_bytes(place / "manifest.json")
    assert verified.stage_of(tmp_path / "x") == "the stage that wrote it"
