"""Refuses a Python whose packages are not those of the locks.

The locks are in the names of the images, and so in the cache's keys: results of other packages would be taken for theirs.
"""

import importlib.metadata
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

from components.images import ROOT

PIN = re.compile(r"^[A-Za-z0-9][^\\\n]*", re.MULTILINE)  # up to the hashes, which are lines of their own
VERSION = re.compile(r"^Version:(.*)$", re.MULTILINE)
SHOWN = 3


def require_packages(locks: Iterable[str], root: Path = ROOT) -> None:
    """Refuses packages that are not those of the locks requirements/<lock>.txt. Raises ValueError: missing or other versions."""
    pins = {str(pin): pin for lock in sorted(set(locks)) for pin in pinned(root / f"requirements/{lock}.txt")}
    wrong = [
        (pin, version) for pin in pins.values() if not pin.specifier.contains(version := installed(pin.name), prereleases=True)
    ]
    if wrong:
        named = ", ".join(
            f"{pin.name} {version or 'missing'} (expected {str(pin.specifier)[2:]})" for pin, version in wrong[:SHOWN]
        )
        raise ValueError(
            f"--runner subprocess: {len(wrong)} packages of this Python are not those of requirements/, which results are kept "
            f"under: {named}{', ...' if len(wrong) > SHOWN else ''}. Run `make demo` or `make test` to bring .venv up to date "
            "(`make gpu` for .venv-gpu), and use its Python."
        )


def pinned(lock: Path) -> Iterator[Requirement]:
    """Yields the pins of a lock that are meant for this Python and this machine."""
    for line in PIN.findall(lock.read_text(encoding="utf-8")):
        requirement = Requirement(line.strip())
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def installed(package: str) -> str:
    """Returns a package's version, or "" where it is not installed.

    The line is looked for in the text: `importlib.metadata.version` parses all of it, descriptions too, in 3 ms a package.
    """
    try:
        said = VERSION.search(importlib.metadata.distribution(package).read_text("METADATA") or "")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return said[1].strip() if said else importlib.metadata.version(package)
