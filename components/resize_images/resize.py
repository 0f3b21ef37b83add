"""Raw photos enter; JPEGs of one size and the catalog of all photos leave, with copies of the raw data's tables."""

import functools
import io
import shutil
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from components import schema
from components.resize_images.catalog import RAW_PATH, build_catalog
from components.settings import ResizeImagesSettings
from components.storage import available_cores, find_photos, is_photo, whole_file, write_record

MISPLACED = "not at <split>_dataset/<species>/<series>/"


class BadPhotoError(ValueError):
    """A file that should be a photo cannot be decoded to 8-bit RGB; the message says why."""


def resize_images(*, raw: Path, images: Path, catalog: Path, settings: ResizeImagesSettings) -> dict[str, Any]:
    """Writes every photo of `raw` to `images` at one size, and the catalog.

    Args:
        raw: folder in the challenge's layout.
        images: receives `<path in raw>.jpg`.
        catalog: receives images.csv, the raw data's tables and, last, stage.json.
        settings: size, quality, and what a photo that cannot be decoded does.

    Returns:
        The stage's record.

    Raises:
        FileNotFoundError: the raw folder, its photos or test_data.csv are missing.
        ValueError: a name that gives no day or is there twice; a photo that cannot be decoded, with on_bad_photo=fail; no
            photo left of a split, with on_bad_photo=skip.
    """
    listing = find_photos(raw)
    photos = build_catalog(listing)
    reasons = resize_all(photos, raw, images, settings)
    good = photos[[reason is None for reason in reasons]]
    refuse_empty(good, raw, len(photos) - len(good))
    catalog.mkdir(parents=True, exist_ok=True)
    for name, path in listing.tables.items():
        with whole_file(catalog / name) as copy:
            shutil.copyfile(raw / path, copy)
    with whole_file(catalog / schema.IMAGES_CSV) as table:
        good.to_csv(table, columns=list(schema.IMAGES_COLUMNS), index=False)
    skipped = [(path, reason) for path, reason in zip(photos[RAW_PATH], reasons, strict=True) if reason is not None]
    skipped += [(str(path), MISPLACED if is_photo(path) else "not a photo by its name") for path in listing.ignored]
    counts = count(good, len(photos), len(listing.ignored)) | size_of(raw / good[RAW_PATH].iloc[0])
    return write_record(catalog, "resize_images", settings, counts, skipped)


def resize_all(photos: pd.DataFrame, raw: Path, images: Path, settings: ResizeImagesSettings) -> list[str | None]:
    """Resizes each photo and returns, in the catalog's order, why it was left out, or None.

    Threads, because Pillow decodes, resizes and encodes outside Python's lock: as fast as processes, without their start-up.
    At most one decoded photo per core is in memory.
    """
    for folder in {Path(path).parent for path in photos["path"]}:
        (images / folder).mkdir(parents=True, exist_ok=True)
    work = functools.partial(resize_photo, settings=settings)
    sources, targets = [raw / path for path in photos[RAW_PATH]], [images / path for path in photos["path"]]
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=available_cores()) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # decode_photo refuses these by itself
        results = pool.map(work, sources, targets)  # in order: the first bad photo is named, and ends what has not begun
        return list(tqdm(results, "resize_images", len(photos), unit="photo", file=sys.stdout, mininterval=2, ncols=90))


def resize_photo(source: Path, target: Path, settings: ResizeImagesSettings) -> str | None:
    """Writes one photo as a JPEG of `image_size` x `image_size` pixels; returns why not, where it is bad and skipped.

    Raises:
        ValueError: a bad photo, with on_bad_photo=fail.
    """
    content = source.read_bytes()  # a disk or permission error is no bad photo: it ends the run
    try:
        photo = decode_photo(content)
    except BadPhotoError as error:
        if settings.on_bad_photo == "skip":
            return f"cannot be decoded: {error}"
        raise ValueError(
            f"{source}: cannot be decoded as a photo: {error}. Expected an 8-bit PNG or JPEG; replace or remove the file, "
            "or set on_bad_photo=skip to leave such photos out."
        ) from error
    photo.resize((settings.image_size, settings.image_size)).save(target, "JPEG", quality=settings.jpeg_quality)
    return None


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
            return photo.convert("RGB")
    except (BadPhotoError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BadPhotoError("no image format that Pillow knows" if content else "the file is empty") from error
    except Exception as error:  # Pillow's readers raise what their parsers do: OSError, SyntaxError, struct.error, ...
        raise BadPhotoError(f"{type(error).__name__}: {error}") from error


def refuse_empty(good: pd.DataFrame, raw: Path, bad: int) -> None:
    """Raises ValueError where leaving bad photos out leaves none of a split."""
    for split, folder in ((schema.TRAIN, schema.TRAIN_FOLDER), (schema.TEST, schema.TEST_FOLDER)):
        if not (good["split"] == split).any():
            raise ValueError(f"{raw / folder}: none of its photos can be decoded ({bad} bad photos in all). Replace them.")


def size_of(first: Path) -> dict[str, int]:
    """Returns the width and height of the first photo, px: the resized ones keep no aspect ratio, and people want to see it."""
    with Image.open(first) as photo:
        return {"first_photo_width": photo.width, "first_photo_height": photo.height}


def count(good: pd.DataFrame, listed: int, ignored: int) -> dict[str, int]:
    """Returns the record's counts."""
    train, test = (good[good["split"] == split] for split in (schema.TRAIN, schema.TEST))
    return {
        "photos": len(good),
        "train_photos": len(train),
        "test_photos": len(test),
        "train_series": train["series"].nunique(),
        "test_series": test["series"].nunique(),
        "bad_photos": listed - len(good),
        "other_files": ignored,
    }
