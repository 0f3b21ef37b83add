"""Decodes a photo as people see it: turned as its camera says, in sRGB, on white, 8 bits; anything else is refused with a reason.

Pillow knows some forty formats and would decode any of them behind the name .png, PostScript through Ghostscript among them. Here
two may be decoded. Where a file has no orientation, no profile and no transparency, the pixels are those that Pillow reads.
"""

import contextlib
import dataclasses
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, UnidentifiedImageError

from components.contract.schema import CMYK, FRAMES, ODD_PROFILE, PROFILE, TRANSPARENT, TURNED

FORMATS = ("PNG", "JPEG")  # MPO, of phones, is JPEG with further pictures behind the first
BACKGROUND = (255, 255, 255)  # what transparency is laid on
MAX_PIXELS = 89_478_485  # Pillow's limit: a quarter of a gigabyte of RGB
MAX_DECODED_BYTES = 768 * 2**20  # what one photo may take: MAX_PIXELS of RGB, fewer where they have to be converted
SRGB = ImageCms.createProfile("sRGB")
KNOWN = {  # how files of other formats begin, which people name .png or .jpg
    b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%!PS": "PostScript", b"%PDF": "a PDF",
    b"RIFF": "a WebP or another RIFF file", b"\0\0\0\x0cjP": "a JPEG 2000", b"8BPS": "a Photoshop file", b"PK": "a ZIP",
    b"version https://git-lfs": "a pointer of Git LFS, whose content was not fetched", b"<": "HTML, XML or SVG",
}  # fmt: skip


class BadPhotoError(ValueError):
    """A file that should be a photo cannot be decoded to 8-bit RGB; the message says why."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What a photo's first bytes say."""

    width: int  # px, as stored, before it is turned
    height: int
    mode: str  # Pillow's mode
    format: str  # PNG, JPEG or MPO
    bytes: int  # memory that decoding takes at most


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded photo: RGB, uint8, with no metadata; and which of FACTS hold of its file."""

    image: Image.Image
    facts: tuple[str, ...]


Holding = Callable[[int], AbstractContextManager[None]]


def decode_picture(content: bytes, holding: Holding = lambda _: contextlib.nullcontext()) -> Picture:
    """Returns the photo as it looks; `holding` is a context in which so many bytes may be used.

    Raises:
        BadPhotoError: empty, damaged, of another format, more than MAX_PIXELS, or more than 8 bits in one channel.
    """
    with opened(content) as photo, holding(header_of(photo, content).bytes):
        photo.load()
        facts = [FRAMES] if getattr(photo, "n_frames", 1) > 1 else []
        turned = transposed(photo)
        facts += [TURNED] if turned is not photo else []
        facts += [CMYK] if turned.mode == "CMYK" else []
        image, colour = in_srgb(turned)
        image, transparency = on_background(image)
        image.info.clear()  # or the JPEG would take over a comment, of any length
        return Picture(image, (*facts, *colour, *transparency))


def check_picture(content: bytes) -> Header:
    """Returns a photo's header, and finds most damage without decoding: a PNG's checksums, a JPEG's end. Raises BadPhotoError."""
    with opened(content) as photo:
        header = header_of(photo, content)
        if photo.format == "PNG":
            photo.verify()
        elif b"\xff\xd9" not in content[content.rfind(b"\xff\xda") :]:
            raise BadPhotoError("image file is truncated: it has no end")
        return header


def read_header(content: bytes) -> Header:
    """Returns what a photo's header says; nothing is decoded. Raises BadPhotoError, so far as the header tells."""
    with opened(content) as photo:
        return header_of(photo, content)


