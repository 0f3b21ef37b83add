"""`clean`: what goes, what stays because something needs it, and what is never touched."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from command_line import pipeline_py, states, write_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from launch_pipelines import main as run_pipeline
from run_folder import write_run_json

from launch.backends.local.cleaning import clean as cleaning
from launch.cli.main import main
from launch.runs.record import RunRecord
from pipeline import verdelta

SIZE = 1000  # bytes of the artifact of every made-up run


def made_up(runs: Path, name: str, day: int, *, uses: tuple[str, ...] = (), parent: dict[str, str] | None = None) -> Path:
    """A run that wrote one artifact and read that of others; returns the artifact."""
    artifact = runs / name / "artifacts/train/model"
    artifact.mkdir(parents=True)
    (artifact / "model.keras").write_bytes(SIZE * b"m")
    stages = [
        {
            "stage": "train", "fold": 0, "state": "executed", "seconds": 1.0,
            "inputs": {"examples": [str(runs / other / "artifacts/train/model") for other in uses]},
            "outputs": {"model": str(artifact)},
        }
    ]  # fmt: skip
    write_run_json(runs / name, started=f"2026-01-{day:02d}T10:00:00+00:00", stages=stages, parent=parent)
    return artifact


def clean(runs: Path, *arguments: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    """Cleans, and returns what was said."""
    assert main(verdelta, ["clean", "--runs-dir", str(runs), *arguments]) == status
    return capsys.readouterr().out


def names(runs: Path) -> set[str]:
    return {path.name for path in runs.iterdir()}


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def cache_entry(runs: Path, key: str, artifact: Path) -> Path:
    """An entry as kfp's cache writes it."""
    path = runs / ".cache" / f"{key * 64}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"model": {"__kfp_artifact__": True, "uri": str(artifact)}, "files": "0" * 64}))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return (tmp_path / "runs").resolve()


def test_the_newest_are_kept_and_the_bytes_of_the_others_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day, name in enumerate(("old", "middle", "new"), start=1):
        cache_entry(runs, "abc"[day - 1], made_up(runs, name, day)) if runs.exists() else made_up(runs, name, day)
    cache_entry(runs, "a", runs / "old/artifacts/train/model")
    sizes = {name: size_of(runs / name) for name in ("old", "middle")}
    entries = [(runs / ".cache" / f"{key * 64}.json").stat().st_size for key in "ab"]
    said = clean(runs, "--keep", "1", capsys=capsys)
    assert names(runs) == {"new", ".cache"}
    assert [path.name[0] for path in (runs / ".cache").iterdir()] == ["c"]
    for name, size in sizes.items():
        assert f"deleted   {name}  {size:,} bytes" in said
    assert f"freed {sum(sizes.values()) + sum(entries):,} bytes; runs that remain: 1" in said


