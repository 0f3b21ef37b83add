"""Divides a stage's work into shards, and presents what they wrote as one folder of links.

A stage that fans out is executed once per shard, each on every `num_shards`-th item of its work. Each folder that a shard writes
holds SHARD_JSON, which says which part of what whole it is; the folder of a single shard, which is all there is, holds none.
"""

import atexit
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import write_json
from components.contract.verified import is_there, read_json, require_complete


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One of the `num_shards` tasks that share a stage's work."""

    shard: int = 0  # which of them, from 0
    num_shards: int = 1  # how many there are

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.num_shards:
            raise ValueError(f"shard={self.shard}, num_shards={self.num_shards}: {expected_shards(self.num_shards)}")

    @property
    def is_first(self) -> bool:
        """Whether it writes what is there once for all of them."""
        return self.shard == 0

    @property
    def is_whole(self) -> bool:
        """Whether there is no other."""
        return self.num_shards == 1

    @property
    def part(self) -> slice:
        """Picks the shard's items of all: every num_shards-th, so that parts differ by one item at most."""
        return slice(self.shard, None, self.num_shards)

    def write(self, folder: Path, common: dict[str, Any]) -> None:
        """Says in `folder` which part it is, unless it is the whole, and what is `common` to the folders of all shards."""
        if not self.is_whole:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / schema.SHARD_JSON, dataclasses.asdict(self) | common)


WHOLE = Shard()


def expected_shards(num_shards: int) -> str:
    """Returns what to say where shards are missing or too many."""
    return (
        f"expected each shard from 0 to {num_shards - 1} once. Where the run was started by hand, give it a list `shards` of "
        "the numbers from 0 to num_shards - 1; the command line does so by itself."
    )


def in_order(folders: Sequence[Path]) -> list[Path]:
    """Returns the folders by shard. Raises ValueError: one is missing or there twice, or they are parts of different wholes."""
    parts = [read_shard(folder) for folder in folders]
    if not parts:
        raise ValueError(f"no folder of any shard: {expected_shards(1)}")
    for part, folder in zip(parts, folders, strict=True):
        differing = [name for name in part | parts[0] if name != "shard" and part.get(name) != parts[0].get(name)]
        if differing:
            raise ValueError(
                f"{folder}: {differing[0]} is {part.get(differing[0])!r}, and {parts[0].get(differing[0])!r} in {folders[0]}. "
                "Expected all shards of one stage of one run; run that stage again, while nobody changes the data."
            )
    num_shards = parts[0]["num_shards"]
    found = [part["shard"] for part in parts]
    if sorted(found) != list(range(num_shards)):
        raise ValueError(f"{folders[0].name} of shards {sorted(found)}, num_shards={num_shards}: {expected_shards(num_shards)}")
    return [folder for _, folder in sorted(zip(found, folders, strict=True))]


def read_shard(folder: Path) -> dict[str, Any]:
    """Returns what a shard's folder says of itself; one that says nothing is the whole."""
    path = folder / schema.SHARD_JSON
    return read_json(path) if is_there(path) else dataclasses.asdict(Shard())


def joined(folders: Sequence[Path]) -> Path:
    """Returns one folder with the files of all shards, as links: no content is copied.

    The folder of a single shard is returned as it is. Another one is a temporary folder of this process.

    Raises:
        ValueError: as `in_order`, or two shards have a file of one name.
        FileNotFoundError: a file that was written is missing.
    """
    ordered = in_order(folders)
    for folder in ordered:
        require_complete(folder)
    if len(ordered) == 1:
        return ordered[0]
    whole = Path(tempfile.mkdtemp(prefix="verdelta-shards-"))
    atexit.register(shutil.rmtree, whole, ignore_errors=True)
    for folder in ordered:
        for path in folder.rglob("*"):
            link = whole / path.relative_to(folder)
            if path.is_dir() or path.name in (schema.SHARD_JSON, schema.MANIFEST_JSON):
                continue
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.symlink_to(path.absolute())
            except FileExistsError as error:
                raise ValueError(f"{path}: {link.readlink()} is of the same name. Expected shards that share no file.") from error
    return whole