@contextlib.contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """Within the block the photo is open; whatever Pillow raises becomes a BadPhotoError."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as photo:
            yield photo
    except (BadPhotoError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BadPhotoError(what_it_is(content)) from error
    except Exception as error:  # Pillow's readers raise what their parsers do: OSError, SyntaxError, struct.error, ...
        raise BadPhotoError(f"{type(error).__name__}: {error}") from error


def header_of(photo: Image.Image, content: bytes) -> Header:
    """Returns the header of an open photo. Raises BadPhotoError: too many pixels, or more than 8 bits."""
    pixels = photo.width * photo.height
    if pixels > MAX_PIXELS:
        raise BadPhotoError(f"{photo.width}x{photo.height} are {pixels} pixels, above Pillow's limit of {MAX_PIXELS}")
    if photo.format == "PNG" and content[24:25] > b"\x08":  # the low bytes would be dropped, or all clipped to white
        raise BadPhotoError(f"its pixels have more than 8 bits: {content[24]} in each channel (mode {photo.mode})")
    if photo.mode.startswith(("I", "F")):
        raise BadPhotoError(f"its pixels have more than 8 bits (mode {photo.mode})")
    copies = 2 if photo.mode == "RGB" and "icc_profile" not in photo.info else 4
    if isinstance(photo, JpegImagePlugin.JpegImageFile) and photo.info.get("progressive"):
        copies += 2  # its coefficients are held until the last is read
    if 4 * pixels * copies > MAX_DECODED_BYTES:
        raise BadPhotoError(
            f"{photo.width}x{photo.height} pixels of mode {photo.mode} would take {4 * pixels * copies / 1e6:.0f} MB"
        )
    return Header(photo.width, photo.height, photo.mode, str(photo.format), 4 * pixels * copies)


def what_it_is(content: bytes) -> str:
    """Returns what to say of content that is no photo."""
    if not content:
        return "the file is empty"
    if content.startswith(b"\xff\xd8") or content.startswith(b"\x89PNG"):
        return "a damaged PNG or JPEG, or one of a kind that Pillow does not read (12 bits, lossless, arithmetic coding)"
    known = next((name for begin, name in KNOWN.items() if content.lstrip().startswith(begin)), None)
    if content[4:8] == b"ftyp":
        known = "a HEIC, AVIF or video"
    return f"no image format that may be decoded here, {' or '.join(FORMATS)}" + (f": {known}" if known else "")


def transposed(photo: Image.Image) -> Image.Image:
    """Returns the photo turned as its EXIF orientation says; the photo itself where that says nothing that can be read."""
    try:
        orientation = photo.getexif().get(0x0112, 1)
    except (SyntaxError, struct.error, ValueError, TypeError, KeyError, OSError):
        return photo
    if orientation not in range(2, 9):
        return photo
    turn = ImageOps.exif_transpose(photo)
    return photo if turn is None else turn


def in_srgb(photo: Image.Image) -> tuple[Image.Image, list[str]]:
    """Returns the photo in sRGB where it has a profile of other colours, and what to count; an unusable profile is left out."""
    profile = photo.info.get("icc_profile")
    if not profile:
        return photo, []
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (source.profile.profile_description or "").lower():
            return photo, []
        space = source.profile.xcolor_space.strip()
        alpha = photo.has_transparency_data
        if space == "RGB":
            photo = photo.convert("RGBA" if alpha else "RGB")
        elif space == "GRAY":
            mask = photo.convert("RGBA").getchannel("A") if alpha else None
            grey = ImageCms.profileToProfile(photo.convert("L"), source, SRGB, outputMode="RGB")
            assert grey is not None
            if mask is not None:
                grey.putalpha(mask)
            return grey, [PROFILE]
        elif space != photo.mode:
            return photo, [ODD_PROFILE]
        converted = ImageCms.profileToProfile(photo, source, SRGB, outputMode="RGBA" if alpha else "RGB")
        assert converted is not None
        return converted, [PROFILE]
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return photo, [ODD_PROFILE]


def on_background(photo: Image.Image) -> tuple[Image.Image, list[str]]:
    """Returns the photo as RGB, what is transparent laid on BACKGROUND."""
    if photo.has_transparency_data:
        clear = photo.convert("RGBA")
        if clear.getchannel("A").getextrema() != (255, 255):
            below = Image.new("RGBA", clear.size, BACKGROUND)
            return Image.alpha_composite(below, clear).convert("RGB"), [TRANSPARENT]
    return (photo if photo.mode == "RGB" else photo.convert("RGB")), []  # the conversion of RGB is a copy, of 32 MB
