"""Where the repository is not set up as it has to be, it says so: `pip install` of it, and a Python without its packages."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from source_tree import copy_source

from components.images import ROOT


def test_pip_refuses_to_install_the_repository_and_says_what_to_do(tmp_path: Path) -> None:
    tree, site = tmp_path / "tree", tmp_path / "site"
    copy_source(tree)
    for name in ("pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--target", site, tree]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert (
        "not a package to install: the repository itself is what runs. Clone it, and there: make demo"
        in done.stdout + done.stderr
    )
    assert not site.exists() or not list(site.iterdir())


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of this version that has no package at all."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin/python"


def list_runs(python: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Runs `pipeline.py list` with another Python, which finds the packages of `site` alone."""
    command = [str(python), str(ROOT / "pipeline.py"), "list"]
    return subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False)


def pretend_installed(site: Path, *left_out: str) -> None:
    """Writes the metadata of the launcher's packages, and none of their code."""
    names = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/laptop.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(left_out) < set(names)
    for name in set(names) - set(left_out):
        metadata = site / f"{name.replace('-', '_')}-1.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")


def test_a_python_without_the_packages_is_refused_with_one_that_has_them(bare_python: Path, tmp_path: Path) -> None:
    done = list_runs(bare_python, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    told = re.fullmatch(
        r"ERROR: (\S+) lacks (\d+) of the packages in requirements/laptop\.txt: (.+)\. Expected (.+)\n", done.stderr
    )
    assert told, done.stderr
    assert told[1] == str(bare_python) and int(told[2]) > 100
    assert re.fullmatch(r"absl-py, [a-z-]+, [a-z-]+, \.\.\.", told[3])
    assert ".venv/bin/python, which `make demo` sets up, or .venv-gpu/bin/python (`make gpu`)" in told[4]


def test_the_folder_of_dockerfiles_does_not_pass_for_dockers_sdk(bare_python: Path, tmp_path: Path) -> None:
    pretend_installed(tmp_path, "docker")
    done = list_runs(bare_python, tmp_path)
    assert done.returncode == 2
    assert "lacks 1 of the packages in requirements/laptop.txt: docker. Expected" in done.stderr


def test_a_python_that_lacks_nothing_goes_on(bare_python: Path, tmp_path: Path) -> None:
    pretend_installed(tmp_path)
    done = list_runs(bare_python, tmp_path)
    assert "lacks" not in done.stderr
    assert "No module named 'kfp'" in done.stderr  # of which there is metadata only: the imports were begun
