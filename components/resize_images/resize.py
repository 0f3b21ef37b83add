"""Resizes raw photos to JPEGs of one size, and writes their catalog."""

import dataclasses
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from PIL import Image
from tqdm import tqdm

from components.contract import schema
from components.contract.artifacts import atomic_write, json_digest, write_manifest, write_record
from components.contract.cores import available_cores
from components.contract.naming import naming
from components.contract.photos import write_photos
from components.contract.shards import WHOLE, Shard
from components.contract.tables.catalog import FIRST_SIZE, RAW_PATH, count_photos, refuse_empty
from components.contract.tables.cells import guarded
from components.raw.layout import is_photo
from components.raw.source import RawSource
from components.raw.storage import open_raw, require_digest
from components.raw.walk import path_text, printable
from components.resize_images.catalog import build_catalog, jpeg_path
from components.resize_images.day_sources import of_all
from components.resize_images.picture import MAX_DECODED_BYTES, BadPhotoError, decode_picture
from components.resize_images.read_ahead import Budget, map_contents
from components.resize_images.settings import ResizeImagesSettings
from components.resize_images.stored import stored_jpeg
from components.resize_images.understand import NOT_READ, refuse, understand

MISPLACED = "not at <split>_dataset/<species>/<series>/"
KEPT_BLOCKS_PER_CORE = 4  # of 16 MB: one photo of 8 megapixels and what its resizing takes


@dataclasses.dataclass(frozen=True, slots=True)
class Resized:
    """What became of a photo: its own width and height in pixels and what to count of it, or why it was left out.

    The JPEG is there until it is written.
    """

    size: tuple[int, int] | None
    reason: str | None
    facts: tuple[str, ...] = ()
    jpeg: bytes = b""


def resize_images(
    *,
    raw: str | Path,
    images: Path,
    catalog: Path,
    settings: ResizeImagesSettings,
    splits: Sequence[str] = schema.SPLITS,
    shard: Shard = WHOLE,
    raw_digest: str = "",
) -> dict[str, Any]:
    """Writes every photo of `raw`, or a shard's part of them, to `images` at one size, and the catalog; returns the record.

    Args:
        raw: folder or gs:// address, in the challenge's layout.
        images: receives an archive of `<path in raw>.jpg`.
        catalog: receives images.csv, the raw data's tables and, last, stage.json.
        splits: both, or test alone where nothing is trained: then train photos are neither needed nor looked at.
        raw_digest: of the data that is meant; it is refused where it is not what was read.
        shard: of several, each takes every num_shards-th photo in the catalog's order; the first takes the tables, too.

    Raises:
        FileNotFoundError: the raw data, its photos or test_data.csv are missing.
        OSError: a file cannot be read.
        ValueError: a name that gives no day or is there twice; a photo that cannot be decoded, with on_bad_photo=fail; no
            photo left of a split, with on_bad_photo=skip (of several shards, merge_catalogs says so); as `require_digest`.
    """
    source = open_raw(raw)
    understood = understand(source, settings, splits)
    if shard.is_first:
        print("\n".join(understood.lines()), flush=True)
    refuse(understood)
    listing = understood.listing
    everything = build_catalog(listing, of_all(understood.series))
    photos = everything[shard.part]
    resized: list[Resized] = []
    write_photos(images, resize_all(photos, source, settings, resized), shard)
    good = photos[pd.Series([each.reason is None for each in resized], photos.index, dtype=bool)]
    missed, others = (listing.bad, understood.noted()) if shard.is_first else ({}, {})
    if shard.is_whole:
        refuse_empty(good, splits, str(source), len(photos) - len(good) + len(missed))
    listed = {"raw": str(source), "photos": json_digest(map(path_text, everything[RAW_PATH]))}
    for folder in (images, catalog):
        shard.write(folder, listed)
    write_manifest(images, "resize_images")
    catalog.mkdir(parents=True, exist_ok=True)
    for name, path in (listing.tables if shard.is_first else {}).items():
        with naming(f"{source}/{path}"), atomic_write(catalog / name) as copy:
            copy.write_bytes(source.read(path))
    require_digest(source, listing.paths(), raw_digest)
    noticed = [(each, f"equal photos, {each.where}") for each in understood.equal] if shard.is_first else []
    del source, understood, listing  # what is known of each photo makes room for the table
    with atomic_write(catalog / schema.IMAGES_CSV) as table:
        written = good.assign(path=list(map(jpeg_path, good[RAW_PATH])))[list(schema.IMAGES_COLUMNS)]
        guarded(written).to_csv(table, index=False)
    undecoded = {str(path): each.reason for path, each in zip(photos[RAW_PATH], resized, strict=True) if each.reason}
    bad = sorted([*undecoded.items(), *((printable(path), f"not read: {why}") for path, why in missed.items())])
    skipped = bad + [(printable(path), reason_to_ignore(path, why)) for path, why in sorted(others.items())]
    counts = count_photos(good, len(bad), len(others)) | first_size(resized) | facts_of(resized)
    return write_record(catalog, "resize_images", settings, counts, skipped, noticed)


