"""Names that hold control characters are shown escaped by every command, in errors, in lists and in what stages say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import in_process, pipeline_py, write_raw
from launch_pipelines import main as run_pipeline
from PIL import Image
from run_folder import write_run_json

from components.contract.shown import one_line, shown
from components.images import ROOT
from components.report.page import as_markdown
from components.resize_images.component import resize_images
from launch.cli.list import aligned
from launch.runs.parameters import resolve

EVIL = "=1+1\x1b[31m\x07\u202e\nSUCCEEDED"
RAW_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]")


def evil_series(raw: Path, name: str = EVIL, shade: int = 7) -> None:
    folder = raw / "train_dataset/BC" / name
    folder.mkdir()
    for day in (1, 2):
        Image.new("RGB", (20, 20), (day, 200, shade)).save(folder / f"DAT0{day}.png")


def test_what_is_no_text_is_escaped_and_all_else_is_left() -> None:
    assert shown("a\x1b[2Jb\x9bc\x7f\r\n\td é 葉 👩\u200d🌾") == "a\\x1b[2Jb\\x9bc\\x7f\\r\n\td é 葉 👩\u200d🌾"
    assert one_line("a\nb\tc") == r"a\nb\tc"
    assert shown("left\u202eright\u2066\u2028") == r"left\u202eright\u2066\u2028"
    assert shown(b"\xff.png".decode("utf-8", "surrogateescape")).encode() == rb"\udcff.png"  # a name that is no UTF-8
    assert "\x1b" not in as_markdown("a\x1bb")
    assert aligned([("name", "state"), ("a\x1b\nrow", "SUCCEEDED")]) == "name        state\na\\x1b\\nrow  SUCCEEDED"


@pytest.mark.parametrize("command", [["check"], ["run", "--name", "x"]])
def test_a_dataset_of_evil_names_is_shown_escaped_and_in_one_line(tmp_path: Path, command: list[str]) -> None:
    raw = write_raw(tmp_path / "raw")
    evil_series(raw)
    (raw / "train_dataset/BC" / EVIL / "DAT02.png").write_bytes(b"no photo")
    runs = ["--runs-dir", str(tmp_path / "runs"), "--set", "image_size=16"] if command[0] == "run" else []
    done = pipeline_py(*command, "--raw", str(raw), *runs)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert not RAW_CONTROL.search(said.replace("\r", "")), said
    assert r"=1+1\x1b[31m\x07\u202e\nSUCCEEDED" in said
    assert not (command == ["check"] and re.search("^SUCCEEDED", said, re.MULTILINE))


def test_a_stage_escapes_what_it_says_and_the_error_that_ends_it_wherever_it_runs(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    evil_series(raw)
    (raw / "train_dataset/BC" / EVIL / "DAT02.png").write_bytes(b"no photo")
    container = resize_images.component_spec.implementation.container
    program = tmp_path / "ephemeral_component.py"
    program.write_text(container.command[3])
    outputs = {name: {"artifacts": [{"name": name, "uri": str(tmp_path / name)}]} for name in ("images", "catalog")}
    values = resolve({}, {}) | {"raw": str(raw), "raw_digest": "", "shard": 0, "splits": ["train", "test"]}
    asked = {
        "inputs": {"parameterValues": {name: values[name] for name in resize_images.component_spec.inputs}},
        "outputs": {"artifacts": outputs, "outputFile": str(tmp_path / "outputs.json")},
    }
    assert "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main" in container.command[2]
    command = [sys.executable, "-m", "kfp.dsl.executor_main", "--component_module_path", str(program)]
    command += ["--executor_input", json.dumps(asked), "--function_to_execute", "resize_images"]
    environment = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for said in (done.stdout, done.stderr):
        assert not RAW_CONTROL.search(said.replace("\r", "")), said
        assert r"=1+1\x1b[31m\x07\u202e" in said


def test_errors_and_lists_show_names_escaped(tmp_path: Path) -> None:
    missing = in_process("check", "--raw", str(tmp_path / "no\x1b[31mwhere"))
    assert not RAW_CONTROL.search(missing.stdout + missing.stderr) and r"no\x1b[31mwhere" in missing.stdout + missing.stderr
    refused = in_process("run", "--raw", str(tmp_path), "--name", "a\x1bb", "--runs-dir", str(tmp_path / "runs"))
    assert not RAW_CONTROL.search(refused.stderr) and refused.returncode == 2
    write_run_json(tmp_path / "runs" / "evil\x1b[2J\nrow", started="2026-01-01T10:00:00")
    listed = in_process("list", "--runs-dir", str(tmp_path / "runs")).stdout
    assert not RAW_CONTROL.search(listed) and len(listed.splitlines()) == 2 and r"evil\x1b[2J\nrow" in listed


def test_logs_hold_no_control_characters_and_tables_no_formulas(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    raw = write_raw(tmp_path / "raw")
    evil_series(raw)
    evil_series(raw, "-3.5", shade=8)
    assert run_pipeline("tables", str(tmp_path / "runs"), "one", json.dumps({"raw": str(raw)})) == 0
    capfd.readouterr()
    for log in (tmp_path / "runs/one/logs").iterdir():
        assert not RAW_CONTROL.search(log.read_text()), log
    tables = [path for path in (tmp_path / "runs/one/artifacts").rglob("*.csv") if path.name in ("images.csv", "train_pairs.csv")]
    assert len(tables) >= 4
    for table in tables:
        text = table.read_text()
        assert "'=1+1" in text and "'-3.5" in text, table
        assert not re.search('(^|,)"?[=+@-]', text, re.MULTILINE), table
