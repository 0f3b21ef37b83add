"""Photos of every kind that people have, against what a viewer shows of them; and files that are none."""

import io
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from components.resize_images import picture
from components.resize_images.picture import BadPhotoError, decode_picture, read_header


def grain(mode: str = "RGB", size: tuple[int, int] = (31, 17), seed: int = 5) -> Image.Image:
    channels = Image.getmodebands(mode)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.frombytes(mode, size, pixels.tobytes())


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def deep_png(colour_type: int, channels: int, value: int = 3000, side: int = 8) -> bytes:
    """A PNG of 16 bits in each channel, whose header claims a size, written by hand: Pillow writes few of these modes."""
    rows = b"".join(b"\0" + struct.pack(">H", value) * (channels * 8) for _ in range(8))
    header = struct.pack(">IIBBBBB", side, side, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "image",
    [grain(), grain("L"), grain("CMYK"), grain("RGB").quantize(16), grain("L").convert("1")],
    ids=lambda image: image.mode,
)
def test_a_photo_without_anything_special_keeps_pillows_pixels(image: Image.Image) -> None:
    content = encode(image, "JPEG", quality=95) if image.mode == "CMYK" else encode(image)
    decoded = decode_picture(content)
    assert decoded.image.tobytes() == Image.open(io.BytesIO(content)).convert("RGB").tobytes()
    assert decoded.facts == (("cmyk_photos",) if image.mode == "CMYK" else ())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("orientation", "undone"),
    [(2, (1, 0)), (3, (1, 1)), (4, (0, 1))],  # mirrored along x, along both, along y
)
def test_the_exif_orientation_is_applied(kind: str, orientation: int, undone: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = np.asarray(Image.open(io.BytesIO(encode(grain(), kind))).convert("RGB"))
    turned = decode_picture(encode(grain(), kind, exif=exif))
    expected = plain[:: -1 if undone[1] else 1, :: -1 if undone[0] else 1]
    assert (np.asarray(turned.image) == expected).all()
    assert turned.facts == ("turned_photos",)


@pytest.mark.parametrize(("orientation", "quarter_turns"), [(6, -1), (8, 1)])
def test_a_photo_taken_upright_is_upright(orientation: int, quarter_turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = decode_picture(encode(grain(), exif=exif))
    assert (np.asarray(turned.image) == np.rot90(np.asarray(grain()), quarter_turns)).all()
    assert turned.image.size == (17, 31)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_cannot_be_read_turns_nothing() -> None:
    content = encode(grain(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode_picture(content).image.tobytes() == grain().tobytes()


def swapped_profile() -> bytes:
    """A profile as that of sRGB, in which red and green have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    name = profile.find(b"sRGB built-in".decode().encode("utf-16-be"))
    profile[name : name + 8] = "odd ".encode("utf-16-be")
    return bytes(profile)


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "with alpha"])
def test_a_profile_is_converted_to_srgb(alpha: bool) -> None:
    image = Image.new("RGB", (9, 9), (200, 30, 60))
    if alpha:
        image.putalpha(255)
    decoded = decode_picture(encode(image, icc_profile=swapped_profile()))
    assert np.abs(np.asarray(decoded.image, int) - (30, 200, 60)).max() <= 2  # the profile calls green what is stored first
    assert decoded.facts == ("profile_photos",)


def test_the_profile_of_srgb_itself_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode_picture(encode(grain(), icc_profile=profile))
    assert decoded.image.tobytes() == grain().tobytes()
    assert decoded.facts == ()


@pytest.mark.parametrize("profile", [b"no profile", swapped_profile()[:300]], ids=["text", "cut"])
def test_a_profile_that_cannot_be_used_is_counted_and_left_out(profile: bytes) -> None:
    decoded = decode_picture(encode(grain(), icc_profile=profile))
    assert decoded.image.tobytes() == grain().tobytes()
    assert decoded.facts == ("unusable_profile_photos",)


def transparent(mode: str) -> Image.Image:
    image = Image.new("RGBA", (9, 9), (10, 200, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 9))
    return image if mode == "RGBA" else image.convert(mode) if mode == "LA" else image.quantize(8)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    decoded = decode_picture(encode(transparent(mode)))
    assert decoded.image.getpixel((1, 4)) == (255, 255, 255)
    assert decoded.image.getpixel((7, 4)) == transparent(mode).convert("RGB").getpixel((7, 4))
    assert decoded.facts == ("transparent_photos",)


def test_half_transparent_is_half_white() -> None:
    decoded = decode_picture(encode(Image.new("RGBA", (3, 3), (100, 0, 200, 128))))
    assert (
        np.abs(np.asarray(decoded.image, float) - [255 - 155 * 128 / 255, 255 - 255 * 128 / 255, 255 - 55 * 128 / 255]).max() <= 1
    )


def test_alpha_that_hides_nothing_changes_nothing() -> None:
    image = grain()
    image.putalpha(255)
    decoded = decode_picture(encode(image))
    assert decoded.image.tobytes() == grain().tobytes()
    assert decoded.facts == ()


@pytest.mark.parametrize("kind", ["PNG", "MPO"])
def test_of_several_frames_the_first_is_taken_and_they_are_counted(kind: str) -> None:
    first = Image.new("RGB", (16, 16), (250, 0, 0))
    decoded = decode_picture(encode(first, kind, save_all=True, append_images=[Image.new("RGB", (16, 16), (0, 0, 250))]))
    assert np.abs(np.asarray(decoded.image, int) - (250, 0, 0)).max() <= 8
    assert decoded.facts == ("multi_frame_photos",)


def test_no_metadata_goes_along() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 70_000)  # more than a JPEG can hold
    decoded = decode_picture(encode(grain(), pnginfo=info))
    assert encode(decoded.image.resize((8, 8)), "JPEG") == encode(grain().resize((8, 8)), "JPEG")


OTHERS = {
    kind: encode(grain(), kind) for kind in ("GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "PCX", "TGA", "EPS", "JPEG2000", "PDF")
}


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_format_is_decoded_and_no_program_is_started(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / "called"
    for name in ("gs", "gswin32c", "gswin64c"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho $0 >> {called}\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BadPhotoError, match="no image format that may be decoded here, PNG or JPEG"):
        decode_picture(OTHERS[kind])
    assert not called.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"DAT03 was lost\n", "no image format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a pointer of Git LFS"),
        (b"<!doctype html><p>404", "HTML"),
        (OTHERS["TIFF"], "a TIFF"),
        (OTHERS["EPS"], "PostScript"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC"),
        (encode(grain(size=(200, 200)))[:60_000], "truncated"),
        (encode(grain(size=(200, 200)), "JPEG")[:5_000], "truncated"),
        (b"\xff\xd8\xff\xe0 no JPEG", "[Tt]runcated|damaged"),
        (deep_png(0, 1), "more than 8 bits: 16 in each channel"),
        (deep_png(2, 3), "more than 8 bits: 16 in each channel"),
        (deep_png(4, 2), "more than 8 bits: 16 in each channel"),
        (deep_png(6, 4), "more than 8 bits: 16 in each channel"),
        (deep_png(2, 3, side=20_000), "400000000 pixels"),
    ],
    ids=[
        "nothing",
        "text",
        "LFS",
        "HTML",
        "TIFF",
        "EPS",
        "HEIC",
        "cut PNG",
        "cut JPEG",
        "no JPEG",
        "grey",
        "RGB",
        "LA",
        "RGBA",
        "huge",
    ],
)
def test_a_file_that_is_no_photo_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadPhotoError, match=reason) as error:
        decode_picture(content)
    assert " at 0x" not in str(error.value)


def test_the_memory_is_asked_for_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, decoded = [], threading.Event()
    load = PngImagePlugin.PngImageFile.load_prepare
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", lambda self: (decoded.set(), load(self))[1])

    class Holding:
        def __init__(self, size: int) -> None:
            asked.append(size)

        def __enter__(self) -> None:
            assert not decoded.is_set()

        def __exit__(self, *_: object) -> None: ...

    decode_picture(encode(grain()), Holding)
    assert decoded.is_set()
    assert asked == [read_header(encode(grain())).bytes]
    assert asked[0] >= 31 * 17 * 4


def test_a_photo_of_the_challenges_size_is_small_enough() -> None:
    header = read_header(encode(Image.new("RGB", (3280, 2464)), compress_level=1))
    assert (header.width, header.height) == (3280, 2464)
    assert picture.MAX_PIXELS > 3280 * 2464