def reason_to_ignore(path: PurePosixPath, why: str) -> str:
    """Returns why a file is not read."""
    if len(path.parts) > 1 and why == NOT_READ:
        return MISPLACED if is_photo(path) else "not a photo by its name"
    return why


def facts_of(resized: Iterable[Resized]) -> dict[str, int]:
    """Returns how many photos were turned, converted and the like; nothing of what none was, as of the challenge's."""
    found = Counter(fact for each in resized for fact in each.facts)
    return {fact: found[fact] for fact in schema.FACTS if found[fact]}


def resize_all(
    photos: pd.DataFrame, source: RawSource, settings: ResizeImagesSettings, resized: list[Resized]
) -> Iterator[tuple[str, bytes]]:
    """Resizes each photo, yields path and bytes of the good ones in the catalog's order, and adds what became of each.

    At most one decoded photo per core is in memory, and at most MAX_DECODED_BYTES of them.
    """
    # Pillow then uses its memory again: the system would clear anew, for every photo, what it gives
    Image.core.set_blocks_max(KEPT_BLOCKS_PER_CORE * available_cores())
    paths = photos[RAW_PATH].tolist()
    pixels = Budget(MAX_DECODED_BYTES)

    def work(path: PurePosixPath, content: bytes) -> Resized:
        try:
            return resize_photo(content, settings, pixels)
        except BadPhotoError as error:
            return bad_photo(path, f"cannot be decoded as a photo: {error}")

    def bad_photo(path: PurePosixPath, why: str) -> Resized:
        if settings.on_bad_photo == "skip":
            return Resized(None, why)
        raise ValueError(
            f"{source}/{path}: {why}. Expected an 8-bit PNG or JPEG; replace or remove the file, "
            "or set on_bad_photo=skip to leave such photos out."
        )

    read, total, alike = 0, sum(map(source.size, paths)), dict[Resized, Resized]()  # of 100,000 photos few differ
    bar = tqdm(paths, "resize_images", unit="photo", file=sys.stdout, mininterval=2, ncols=90)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's, about what decode_picture refuses or counts by itself
        for path, each in zip(bar, map_contents(source, paths, work, bad_photo), strict=True):  # the first bad one is named
            if each.reason is None:
                yield jpeg_path(path), each.jpeg
            became = dataclasses.replace(each, jpeg=b"")
            resized.append(alike.setdefault(became, became))
            read += source.size(path)
            bar.set_postfix_str("/".join(tqdm.format_sizeof(size, "B") for size in (read, total)), refresh=False)


def resize_photo(content: bytes, settings: ResizeImagesSettings, pixels: Budget) -> Resized:
    """Returns one photo as a JPEG of `image_size` x `image_size` pixels. Raises BadPhotoError: a bad photo."""
    picture = decode_picture(content, pixels.holding)
    jpeg = stored_jpeg(picture.image, settings.image_size, settings.jpeg_quality)
    return Resized(picture.image.size, None, picture.facts, jpeg)


def first_size(resized: list[Resized]) -> dict[str, int]:
    """Returns width and height of the first good photo, px: the resized ones keep no aspect ratio, and people want to see it."""
    sizes = [each.size for each in resized if each.size is not None]
    return dict(zip(FIRST_SIZE, sizes[0], strict=True)) if sizes else {}
