"""Local runs: what is cached, what is recorded, what a person sees, and how a run fails. Real processes, real kfp."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import captured, entry, in_process, pipeline_py, record, set_options, states, write_raw
from kfp import dsl
from launch_pipelines import main as run_pipeline
from PIL import Image
from trained_run import TINY, copy_of_trained_run

from components.images import ROOT
from components.raw.storage import content_digest
from launch.backends.local.cache.stage_cache import StageCache
from launch.backends.local.cleaning.leftovers import among_runs
from launch.runs.checkpoint import pin_checkpoint

STAGES = ["resize_images", "generate_pairs", "split_folds"]
EQUAL_PAIRS = {"split_folds": "cached"}  # of pairs that were made anew and are what they were, to the byte
ONE_FOLD = "[1]"  # of the two of a trained run: the stages of the other do the same


def launch(tree: Path, pipeline: str, runs: Path, name: str, parameters: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Runs a pipeline of tests/support/launch_pipelines.py with the code in `tree`."""
    command = [sys.executable, "tests/support/launch_pipelines.py", pipeline, str(runs), name, json.dumps(parameters)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600, check=False)


def launch_here(pipeline: str, runs: Path, name: str, parameters: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """The same with this code and in this process, which saves a second of imports."""
    return captured(run_pipeline, pipeline, str(runs), name, json.dumps(parameters))


# Caching. Every test below starts from one finished run, `first`, in a cache of its own.


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(tree, raw, runs) after one run of the stages without tensors."""
    place = tmp_path_factory.mktemp("finished")
    tree = place / "tree with a space"
    for folder in ("components", "launch", "requirements"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "docker").mkdir(exist_ok=True)  # a folder that Python could take for the package `docker`
    (tree / "tests/support").mkdir(parents=True)
    shutil.copy(ROOT / "tests/support/launch_pipelines.py", tree / "tests/support")
    raw, runs = write_raw(place / "raw"), place / "runs"
    done = launch(tree, "tables", runs, "first", {"raw": str(raw)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert states(runs, "first") == dict.fromkeys(STAGES, "executed")
    return tree, raw, runs


@pytest.fixture
def workplace(finished: tuple[Path, Path, Path], tmp_path: Path) -> tuple[Path, Path, Path]:
    """The finished run with a cache and a source tree that the test may spoil; the run's own folder is shared."""
    tree, raw, runs = finished
    copy = shutil.copytree(tree, tmp_path / "tree")
    (tmp_path / "runs").mkdir()
    shutil.copytree(runs / ".cache", tmp_path / "runs/.cache")
    return copy, raw, tmp_path / "runs"


def test_a_second_run_executes_nothing_even_from_another_folder(workplace: tuple[Path, Path, Path]) -> None:
    tree, raw, runs = workplace
    done = launch(tree, "tables", runs, "second", {"raw": str(raw)})
    assert (done.returncode, states(runs, "second")) == (0, dict.fromkeys(STAGES, "cached"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"num_folds": 3}, ["cached", "cached", "failed"]),  # three folds of two series: split_folds ran, and said so
        ({"jpeg_quality": 70}, ["executed", "executed", "cached"]),  # the pairs are what they were, to the byte
    ],
)
def test_a_changed_parameter_executes_its_stage_and_what_it_changes_something_for(
    workplace: tuple[Path, Path, Path], changed: dict[str, int], expected: list[str]
) -> None:
    tree, raw, runs = workplace
    launch(tree, "tables", runs, "second", {"raw": str(raw), **changed})
    assert states(runs, "second") == dict(zip(STAGES, expected, strict=True))


