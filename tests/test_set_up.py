"""Where the repository is not set up as it has to be, it says so: `pip install` of it."""

import shutil
import subprocess
import sys
from pathlib import Path

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
