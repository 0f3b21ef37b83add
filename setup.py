"""Refuses to be installed: without this file, pip would have setuptools guess what the packages are."""

import sys

sys.exit("verdelta is not a package to install: the repository itself is what runs. Clone it, and there: make demo")
