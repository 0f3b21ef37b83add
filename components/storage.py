"""Raw photos and tables: a folder in the challenge's layout enters; its listing and one digest of its content leave.

Also how every stage puts a file down: whole, or not at all.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from components import schema
from components.settings import Settings

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")  # in any case
RAW_TABLES = {
    schema.TEST_DATA_CSV: schema.RAW_TEST_DATA,
    schema.SAMPLE_SUBMISSION_CSV: schema.SAMPLE_SUBMISSION_CSV,
    schema.TEST_LABELS_CSV: f"{schema.TEST_FOLDER}/{schema.TEST_LABELS_CSV}",
}  # name in the catalog -> path in the raw data
OTHER_DEPTHS = ("*", "*/*", "*/*/*/**/*")  # of a split's folder, where no photo should be; "*/*/*" is where they should
LAYOUT = "<split>_dataset/<species>/<series>/<photo>, photo ending in " + ", ".join(PHOTO_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class RawListing:
    """What the pipeline reads of the raw data; every path is relative to the raw folder, and every tuple is sorted.

    Attributes:
        train: photos of the train set, `train_dataset/<species>/<series>/<photo>`.
        test: photos of the test set, `test_dataset/<species>/<series>/<photo>`.
        tables: catalog file name to path, for the tables that are there; test_data.csv always is.
        ignored: files that lie among the photos and are none, and photos at another depth (`is_photo` tells them apart).
    """

    train: tuple[PurePosixPath, ...]
    test: tuple[PurePosixPath, ...]
    tables: dict[str, PurePosixPath]
    ignored: tuple[PurePosixPath, ...]


def find_photos(raw: Path) -> RawListing:
    """Lists the photos and tables of `raw`. Names that start with a dot are not looked at.

    Raises:
        FileNotFoundError: no such folder, no train photo, no test photo or no test_data.csv.
    """
    if not raw.is_dir():
        found = "a file, not a folder" if raw.exists() else "no such folder"
        raise FileNotFoundError(f"{raw}: {found}. Expected the raw data, {LAYOUT}; give the folder that holds train_dataset.")
    train, ignored_train = list_split(raw, schema.TRAIN_FOLDER)
    test, ignored_test = list_split(raw, schema.TEST_FOLDER)
    tables = {name: PurePosixPath(path) for name, path in RAW_TABLES.items() if (raw / path).is_file()}
    if schema.TEST_DATA_CSV not in tables:
        raise FileNotFoundError(
            f"{raw / schema.RAW_TEST_DATA}: missing. It names the test pairs (idx,before_file_path,after_file_path); add it."
        )
    return RawListing(train, test, tables, tuple(sorted(ignored_train + ignored_test)))


def list_split(raw: Path, folder: str) -> tuple[tuple[PurePosixPath, ...], tuple[PurePosixPath, ...]]:
    """Returns the photos of one split, and what is ignored: the other files beside them, and photos at another depth.

    Raises:
        FileNotFoundError: no photo; says which pattern was looked for.
    """
    files = visible_files(raw, folder, "*/*/*")
    photos = tuple(path for path in files if is_photo(path))
    elsewhere = [path for depth in OTHER_DEPTHS for path in visible_files(raw, folder, depth) if is_photo(path)]
    if not photos:
        patterns = ", ".join(f"{folder}/*/*/*{suffix}" for suffix in PHOTO_SUFFIXES)
        astray = f" ({len(elsewhere)} at another depth, such as {elsewhere[0]})" if elsewhere else ""
        raise FileNotFoundError(
            f"{raw}: no photo found for {patterns}{astray}. Put the photos at {folder}/<species>/<series>/, "
            f"for example {folder}/BC/BC_01/DAT01.png, or give the folder that holds {folder}."
        )
    return photos, tuple(sorted([*elsewhere, *(path for path in files if not is_photo(path))]))


def visible_files(raw: Path, folder: str, pattern: str) -> list[PurePosixPath]:
    """Returns the files of `raw`/`folder` that match, relative to `raw` and sorted, without names that start with a dot."""
    files = (path.relative_to(raw) for path in (raw / folder).glob(pattern) if path.is_file())
    return sorted(PurePosixPath(*path.parts) for path in files if not any(part.startswith(".") for part in path.parts))


def is_photo(path: PurePosixPath) -> bool:
    """Returns whether a file is a photo by its name."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def content_digest(raw: Path) -> str:
    """Returns a SHA-256 in hex over the names and bytes of all files the pipeline reads from `raw`.

    It does not change with modification times, the folder's own place, or files the pipeline does not read.

    Raises:
        FileNotFoundError: as `find_photos`.
    """
    listing = find_photos(raw)
    names = sorted([*listing.train, *listing.test, *listing.tables.values()])
    with ThreadPoolExecutor(max_workers=available_cores()) as pool:  # hashing and reading both release the GIL
        digests = pool.map(file_digest, [raw / name for name in names])
        progress = tqdm(digests, "hash raw data", len(names), unit="file", file=sys.stdout, mininterval=2, ncols=90)
        contents = [(str(name), digest) for name, digest in zip(names, progress, strict=True)]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of one file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def available_cores() -> int:
    """Returns the number of cores this process may use, which is all of them where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path that becomes `path` when the block ends without an error, and is deleted otherwise."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)  # noqa: PTH105 - the atomic rename, by its name
    finally:
        partial.unlink(missing_ok=True)


def write_record(
    folder: Path, stage: str, settings: Settings, counts: dict[str, Any], skipped: Sequence[tuple[Any, str]]
) -> dict[str, Any]:
    """Writes a stage's STAGE_RECORD into `folder`, the last file of the stage, and returns it.

    Args:
        counts: name to int or float.
        skipped: (path or series, why) of all that was left out.
    """
    record = {
        "stage": stage,
        "settings": dataclasses.asdict(settings),
        "counts": counts,
        "skipped": [{"what": str(what), "why": why} for what, why in skipped],
    }
    write_json(folder / schema.STAGE_RECORD, record)
    return record


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
