"""Packages that are not those of the locks: what is refused, and what is not."""

import importlib.metadata
import time
from pathlib import Path

import pytest
from command_line import pipeline_py
from source_tree import copy_source

from launch.backends.local.cache.packages import pinned, require_packages


def test_this_python_has_the_packages_of_the_locks() -> None:
    start = time.monotonic()
    require_packages(["data", "tensorflow", "data"])
    assert time.monotonic() - start < 2, "a fraction of a second, of a command that takes some"


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    """A tree with one lock, `small`: one package as it is here, and lines that are meant for others."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/small.txt").write_text(
        "# This file was made\n"
        f"kfp=={importlib.metadata.version('kfp')} \\\n    --hash=sha256:00==\n    # via -r x==1\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"
        "kfp==1.0 ; python_full_version < '3'\n"
    )
    return tmp_path


def test_lines_for_other_machines_are_left_out(locks: Path) -> None:
    assert [str(pin) for pin in pinned(locks / "requirements/small.txt")] == [f"kfp=={importlib.metadata.version('kfp')}"]
    require_packages(["small"], locks)


def test_packages_that_differ_are_named_with_the_way_to_mend_them(locks: Path) -> None:
    with (locks / "requirements/small.txt").open("a") as file:
        file.write("numpy==1.0\npandas[all]==1.1\nno-such-package==1.2\npillow==1.3\n")
    with pytest.raises(ValueError) as error:
        require_packages(["small"], locks)
    numpy, pandas = map(importlib.metadata.version, ("numpy", "pandas"))
    named = f"numpy {numpy} (expected 1.0), pandas {pandas} (expected 1.1), no-such-package missing (expected 1.2), ... "
    assert str(error.value).startswith("--runner subprocess: 4 packages of this Python are not those of requirements/")
    assert named.strip() in str(error.value)
    assert "make demo" in str(error.value)


def test_the_command_ends_before_it_begins(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    copy_source(tree)
    lock = tree / "requirements/data.txt"
    version = importlib.metadata.version("pandas")
    lock.write_text(lock.read_text().replace(f"\npandas=={version} ", "\npandas==0.1 "))
    done = pipeline_py("run", "--sample", "--runs-dir", str(tmp_path / "runs"), tree=tree)
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 packages of this Python are not those of requirements/" in done.stderr
    assert f"pandas {version} (expected 0.1)" in done.stderr
    assert not (tmp_path / "runs").exists()
