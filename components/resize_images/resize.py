"""Resizes raw photos to JPEGs of one size, and writes their catalog."""

import dataclasses
import io
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from components.contract import schema
from components.contract.artifacts import atomic_write, text_digest, write_record
from components.contract.catalog import FIRST_SIZE, RAW_PATH, count_photos, refuse_empty
from components.contract.cores import available_cores
from components.contract.shards import WHOLE, Shard
from components.raw.layout import is_photo
from components.raw.source import RawSource
from components.raw.storage import find_photos, open_raw
from components.resize_images.catalog import build_catalog
from components.resize_images.read_ahead import map_contents
from components.resize_images.settings import ResizeImagesSettings

MISPLACED = "not at <split>_dataset/<species>/<series>/"
KEPT_BLOCKS_PER_CORE = 4  # of 16 MB: one photo of 8 megapixels and what its resizing takes


class BadPhotoError(ValueError):
    """A file that should be a photo cannot be decoded to 8-bit RGB; the message says why."""


@dataclasses.dataclass(frozen=True)
class Resized:
    """What became of a photo: its own width and height in pixels, or why it was left out."""

    size: tuple[int, int] | None
    reason: str | None


def resize_images(
    *,
    raw: str | Path,
    images: Path,
    catalog: Path,
    settings: ResizeImagesSettings,
    splits: Sequence[str] = schema.SPLITS,
    shard: Shard = WHOLE,
) -> dict[str, Any]:
    """Writes every photo of `raw`, or a shard's part of them, to `images` at one size, and the catalog of those.

    Args:
        raw: folder or gs:// address, in the challenge's layout.
        images: receives `<path in raw>.jpg`.
        catalog: receives images.csv, the raw data's tables and, last, stage.json.
        settings: size, quality, and what a photo that cannot be decoded does.
        splits: both, or test alone where nothing is trained: then train photos are neither needed nor looked at.
        shard: of several, each takes every num_shards-th photo in the catalog's order; the first takes the tables, too.

    Returns:
        The stage's record.

    Raises:
        FileNotFoundError: the raw data, its photos or test_data.csv are missing.
        OSError: a file cannot be read.
        ValueError: a name that gives no day or is there twice; a photo that cannot be decoded, with on_bad_photo=fail; no
            photo left of a split, with on_bad_photo=skip (of several shards, merge_catalogs says so).
    """
    source = open_raw(raw)
    listing = find_photos(source, splits)
    everything = build_catalog(listing)
    photos = everything[shard.part]
    resized = resize_all(photos, source, images, settings)
    good = photos[pd.Series([each.reason is None for each in resized], photos.index, dtype=bool)]
    if shard.is_whole:
        refuse_empty(good, splits, str(source), len(photos) - len(good))
    listed = {"raw": str(source), "photos": text_digest(everything[RAW_PATH])}
    for folder in (images, catalog):
        shard.write(folder, listed)
    catalog.mkdir(parents=True, exist_ok=True)
    tables, ignored = (listing.tables, listing.ignored) if shard.is_first else ({}, ())
    for name, path in tables.items():
        with atomic_write(catalog / name) as copy:
            copy.write_bytes(source.read(path))
    with atomic_write(catalog / schema.IMAGES_CSV) as table:
        good.to_csv(table, columns=list(schema.IMAGES_COLUMNS), index=False)
    skipped = [(path, reason) for path, reason in zip(photos[RAW_PATH], (each.reason for each in resized), strict=True) if reason]
    skipped += [(str(path), MISPLACED if is_photo(path) else "not a photo by its name") for path in ignored]
    counts = count_photos(good, len(photos) - len(good), len(ignored)) | first_size(resized)
    return write_record(catalog, "resize_images", settings, counts, skipped)


def resize_all(photos: pd.DataFrame, source: RawSource, images: Path, settings: ResizeImagesSettings) -> list[Resized]:
    """Resizes each photo and returns, in the catalog's order, what became of it.

    At most one decoded photo per core is in memory.
    """
    # Pillow then uses its memory again: the system would clear anew, for every photo, what it gives
    Image.core.set_blocks_max(KEPT_BLOCKS_PER_CORE * available_cores())
    for folder in {Path(path).parent for path in photos["path"]}:
        (images / folder).mkdir(parents=True, exist_ok=True)
    paths = [PurePosixPath(path) for path in photos[RAW_PATH]]
    targets = dict(zip(paths, (images / path for path in photos["path"]), strict=True))

    def work(path: PurePosixPath, content: bytes) -> Resized:
        return resize_photo(f"{source}/{path}", content, targets[path], settings)

    resized, read, total = [], 0, sum(map(source.size, paths))
    bar = tqdm(paths, "resize_images", unit="photo", file=sys.stdout, mininterval=2, ncols=90)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # decode_photo refuses these by itself
        for path, each in zip(bar, map_contents(source, paths, work), strict=True):  # the first bad photo in order is named
            resized.append(each)
            read += source.size(path)
            bar.set_postfix_str("/".join(tqdm.format_sizeof(size, "B") for size in (read, total)), refresh=False)
    return resized


def resize_photo(name: str, content: bytes, target: Path, settings: ResizeImagesSettings) -> Resized:
    """Writes one photo as a JPEG of `image_size` x `image_size` pixels, or says why not, where it is bad and skipped.

    Raises:
        ValueError: a bad photo, with on_bad_photo=fail.
    """
    try:
        photo = decode_photo(content)
    except BadPhotoError as error:
        if settings.on_bad_photo == "skip":
            return Resized(None, f"cannot be decoded: {error}")
        raise ValueError(
            f"{name}: cannot be decoded as a photo: {error}. Expected an 8-bit PNG or JPEG; replace or remove the file, "
            "or set on_bad_photo=skip to leave such photos out."
        ) from error
    with atomic_write(target) as partial:
        photo.resize((settings.image_size, settings.image_size)).save(partial, "JPEG", quality=settings.jpeg_quality)
    return Resized(photo.size, None)


def decode_photo(content: bytes) -> Image.Image:
    """Returns the photo as RGB, uint8. Its EXIF orientation is not applied, as the winner's Pillow code does not.

    Raises:
        BadPhotoError: empty, damaged, no image at all, more pixels than Pillow's limit, or more than 8 bits in one channel.
    """
    try:
        with Image.open(io.BytesIO(content)) as photo:
            pixels, limit = photo.width * photo.height, Image.MAX_IMAGE_PIXELS
            if limit is not None and pixels > limit:
                raise BadPhotoError(f"{photo.width}x{photo.height} are {pixels} pixels, above Pillow's limit of {limit}")
            if photo.mode.startswith(("I", "F")):  # convert would clip these to white
                raise BadPhotoError(f"its pixels have more than 8 bits (mode {photo.mode})")
            photo.load()
            return photo if photo.mode == "RGB" else photo.convert("RGB")  # the conversion of RGB is a copy, of 32 MB
    except (BadPhotoError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BadPhotoError("no image format that Pillow knows" if content else "the file is empty") from error
    except Exception as error:  # Pillow's readers raise what their parsers do: OSError, SyntaxError, struct.error, ...
        raise BadPhotoError(f"{type(error).__name__}: {error}") from error


def first_size(resized: list[Resized]) -> dict[str, int]:
    """Returns width and height of the first good photo, px: the resized ones keep no aspect ratio, and people want to see it."""
    sizes = [each.size for each in resized if each.size is not None]
    return dict(zip(FIRST_SIZE, sizes[0], strict=True)) if sizes else {}
