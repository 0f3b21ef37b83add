"""A whole run on a disk that is full, or whose files may get no larger: an error in words each time, and then it goes on."""

import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from command_line import record, set_options, write_raw
from small_disk import PAGE, small_disk
from source_tree import shallow_tree
from trained_run import TINY

TRIES = 4
OPTIONS = set_options(TINY | {"folds": "[0]"})


def attempt(tree: Path, raw: Path, runs: Path, name: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [
        *before,
        sys.executable,
        str(tree / "pipeline.py"),
        "run",
        "--raw",
        str(raw),
        "--runs-dir",
        str(runs),
        "--name",
        name,
    ]
    environment = {"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "HOME": str(raw.parent)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # which Python cuts short, and believes, where it may not get as long
    return subprocess.run(
        [*command, *OPTIONS], cwd=tree, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def wrong_with(done: subprocess.CompletedProcess[str], words: str) -> str:
    """What is wrong with how a run without room ended; nothing where it said so, with the name of a file, and no traceback."""
    said = done.stdout + done.stderr
    named = re.search(rf"/\S+: {words}|{words}[^\n]*: '/", said)
    return "" if done.returncode == 1 and named and "Traceback" not in said else f"status {done.returncode}: {said[-2000:]}"


def test_a_run_on_a_full_disk_says_so_and_with_room_it_goes_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    raw, tree, moments = write_raw(tmp_path / "raw"), shallow_tree(tmp_path_factory), random.Random(5)
    with small_disk(tmp_path / "disk", megabytes=16) as disk:
        runs = disk.folder / "runs"
        wrong = []
        for pages in sorted(moments.sample(range(20), TRIES)):
            disk.leave(pages * PAGE)
            if text := wrong_with(attempt(tree, raw, runs, f"with-{pages}"), "No space left on device"):
                wrong.append(f"{pages} pages: {text}")
        disk.free()
        done = attempt(tree, raw, runs, "with-room")
        assert done.returncode == 0, done.stdout + done.stderr
        assert record(runs, "with-room")["state"] == "SUCCEEDED"
    record_property("count", f"{TRIES - len(wrong)} of {TRIES} runs on a full disk ended with a clear error, then one succeeded")
    assert "\n".join(wrong) == ""


def test_a_run_whose_files_may_get_no_larger_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    raw, tree, moments = write_raw(tmp_path / "raw"), shallow_tree(tmp_path_factory), random.Random(5)
    runs, wrong = tmp_path / "runs", []
    for size in sorted(moments.sample(range(200, 2000), TRIES)):
        done = attempt(tree, raw, runs, f"up-to-{size}", ["prlimit", f"--fsize={size}"])
        if text := wrong_with(done, "File too large"):
            wrong.append(f"{size} bytes: {text}")
    record_property("count", f"{TRIES - len(wrong)} of {TRIES} runs with a limit of a file's size ended with a clear error")
    assert "\n".join(wrong) == ""
