"""Photos as people have them, good and bad, against Pillow by hand."""

import io
import json
import os
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kfp import dsl
from PIL import Image
from stored_photos import stored_photo, stored_photos

from components.resize_images import resize
from components.resize_images.component import resize_images as face
from components.resize_images.picture import Picture
from components.resize_images.settings import ResizeImagesSettings

TEST_DATA = "idx,before_file_path,after_file_path\n0,idx_LT_1003_00341,idx_LT_1003_00112\n"


def photo(seed: int, size: tuple[int, int] = (41, 31)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def put(raw: Path, name: str, content: bytes) -> Path:
    path = raw / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    for seed, name in enumerate(
        [
            "train_dataset/LT/LT_02/DAT10.png",
            "train_dataset/LT/LT_02/DAT7.png",
            "train_dataset/LT/LT_01/DAT02.png",
            "train_dataset/LT/LT_01/DAT01.png",
            "train_dataset/BC/BC_01/DAT03.PNG",
            "test_dataset/LT/1003/idx_LT_1003_00341.png",
            "test_dataset/LT/1003/idx_LT_1003_00112.png",
        ]
    ):
        put(raw, name, encode(photo(seed)))
    put(raw, "test_dataset/test_data.csv", TEST_DATA.encode())
    return raw


def run(raw: Path, on_bad_photo: str = "fail", image_size: int = 24, jpeg_quality: int = 75) -> dict:
    settings = ResizeImagesSettings(image_size=image_size, jpeg_quality=jpeg_quality, on_bad_photo=on_bad_photo)
    return resize.resize_images(raw=raw, images=raw.parent / "images", catalog=raw.parent / "catalog", settings=settings)


def read_catalog(raw: Path) -> pd.DataFrame:
    return pd.read_csv(raw.parent / "catalog/images.csv", dtype={"day": "Int64"})


def by_hand(source: Path, image_size: int = 24, jpeg_quality: int = 75) -> bytes:
    return encode(Image.open(source).convert("RGB").resize((image_size, image_size)), "JPEG", quality=jpeg_quality)


@pytest.mark.parametrize(("image_size", "jpeg_quality"), [(24, 75), (64, 40)])  # smaller than the photo, and larger
def test_jpegs_are_pillows_own_bytes(raw: Path, image_size: int, jpeg_quality: int) -> None:
    run(raw, image_size=image_size, jpeg_quality=jpeg_quality)
    sources = sorted([*raw.rglob("*.png"), *raw.rglob("*.PNG")])
    assert len(sources) == 7
    for source in sources:
        stored = stored_photos(raw.parent / "images")[str(source.relative_to(raw).with_suffix(".jpg"))]
        assert stored == by_hand(source, image_size, jpeg_quality)


def test_quality_75_is_pillows_default(raw: Path) -> None:
    run(raw)
    source = raw / "train_dataset/LT/LT_01/DAT01.png"
    stored = stored_photos(raw.parent / "images")["train_dataset/LT/LT_01/DAT01.jpg"]
    assert stored == encode(Image.open(source).resize((24, 24)), "JPEG")


def test_catalog_has_one_row_per_photo_train_by_day_then_test(raw: Path) -> None:
    run(raw)
    expected = pd.DataFrame(
        [
            ("train/BC_01/DAT03", "train", "BC", "BC_01", 3, "train_dataset/BC/BC_01/DAT03.jpg"),
            ("train/LT_01/DAT01", "train", "LT", "LT_01", 1, "train_dataset/LT/LT_01/DAT01.jpg"),
            ("train/LT_01/DAT02", "train", "LT", "LT_01", 2, "train_dataset/LT/LT_01/DAT02.jpg"),
            ("train/LT_02/DAT7", "train", "LT", "LT_02", 7, "train_dataset/LT/LT_02/DAT7.jpg"),
            ("train/LT_02/DAT10", "train", "LT", "LT_02", 10, "train_dataset/LT/LT_02/DAT10.jpg"),
            ("test/LT_1003/idx_LT_1003_00112", "test", "LT", "LT_1003", None, "test_dataset/LT/1003/idx_LT_1003_00112.jpg"),
            ("test/LT_1003/idx_LT_1003_00341", "test", "LT", "LT_1003", None, "test_dataset/LT/1003/idx_LT_1003_00341.jpg"),
        ],
        columns=["image_id", "split", "species", "series", "day", "path"],
    ).astype({"day": "Int64"})
    pd.testing.assert_frame_equal(read_catalog(raw), expected)
    assert list(stored_photos(raw.parent / "images")) == expected["path"].tolist()


def test_padded_names_come_in_the_winners_order_which_is_by_name(raw: Path) -> None:
    for day in range(12, 0, -1):
        put(raw, f"train_dataset/BC/BC_02/DAT{day:02d}.png", encode(photo(100 + day)))
    run(raw)
    images = read_catalog(raw)
    by_name = sorted(path.stem for path in (raw / "train_dataset/BC/BC_02").iterdir())
    assert [name.rsplit("/")[-1] for name in images[images["series"] == "BC_02"]["image_id"]] == by_name


def test_tables_are_copied_byte_for_byte(raw: Path) -> None:
    put(raw, "test_dataset/test_labels.csv", b"idx,time_delta\r\n0,3\r\n")
    run(raw)
    catalog = raw.parent / "catalog"
    assert (catalog / "test_data.csv").read_bytes() == TEST_DATA.encode()
    assert (catalog / "test_labels.csv").read_bytes() == b"idx,time_delta\r\n0,3\r\n"
    assert not (catalog / "sample_submission.csv").exists()


def test_record_counts_photos_and_series(raw: Path) -> None:
    put(raw, "train_dataset/LT/LT_01/Thumbs.db", b"")
    record = run(raw)
    assert json.loads((raw.parent / "catalog/stage.json").read_text()) == record
    assert record["counts"] == {
        "photos": 7, "train_photos": 5, "test_photos": 2, "train_series": 3, "test_series": 1, "bad_photos": 0, "other_files": 1,
        "first_photo_width": 41, "first_photo_height": 31,
    }  # fmt: skip
    assert record["skipped"] == [{"what": "train_dataset/LT/LT_01/Thumbs.db", "why": "not a photo by its name"}]


def test_progress_counts_files_and_bytes(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(raw)
    size = sum(path.stat().st_size for path in raw.rglob("*") if path.suffix.lower() == ".png")
    assert 9_500 < size < 99_950  # shown as 12.3kB
    last = capsys.readouterr().out.split("\r")[-1]
    assert "| 7/7 [" in last
    assert f", {size / 1000:.1f}kB/{size / 1000:.1f}kB]" in last


def test_photos_at_another_depth_are_counted_and_reported_with_their_own_reason(raw: Path) -> None:
    put(raw, "train_dataset/LT/DAT09.png", encode(photo(9)))
    put(raw, "train_dataset/LT/LT_01/day/DAT08.png", encode(photo(8)))
    put(raw, "train_dataset/LT/LT_01/Thumbs.db", b"")
    record = run(raw)
    assert (record["counts"]["photos"], record["counts"]["other_files"]) == (7, 3)
    assert {entry["what"]: entry["why"] for entry in record["skipped"]} == {
        "train_dataset/LT/DAT09.png": "not at <split>_dataset/<species>/<series>/",
        "train_dataset/LT/LT_01/Thumbs.db": "not a photo by its name",
        "train_dataset/LT/LT_01/day/DAT08.png": "not at <split>_dataset/<species>/<series>/",
    }


def test_no_more_photos_at_a_time_than_cores_that_the_process_may_use(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    decode = resize.decode_picture

    def decode_and_note(content: bytes, holding: Any) -> Picture:
        names.add(threading.current_thread().name)
        time.sleep(0.02)  # so that a second thread, were there one, took the next photo
        return decode(content, holding)

    monkeypatch.setattr(resize, "decode_picture", decode_and_note)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    run(raw)
    assert len(names) == 1


@pytest.mark.parametrize(
    "content",
    [
        encode(photo(1).convert("RGBA")),
        encode(photo(1).quantize(16)),
        encode(photo(1).convert("L")),
        encode(photo(1).convert("1")),
        encode(photo(1).convert("CMYK"), "JPEG"),
    ],
    ids=["alpha", "palette", "grey", "black and white", "CMYK JPEG"],
)
def test_other_pixel_formats_become_rgb_as_they_lie(raw: Path, content: bytes) -> None:
    source = put(raw, "train_dataset/LT/LT_01/DAT03.png", content)
    run(raw)
    assert stored_photos(raw.parent / "images")["train_dataset/LT/LT_01/DAT03.jpg"] == by_hand(source)
    image = stored_photo(raw.parent / "images", "train_dataset/LT/LT_01/DAT03.jpg")
    assert (image.mode, image.size) == ("RGB", (24, 24))


def rotated_by_exif(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees"
    return encode(photo(seed), exif=exif)


def test_what_was_done_to_photos_is_counted(raw: Path) -> None:
    put(raw, "train_dataset/LT/LT_01/DAT03.png", rotated_by_exif(21))
    put(raw, "train_dataset/LT/LT_01/DAT04.png", rotated_by_exif(22))
    put(raw, "train_dataset/LT/LT_01/DAT05.png", encode(Image.new("RGBA", (9, 9), (1, 2, 3, 100))))
    record = run(raw)
    assert {name: record["counts"].get(name) for name in ("turned_photos", "transparent_photos", "cmyk_photos")} == {
        "turned_photos": 2, "transparent_photos": 1, "cmyk_photos": None,
    }  # fmt: skip
    stored = stored_photo(raw.parent / "images", "train_dataset/LT/LT_01/DAT03.jpg")
    upright = photo(21).rotate(-90, expand=True).resize((24, 24))
    assert stored.tobytes() == Image.open(io.BytesIO(encode(upright, "JPEG"))).tobytes()


def bomb() -> bytes:
    """A PNG whose header claims 10,000 x 10,000 pixels, above Pillow's limit of 89,478,485, in under 100 bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BAD = [
    pytest.param(encode(photo(1, (200, 200)))[:60_000], "truncated", id="truncated PNG"),
    pytest.param(encode(photo(1, (200, 200)), "JPEG")[:5_000], "truncated", id="truncated JPEG"),
    pytest.param(b"DAT03 was lost\n", "no image format", id="text"),
    pytest.param(b"", "the file is empty", id="zero bytes"),
    pytest.param(bomb(), "100000000 pixels", id="bomb"),
    pytest.param(encode(Image.fromarray(np.full((9, 9), 4096, np.uint16))), "more than 8 bits", id="16-bit"),
]


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_bad_photo_ends_the_run_with_its_name_and_the_fix(raw: Path, content: bytes, reason: str) -> None:
    bad = put(raw, "train_dataset/LT/LT_01/DAT03.png", content)
    with pytest.raises(ValueError) as error:
        run(raw)
    for word in (str(bad), reason, "on_bad_photo=skip", "replace"):
        assert word in str(error.value)
    assert not (raw.parent / "catalog/stage.json").exists()
    assert not (raw.parent / "catalog/images.csv").exists()


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_bad_photo_is_left_out_counted_and_reported(raw: Path, content: bytes, reason: str) -> None:
    put(raw, "train_dataset/LT/LT_01/DAT03.png", content)
    record = run(raw, on_bad_photo="skip")
    assert record["counts"]["bad_photos"] == 1
    assert record["counts"]["photos"] == len(read_catalog(raw)) == 7
    (skipped,) = record["skipped"]
    assert skipped["what"] == "train_dataset/LT/LT_01/DAT03.png"
    assert reason in skipped["why"]
    assert " at 0x" not in skipped["why"]  # no memory address: the same data gives the same record
    assert "train_dataset/LT/LT_01/DAT03.jpg" not in stored_photos(raw.parent / "images")


def test_a_photo_of_the_challenges_size_is_no_bomb(raw: Path) -> None:
    put(raw, "train_dataset/LT/LT_01/DAT03.png", encode(Image.new("RGB", (3280, 2464)), compress_level=1))
    assert run(raw)["counts"]["photos"] == 8


def test_the_first_bad_photo_stops_the_rest(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resized = []
    original = resize.resize_photo
    monkeypatch.setattr(resize, "resize_photo", lambda *given: (resized.append(1), original(*given))[1])
    for day in range(100, 400):
        put(raw, f"train_dataset/LT/LT_09/DAT{day}.png", encode(photo(day)))
    put(raw, "train_dataset/BC/BC_01/DAT01.png", b"no photo")
    with pytest.raises(ValueError, match="DAT01"):
        run(raw)
    assert len(resized) < 200
    assert not [path for path in (raw.parent / "images").rglob("*") if path.is_file()], "whole or not at all"


def test_no_good_test_photo_is_an_error_even_when_skipping(raw: Path) -> None:
    for path in (raw / "test_dataset/LT/1003").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"test_dataset: none of its photos can be decoded \(2 bad photos"):
        run(raw, on_bad_photo="skip")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train_dataset/LT/LT_01/cover.png"], ["LT_01/cover.png", "does not end in digits", "DAT07.png"]),
        (["train_dataset/LT/LT_01/IMG_20210701.png"], ["LT_01/IMG_20210701.png", "two forms", "Rename"]),
        (["train_dataset/LT/LT_01/DAT01.jpg"], ["LT_01/DAT01.jpg", "LT_01/DAT01.png", "two photos", "Rename"]),
        (["train_dataset/BC/LT_01/DAT09.png"], ["BC", "LT_01", "rename"]),
        (["test_dataset/BC/1100/idx_LT_1003_00341.png"], ["BC/1100/idx_LT_1003_00341.png", "LT/1003/idx_LT_1003_00341.png"]),
    ],
    ids=["no digits", "a date", "same stem in a series", "same series in two species", "same stem in the test set"],
)
def test_names_that_cannot_be_told_apart_or_dated_are_errors(raw: Path, names: list[str], words: list[str]) -> None:
    for name in names:
        put(raw, name, encode(photo(50)))
    with pytest.raises(ValueError) as error:
        run(raw)
    assert all(word in str(error.value) for word in words), error.value
    assert not (raw.parent / "images").exists()  # found out before the first photo is decoded


def test_component_writes_the_same_and_logs_counts(raw: Path, tmp_path: Path) -> None:
    images, catalog = (dsl.Dataset(uri=str(tmp_path / "out" / name)) for name in ("images", "catalog"))
    face.python_func(
        images=images, catalog=catalog, raw=str(raw), raw_digest="abc", image_size=24, jpeg_quality=75, on_bad_photo="fail",
        days_from="name", on_equal_photos="fail", shard=0, num_shards=1,
    )  # fmt: skip
    run(raw)
    for name in ("images", "catalog"):
        ours = {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*") if path.is_file()}
        assert ours
        assert ours == {
            path.relative_to(tmp_path / "out" / name): path.read_bytes()
            for path in (tmp_path / "out" / name).rglob("*.*")
            if path.is_file()
        }
    assert catalog.metadata["photos"] == images.metadata["photos"] == 7
    assert catalog.metadata["raw_digest"] == images.metadata["raw_digest"] == "abc"