@pytest.mark.parametrize(
    ("path", "executed"),
    [
        ("components/split_folds/split.py", ["split_folds"]),
        ("components/generate_pairs/component.py", ["generate_pairs"]),  # whose pairs are what they were
        ("requirements/data.txt", STAGES),  # another version of a library
        ("components/generate_pairs/README.md", []),
        ("components/train/fit.py", []),  # no stage of this pipeline imports it
    ],
)
def test_a_changed_source_executes_the_stages_that_have_it(
    workplace: tuple[Path, Path, Path], path: str, executed: list[str]
) -> None:
    tree, raw, runs = workplace
    with (tree / path).open("a") as file:
        file.write("\nANOTHER = 'version'\n")
    assert launch(tree, "tables", runs, "second", {"raw": str(raw)}).returncode == 0
    assert states(runs, "second") == {stage: "executed" if stage in executed else "cached" for stage in STAGES}


def test_changed_bytes_of_a_photo_execute_from_resize_on(workplace: tuple[Path, Path, Path]) -> None:
    tree, raw, runs = workplace
    photo = raw / "train_dataset/BC/BC_01/DAT01.png"
    content, stat = photo.read_bytes(), photo.stat()
    try:
        Image.new("RGB", (20, 20), (1, 2, 3)).save(photo)
        os.utime(photo, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # not even the time tells
        assert launch(tree, "tables", runs, "second", {"raw": str(raw)}).returncode == 0
    finally:
        photo.write_bytes(content)
    assert states(runs, "second") == dict.fromkeys(STAGES, "executed") | EQUAL_PAIRS


def test_a_deleted_run_is_made_anew(workplace: tuple[Path, Path, Path]) -> None:
    tree, raw, runs = workplace
    assert launch(tree, "tables", runs, "base", {"raw": str(raw), "image_size": 17}).returncode == 0
    shutil.rmtree(runs / "base")
    assert launch(tree, "tables", runs, "again", {"raw": str(raw), "image_size": 17}).returncode == 0
    assert states(runs, "again") == dict.fromkeys(STAGES, "executed") | EQUAL_PAIRS


@pytest.mark.parametrize("damage", ["none", "folder emptied", "folder lost", "file edited", "file lost", "file added"])
def test_a_hit_needs_the_files_as_the_stage_left_them(tmp_path: Path, damage: str) -> None:
    folder, page = tmp_path / "out/images", tmp_path / "out/page"
    (folder / "BC").mkdir(parents=True)
    photo = folder / "BC/DAT01.jpg"
    photo.write_bytes(b"abc")
    page.write_text("one file, no folder")
    outputs = {"images": dsl.Dataset(uri=str(folder)), "page": dsl.HTML(uri=str(page), metadata={"bytes": 19})}
    StageCache(str(tmp_path / "cache")).put("key", outputs)
    if damage == "folder emptied":
        shutil.rmtree(folder / "BC")
    elif damage == "folder lost":
        shutil.rmtree(folder)
    elif damage == "file edited":
        photo.write_bytes(b"abd")
    elif damage == "file lost":
        photo.unlink()
    elif damage == "file added":
        (folder / "DAT02.jpg").touch()
    found = StageCache(str(tmp_path / "cache")).get("key")
    if damage == "none":
        assert found is not None
        assert {name: (type(each), each.uri, each.metadata) for name, each in found.items()} == {
            "images": (dsl.Dataset, str(folder), {}),
            "page": (dsl.HTML, str(page), {"bytes": 19}),
        }
    else:
        assert found is None


def test_two_runs_at_once_do_not_disturb_each_other(workplace: tuple[Path, Path, Path]) -> None:
    tree, raw, runs = workplace
    command = [sys.executable, "tests/support/launch_pipelines.py", "tables", str(runs)]
    parameters = json.dumps({"raw": str(raw), "image_size": 18})
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    both = [subprocess.Popen([*command, name, parameters], cwd=tree, env=environment, stdout=subprocess.DEVNULL) for name in "ab"]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    for name in "ab":
        assert list(states(runs, name)) == STAGES
        assert str(runs / name) in str(record(runs, name)["stages"]) or "cached" in states(runs, name).values()
    assert launch(tree, "tables", runs, "third", {"raw": str(raw), "image_size": 18}).returncode == 0
    assert states(runs, "third") == dict.fromkeys(STAGES, "cached")


# The record, and what a person sees.


def test_the_record_holds_inputs_outputs_and_seconds_in_data_order(finished: tuple[Path, Path, Path]) -> None:
    _, raw, runs = finished
    run = record(runs, "first")
    assert (run["name"], run["preset"], run["state"], run["error"]) == ("first", None, "SUCCEEDED", None)
    resize, pairs, folds = run["stages"]
    assert resize["inputs"].pop("raw_digest") == content_digest(raw)
    own = {
        "image_size": 16,
        "jpeg_quality": 75,
        "on_bad_photo": "fail",
        "days_from": "name",
        "on_equal_photos": "fail",
        "shard": 0,
        "num_shards": 1,
    }
    assert resize["inputs"] == {"raw": str(raw)} | own
    assert set(resize["outputs"]) == {"images", "catalog"}
    assert pairs["inputs"] == {"catalogs": [resize["outputs"]["catalog"]]}
    assert folds["inputs"] == {"pairs": pairs["outputs"]["pairs"], "num_folds": 2, "shuffle_seed": 34}
    assert all(Path(uri).is_dir() and Path(uri).is_relative_to(runs / "first") for uri in resize["outputs"].values())
    assert all(entry["seconds"] > 0 for entry in run["stages"])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(runs, terminal) of a run with a loop in which all goes well."""
    runs = tmp_path_factory.mktemp("good")
    done = launch(ROOT, "moods", runs, "good", {})
    assert done.returncode == 0, done.stdout + done.stderr
    return runs, done.stdout + done.stderr


def test_stages_of_a_loop_are_recorded_by_fold_and_collected_in_order(good: tuple[Path, str]) -> None:
    runs, _ = good
    assert states(runs, "good") == {"work[0]": "executed", "work[1]": "executed", "read": "executed"}
    entries = {(entry["stage"], entry["fold"]): entry for entry in record(runs, "good")["stages"]}
    written = [entries["work", fold]["outputs"]["note"] for fold in (0, 1)]
    assert entries["read", None]["inputs"]["notes"] == written


def test_metrics_are_kept_as_a_file_and_so_can_be_cached(good: tuple[Path, str]) -> None:
    runs, _ = good
    scores = record(runs, "good")["stages"][0]["outputs"]["scores"]
    assert json.loads(Path(scores).read_text(encoding="utf-8")) == {"score": 1.5}
    assert launch_here("moods", runs, "again", {}).returncode == 0
    assert set(states(runs, "again").values()) == {"cached"}


def test_the_terminal_shows_stages_and_their_lines_but_not_kfp(good: tuple[Path, str]) -> None:
    runs, terminal = good
    lines = [" ".join(line.split()) for line in terminal.splitlines()]
    assert [line for line in lines if "work[0]" in line][:2] == ["work[0] started", "work[0] | mood good"]
    assert any(line.startswith("read executed ") and line.endswith(" s") for line in lines)
    assert len(lines) == 8, terminal  # started, its one line, executed; read prints nothing
    assert "KFP" not in terminal
    assert "Executing task" in (runs / "good/run.log").read_text()
    assert "mood good" in (runs / "good/logs/work-1.log").read_text()


# Failing.


@pytest.mark.parametrize(
    ("parameters", "state", "error"),
    [
        ({"broken_fold": 1}, "failed", "work[1]: ValueError: fold 1 is broken,\nmend it"),
        ({"mood": "forgetful"}, "failed", "did not write note, which it declares as output"),
        ({"mood": "killed"}, "failed", "ended by SIGKILL: most often the machine ran out of memory"),
        ({"mood": "full"}, "failed", "No space left on device; free some space on the disk."),
    ],
)
def test_a_failing_stage_ends_the_run_with_its_reason(tmp_path: Path, parameters: dict[str, Any], state: str, error: str) -> None:
    done = launch_here("moods", tmp_path, "bad", {"folds": [1], **parameters})
    run = record(tmp_path, "bad")
    assert (done.returncode, run["state"], states(tmp_path, "bad")) == (1, "FAILED", {"work[1]": state})
    assert error in run["error"]
    assert "Traceback" not in done.stdout + done.stderr
    again = launch_here("moods", tmp_path, "again", {"folds": [1], **parameters})
    assert (again.returncode, states(tmp_path, "again")) == (1, {"work[1]": "failed"}), "a failure is never a cache hit"


def test_folds_that_succeeded_are_kept_when_another_fails(tmp_path: Path) -> None:
    assert launch_here("moods", tmp_path, "bad", {"broken_fold": 1}).returncode == 1
    assert states(tmp_path, "bad") == {"work[0]": "executed", "work[1]": "failed"}
    assert launch_here("moods", tmp_path, "next", {"broken_fold": 1, "folds": [0]}).returncode == 0
    assert states(tmp_path, "next") == {"work[0]": "cached", "read": "executed"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_never_looks_complete_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    runs = tmp_path / "runs"
    parameters = json.dumps({"mood": "slow", "folds": [0]})
    command = [sys.executable, "tests/support/launch_pipelines.py", "moods", str(runs), "slow", parameters]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while "mood slow" not in process.stdout.readline():
            assert process.poll() is None
        assert listed(runs)[0][1] == "RUNNING"
        process.send_signal(number)
        assert process.wait(timeout=120) != 0
        assert record(runs, "slow")["state"] == "FAILED"
        assert listed(runs)[0][1] == "FAILED"
        if number == signal.SIGKILL:  # after which nobody waits for its stages
            deadline = time.monotonic() + 60
            while processes_of(runs) and time.monotonic() < deadline:
                time.sleep(0.05)
        assert processes_of(runs) == []
    finally:
        for left in processes_of(runs):
            os.kill(left, signal.SIGKILL)
    with among_runs(runs):
        assert list(tmp_path.glob("verdelta-*")) == []


def test_a_stage_that_is_told_to_end_hears_it_and_may_take_its_time(tmp_path: Path) -> None:
    """As a training does, which saves its state: kfp starts a stage from a shell, which would end at the signal."""
    command = [sys.executable, "tests/support/launch_pipelines.py", "moods", str(tmp_path / "runs"), "saving"]
    parameters = json.dumps({"mood": "saving", "folds": [0]})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, parameters], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "mood saving" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert "saved" in (tmp_path / "runs/saving/logs/work-0.log").read_text()


@pytest.mark.parametrize(("before", "ends"), [(["env", "--default-signal=HUP"], True), (["nohup"], False)])
def test_a_closed_terminal_ends_a_run_but_not_under_nohup(tmp_path: Path, before: list[str], ends: bool) -> None:
    runs = tmp_path / "runs"
    command = [
        sys.executable,
        "tests/support/launch_pipelines.py",
        "moods",
        str(runs),
        "slow",
        json.dumps({"mood": "slow", "folds": [0]}),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([*before, *command], cwd=ROOT, env=environment, **pipes)
    try:
        assert process.stdout is not None
        while "mood slow" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        if ends:
            assert process.wait(timeout=120) != 0
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) != 0
    finally:
        for left in processes_of(runs):
            os.kill(left, signal.SIGKILL)


def processes_of(runs: Path) -> list[int]:
    """The processes whose command line names the folder."""
    return [
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if entry.exists() and str(runs) in entry.read_bytes().decode(errors="replace")
    ]


# The command line.


def listed(runs: Path) -> list[list[str]]:
    """The rows of `list`, as words."""
    done = in_process("list", "--runs-dir", str(runs))
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()[1:]]


def test_a_bad_photo_ends_the_run_naming_stage_file_and_log(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    bad = raw / "train_dataset/BC/BC_01/DAT02.png"
    bad.write_bytes(bad.read_bytes()[:40])
    done = pipeline_py("run", "--raw", str(raw), "--runs-dir", str(tmp_path / "runs"), "--name", "bad", "--set", "image_size=16")
    assert done.returncode == 1
    assert "\nFAILED: stage resize_images: ValueError: " in done.stdout
    assert "DAT02.png" in done.stdout
    assert f"log: {tmp_path}/runs/bad/logs/resize_images.log" in done.stdout
    assert "taken from the cache" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "Traceback" in (tmp_path / "runs/bad/logs/resize_images.log").read_text()
    assert record(tmp_path / "runs", "bad")["state"] == "FAILED"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--raw", "{tmp}/nowhere"], "{tmp}/nowhere: no such folder"),
        (["--raw", "{tmp}"], "no photo found"),
        (["--sample", "--set", "learning_rat=1"], "Did you mean learning_rate?"),
        (["--sample", "--set", "folds=[9]"], "9 is not one of the num_folds=5 folds"),
        (["--sample", "--name", "taken"], "taken: a run of this name exists; choose another --name"),
        (["--sample", "--name", "../elsewhere"], "--name ../elsewhere: expected letters"),
        (["--sample", "--preset", "best"], "invalid choice: 'best'"),
        ([], "one of the arguments --sample --raw is required"),
    ],
)
def test_a_command_that_cannot_be_is_refused_before_anything_runs(tmp_path: Path, arguments: list[str], message: str) -> None:
    runs = tmp_path / "runs"
    (runs / "taken").mkdir(parents=True)
    done = in_process("run", *(argument.format(tmp=tmp_path) for argument in arguments), "--runs-dir", str(runs))
    assert (done.returncode, done.stdout) == (2, "")
    assert message.format(tmp=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in runs.iterdir()] == ["taken"]


def test_help_holds_every_parameter() -> None:
    from launch.runs.parameters import table

    assert table() in in_process("run", "--help").stdout


def test_list_shows_what_differs_and_lives_with_broken_folders(tmp_path: Path) -> None:
    for name, day, rate, error in (("one", 2, 0.1, 3.14159), ("two", 1, 0.2, 2.5)):
        content = {
            "name": name,
            "preset": "smoke",
            "state": "SUCCEEDED",
            "error": None,
            "started": f"2026-01-0{day}T10:00:00",
            "parameters": {"learning_rate": rate, "epochs": 3},
            "stages": [],
            "metrics": {"validation_rmse_days": error},
        }
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(content))
    for name, text in (("half", '{"name": "half", "sta'), ("list", "[]"), ("old", '{"name": "old"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a file").write_text("")
    done = in_process("list", "--runs-dir", str(tmp_path))
    header, *rows = [line.split() for line in done.stdout.splitlines()]
    assert header == ["name", "state", "preset", "started", "learning_rate", "validation"]
    assert sorted(row[0] for row in rows[:4]) == ["empty", "half", "list", "old"]
    assert {row[1] for row in rows[:4]} == {"BROKEN"}
    assert rows[4:] == [  # by start, not by name
        ["two", "SUCCEEDED", "smoke", "2026-01-01", "10:00", "0.2", "2.50"],
        ["one", "SUCCEEDED", "smoke", "2026-01-02", "10:00", "0.1", "3.14"],
    ]


def test_list_of_no_runs_says_how_to_start_one(tmp_path: Path) -> None:
    done = in_process("list", "--runs-dir", str(tmp_path / "none"))
    assert done.returncode == 0
    assert "python pipeline.py run --sample --preset smoke" in done.stdout


def test_a_checkpoint_file_is_pinned_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("weights.h5").write_bytes(b"one")
    given = {"checkpoint": "weights.h5", "checkpoint_digest": ""}
    one = pin_checkpoint(given)
    assert one == {"checkpoint": str(tmp_path / "weights.h5"), "checkpoint_digest": hashlib.sha256(b"one").hexdigest()}
    Path("weights.h5").write_bytes(b"two")
    assert pin_checkpoint(given)["checkpoint_digest"] == hashlib.sha256(b"two").hexdigest()
    assert pin_checkpoint({**given, "checkpoint_digest": "abc"}) == {}
    Path("imagenet").write_bytes(b"a file of that name is not meant")
    assert pin_checkpoint({**given, "checkpoint": "imagenet"}) == pin_checkpoint({**given, "checkpoint": "no.h5"}) == {}


# All of it, with TensorFlow: slow, and therefore once.


def test_all_stages_cached_and_changed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is repeated without a cache: test_fan_out.py."""
    place = copy_of_trained_run(tmp_path_factory)
    runs = place / "runs"
    assert set(states(runs, "first").values()) == {"executed"}
    second = run_again(place, "second")
    assert set(states(runs, "second").values()) == {"cached"}
    third = run_again(place, "third", learning_rate=0.5, folds=ONE_FOLD)
    assert states(runs, "third") == {
        "resize_images": "cached",
        "generate_pairs": "cached",
        "split_folds": "cached",
        "write_tfrecords": "cached",
        "train[1]": "executed",
        "predict[1]": "executed",
        "calibrate": "executed",
        "report": "executed",
    }
    for name, done in (("second", second), ("third", third)):
        assert done.returncode == 0, done.stdout + done.stderr
        files = {path.name for path in (runs / name).iterdir()}
        tables = {"submission_raw.csv", "submission_calibrated.csv", "intervals.csv"}
        assert tables | {"report.html", "summary.md", "run.json"} <= files
        assert {"baseline_rmse_days", "validation_rmse_days"} <= set(record(runs, name)["metrics"])
        assert str(runs / name / "report.html") in done.stdout
    for name in ("submission_raw.csv", "submission_calibrated.csv"):
        assert (runs / "second" / name).read_bytes() == (runs / "first" / name).read_bytes()
    # not the submission, which is floored, to the same days where little was learned
    assert predicted(runs, "third") != predicted(runs, "second") == predicted(runs, "first")


def test_of_changed_settings_of_train_a_help_text_executes_nothing_and_a_default_what_it_can_change(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = copy_of_trained_run(tmp_path_factory)
    tree = shutil.copytree((place / "tree").resolve(), place / "changed")
    (place / "tree").unlink()
    (place / "tree").symlink_to(tree)
    edit(tree / "components/train/settings.py", "Passes over as many pairs", "How often one sees as many pairs")
    done = run_again(place, "helped")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(states(place / "runs", "helped").values()) == {"cached"}
    edit(tree / "components/train/settings.py", "547_895", "547_896")
    done = run_again(place, "reseeded", folds=ONE_FOLD)
    assert done.returncode == 0, done.stdout + done.stderr
    found = states(place / "runs", "reseeded")
    assert {stage for stage, state in found.items() if state == "cached"} == {
        "resize_images", "generate_pairs", "split_folds", "write_tfrecords"
    }  # fmt: skip
    assert record(place / "runs", "reseeded")["parameters"]["seed"] == 547_896


def edit(path: Path, old: str, new: str) -> None:
    """Replaces a text that the file has once, a second later than before: by that Python tells bytecode of as many bytes."""
    text, second = path.read_text(encoding="utf-8"), int(path.stat().st_mtime) + 1
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(path, (second, second))


def predicted(runs: Path, name: str) -> bytes:
    """What a run's model of fold 1 predicts for the test pairs."""
    return Path(entry(runs, name, "predict", 1)["outputs"]["predictions"], "predictions.csv").read_bytes()


def run_again(place: Path, name: str, **changed: object) -> subprocess.CompletedProcess[str]:
    """Does what made the run `first` of `place`, on the same raw folder, but for `changed` parameters."""
    raw = record(place / "runs", "first")["stages"][0]["inputs"]["raw"]
    options = [*set_options(TINY | changed), "--parallel", "2"]
    return pipeline_py("run", "--raw", raw, "--runs-dir", str(place / "runs"), "--name", name, *options, tree=place / "tree")