def test_without_options_no_run_goes(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(runs, "failed", 1)
    assert clean(runs, capsys=capsys) == "freed 0 bytes; runs that remain: 1\n"


def test_older_than_goes_by_the_day_and_keep_protects(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(runs, "old", 1)
    write_run_json(runs / "future", started="2999-01-01T10:00:00")
    assert "runs that remain: 2" in clean(runs, "--older-than", "1", "--keep", "2", capsys=capsys)
    clean(runs, "--older-than", "1", capsys=capsys)
    assert names(runs) == {"future"}


def test_what_a_remaining_run_needs_stays_with_all_that_it_needs_itself(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(runs, "first", 1)
    made_up(runs, "second", 2, uses=("first",))
    made_up(runs, "alone", 3)
    made_up(runs, "third", 4, uses=("second",))
    said = clean(runs, "--keep", "1", capsys=capsys)
    assert names(runs) == {"first", "second", "third"}
    assert "kept      second: third needs it" in said and "kept      first: second needs it" in said


def test_the_parent_of_a_rerun_stays_as_its_record_is_needed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(runs, "parent", 1)
    made_up(runs, "rerun", 2, parent={"run": "parent", "stage": "report", "kind": "rerun"})
    made_up(runs, "trained", 1)
    made_up(runs, "scored", 3, parent={"run": "trained", "stage": "", "kind": "score"})  # which needs artifacts alone
    clean(runs, "--keep", "2", capsys=capsys)
    assert names(runs) == {"parent", "rerun", "scored"}


def test_a_run_that_is_going_on_is_not_touched(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "going").mkdir(parents=True)
    record = RunRecord(runs / "going", None, {})
    (runs / "going/.scratch-x").mkdir()
    (runs / ".sample/0123456789abcdef").mkdir(parents=True)  # of which the run may be made: its record does not say yet
    try:
        assert "kept      going: it is going on" in clean(runs, "--keep", "0", capsys=capsys)
        assert (runs / "going/.scratch-x").is_dir() and (runs / ".sample/0123456789abcdef").is_dir()
        with pytest.raises(BlockingIOError):  # one that began after the runs were looked at
            cleaning.delete_run(runs / "going")
    finally:
        record.close()
    clean(runs, "--keep", "0", capsys=capsys)
    assert names(runs) == {".sample"}


def test_links_are_not_followed(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    made_up(outside, "linked", 1)
    cache_entry(outside, "a", tmp_path / "gone")
    made_up(runs, "old", 1)
    (runs / "old/artifacts/elsewhere").symlink_to(outside)
    (runs / "linked").symlink_to(outside / "linked")
    (runs / ".cache").symlink_to(outside / ".cache")
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    said = clean(runs, "--keep", "0", capsys=capsys)
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before
    assert names(runs) == {"linked", ".cache"}
    assert "linked: a link, which is not followed" in said and "kept      .cache: " in said


def test_a_folder_that_is_no_run_is_left_alone(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "notes").mkdir(parents=True)
    (runs / "notes/mine.txt").write_text("mine")
    (runs / ".git").mkdir()
    said = clean(runs, "--keep", "0", capsys=capsys)
    assert (runs / "notes/mine.txt").is_file()
    assert "kept      notes: its run.json is missing" in said and "kept      .git: not known to be of verdelta" in said


def test_a_dry_run_says_the_same_and_deletes_nothing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day, name in enumerate(("old", "new"), start=1):
        made_up(runs, name, day)
    cache_entry(runs, "a", runs / "old/artifacts/train/model")
    before = sorted(runs.rglob("*"))
    dry = clean(runs, "--keep", "1", "--dry-run", capsys=capsys)
    assert sorted(runs.rglob("*")) == before
    done = clean(runs, "--keep", "1", capsys=capsys)
    assert dry.replace("would go ", "deleted  ").replace("would free", "freed") == done


def test_a_deletion_that_was_stopped_leaves_no_half_run_and_is_finished_later(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(runs, "old", 1)

    def stopped(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            (path / "run.json").unlink()
            raise PermissionError(13, "Permission denied", str(path / "artifacts"))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stopped)
        assert "NOT DONE  old: Permission denied: " in clean(runs, "--keep", "0", capsys=capsys, status=1)
    assert names(runs) == {".deleting-old"}
    assert main(verdelta, ["list", "--runs-dir", str(runs)]) == 0
    assert capsys.readouterr().out.startswith("No runs in ")
    assert f"deleted   .deleting-old  {SIZE:,} bytes" in clean(runs, capsys=capsys)
    assert names(runs) == set()


def test_what_killed_stages_left_goes_and_what_is_shared_with_mlflow_frees_nothing(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = made_up(runs, "one", 1)
    (runs / "one/.scratch-abc").mkdir()
    (artifact / ".partial-0123.keras").write_bytes(b"half")
    (runs / ".mlflow").mkdir()
    os.link(artifact / "model.keras", runs / ".mlflow/model.keras")
    clean(runs, capsys=capsys)
    assert not (runs / "one/.scratch-abc").exists() and not (artifact / ".partial-0123.keras").exists()
    size = size_of(runs / "one") - SIZE
    assert f"deleted   one  {size:,} bytes" in clean(runs, "--keep", "0", capsys=capsys)
    assert (runs / ".mlflow/model.keras").stat().st_size == SIZE


def test_sample_data_goes_with_the_last_run_that_is_made_of_it_and_programs_with_the_last_of_all(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(runs, "real", 2)
    sample, program, state = runs / ".sample/0123456789abcdef", runs / ".programs/p", runs / ".training/t"
    for path in (sample, program, state):
        path.mkdir(parents=True)
    stages = [{"stage": "resize_images", "fold": None, "inputs": {"raw": str(sample)}, "outputs": {}}]
    write_run_json(runs / "sampled", started="2026-01-01T10:00:00+00:00", stages=stages)
    clean(runs, capsys=capsys)
    assert sample.exists() and program.exists() and state.exists()
    clean(runs, "--keep", "1", capsys=capsys)
    assert not sample.exists() and program.exists() and state.exists()
    os.utime(state, (0, 0))
    clean(runs, "--older-than", "36500", capsys=capsys)
    assert state.exists()  # 1970 is less than a hundred years ago
    clean(runs, "--older-than", "10000", capsys=capsys)
    assert not state.exists() and program.exists()
    clean(runs, "--keep", "0", capsys=capsys)
    assert names(runs) == {".sample", ".programs", ".training"} and not program.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep", "-1"], "--keep -1: expected a number of runs"),
        (["--older-than", "nan"], "--older-than nan: expected a number of days"),
        (["--older-than", "-1"], "--older-than -1: expected a number of days"),
        (["--runs-dir", "nowhere"], "nowhere: no such folder. Expected a folder of runs"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(verdelta, ["clean", "--runs-dir", tempfile.gettempdir(), *arguments]) == 2
    assert message in capsys.readouterr().err


@settings(max_examples=60)
@given(st.data())
def test_no_remaining_run_ever_lacks_what_its_record_names(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 7))
    used = [data.draw(st.sets(st.integers(0, each - 1), max_size=3)) if each else set() for each in range(number)]
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder).resolve() / "runs"
        for each in range(number):
            made_up(runs, f"run{each}", each + 1, uses=tuple(f"run{other}" for other in used[each]))
        keep = data.draw(st.integers(0, number))
        main(verdelta, ["clean", "--runs-dir", str(runs), "--keep", str(keep)])
        left = {int(name.removeprefix("run")) for name in names(runs)}
    newest, needed = set(range(number - keep, number)), set(range(number - keep, number))
    while more := {other for each in needed for other in used[each]} - needed:
        needed |= more
    assert newest <= left and left == needed


def test_real_runs_that_share_the_cache_stay_whole(runs: Path, tmp_path: Path) -> None:
    raw = str(write_raw(tmp_path / "raw"))

    def run(name: str, **values: object) -> dict[str, str]:
        assert run_pipeline("tables", str(runs), name, json.dumps({"raw": raw, **values})) == 0
        return states(runs, name)

    assert set(run("1").values()) == {"executed"}
    assert set(run("2").values()) == {"cached"}
    assert run("3", shuffle_seed=7) == {"resize_images": "cached", "generate_pairs": "cached", "split_folds": "executed"}
    done = pipeline_py("clean", "--runs-dir", str(runs), "--keep", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "kept      1: 3 needs it" in done.stdout and "deleted   2  " in done.stdout
    assert set(run("4", shuffle_seed=7).values()) == {"cached"}
    assert pipeline_py("clean", "--runs-dir", str(runs), "--keep", "0").returncode == 0
    assert names(runs) - {".alive"} == {".cache"} and not any((runs / ".cache").iterdir())
    assert set(run("5").values()) == {"executed"}
    assert "\n5  " in pipeline_py("list", "--runs-dir", str(runs)).stdout


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
