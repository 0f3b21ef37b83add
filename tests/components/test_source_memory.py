"""What is remembered of sources is what reading them says, or is read anew: the names of images hang on it."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import copy_source

from components import source_text
from components.images import ROOT
from components.source_memory import SourceMemory

SOURCES = [path.read_bytes() for path in sorted((ROOT / "components/train").glob("*.py"))]
EXPECTED = [(source_text.code_of(source), source_text.imports(source)) for source in SOURCES]
NAMES = "from components.images import image_for; print(image_for('train'), image_for('predict'))"


def read_all(place: Path) -> tuple[SourceMemory, list]:
    """The memory at `place`, saved after it was asked for all sources, and what it said."""
    memory = SourceMemory(place)
    found = [(code, [tuple(each) for each in imports]) for code, imports in map(memory.read, SOURCES)]
    memory.save()
    return memory, found


def test_what_is_remembered_is_what_was_read(tmp_path: Path) -> None:
    first, found = read_all(tmp_path / "cache/memory.json")
    assert (len(first.new), found) == (len(set(SOURCES)), EXPECTED)
    second, found = read_all(tmp_path / "cache/memory.json")
    assert (second.new, found) == ({}, EXPECTED)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["memory.json"]


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, damage: str) -> None:
    place, random_place = tmp_path / "memory.json", random.Random(damage)
    read_all(place)
    whole = place.read_bytes()
    for _ in range(20):
        content = bytearray(whole)
        at = random_place.randrange(len(content))
        if damage == "bit":
            content[at] ^= 1 << random_place.randrange(8)
        place.write_bytes(bytes({"bit": content, "cut": content[:at], "empty": b""}[damage]))
        memory, found = read_all(place)
        assert (len(memory.new), found) == (len(set(SOURCES)), EXPECTED)
        assert place.read_bytes() == whole


def test_another_reader_does_not_believe_what_this_one_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all(tmp_path / "memory.json")
    another = tmp_path / "source_text.py"
    another.write_bytes(Path(source_text.__file__).read_bytes() + b"\n# a new release\n")
    monkeypatch.setattr(source_text, "__file__", str(another))
    assert SourceMemory(tmp_path / "memory.json").old == {}


def test_where_nothing_can_be_written_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_all(tmp_path / "file/memory.json")[1] == EXPECTED


def test_names_of_images_are_the_same_and_a_second_process_reads_no_source(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    copy_source(tree)

    def names() -> str:
        command = [sys.executable, "-c", NAMES]
        return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout

    first, place = names(), tree / "components/__pycache__/source_text.json"
    assert first.count("verdelta-") == 2
    time = place.stat().st_mtime_ns
    assert (names(), place.stat().st_mtime_ns) == (first, time)
    with (tree / "components/train/fit.py").open("a") as file:
        file.write("\nANOTHER = 'version'\n")
    assert names().split()[0] != first.split()[0]
    assert place.stat().st_mtime_ns != time
