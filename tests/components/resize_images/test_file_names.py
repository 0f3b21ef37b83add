"""Names of files that other systems wrote: each is carried to the catalog, or refused before a photo is resized."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, PngImagePlugin
from stored_photos import stored_photos

from components.generate_pairs.generate import generate_pairs
from components.generate_pairs.settings import GeneratePairsSettings
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings

SERIES = "train_dataset/LT/LT_01"


def shot(path: Path | bytes, colour: int) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - of bytes that are no UTF-8, too
        Image.new("RGB", (20, 20), (colour, 90, 40)).save(file, "PNG")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for number, name in enumerate((f"{SERIES}/DAT01.png", f"{SERIES}/DAT02.png", "test_dataset/LT/1003/t1.png")):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        shot(tmp_path / "raw" / name, number)
    (tmp_path / "raw/test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,t1,t1\n")
    return tmp_path / "raw"


def resized(raw: Path, on_bad_photo: str = "fail") -> dict:
    """The record of resize_images, after the stage that follows has read what it wrote."""
    catalog = raw.parent / "catalog"
    settings = ResizeImagesSettings(image_size=16, on_bad_photo=on_bad_photo)
    record = resize_images(raw=raw, images=raw.parent / "images", catalog=catalog, settings=settings)
    assert json.loads((catalog / "stage.json").read_text(encoding="utf-8")) == record
    generate_pairs(catalog=catalog, pairs=raw.parent / "pairs", settings=GeneratePairsSettings())
    return record


def in_raw(raw: Path, name: bytes) -> bytes:
    return os.fsencode(raw / SERIES) + b"/" + name


CODE_PAGES = [
    ("메모", "cp949"),
    ("メモ", "shift_jis"),
    ("Größe", "latin-1"),
    ("заметка", "cp1251"),
]


@pytest.mark.parametrize(("text", "encoding"), CODE_PAGES)
def test_a_note_in_another_encoding_is_counted_and_ends_nothing(raw: Path, text: str, encoding: str) -> None:
    with open(in_raw(raw, f"{text}.txt".encode(encoding)), "wb"):  # noqa: PTH123
        pass
    record = resized(raw)
    (other,) = record["skipped"]
    assert record["counts"]["other_files"] == 1
    assert other["what"].startswith(f"{SERIES}/") and "\\x" in other["what"]
    assert "no UTF-8" in other["why"] and "convmv" in other["why"]


@pytest.mark.parametrize(("text", "encoding"), CODE_PAGES)
@pytest.mark.parametrize("kind", ["photo", "series"])
def test_a_photo_or_a_series_in_another_encoding_is_refused_before_anything_is_resized(
    raw: Path, kind: str, text: str, encoding: str
) -> None:
    if kind == "photo":
        shot(in_raw(raw, f"{text}07.png".encode(encoding)), 77)
    else:
        series = in_raw(raw, b"../" + f"{text}_01".encode(encoding))
        os.mkdir(series)  # noqa: PTH102
        shot(series + b"/DAT01.png", 77)
    with pytest.raises(ValueError, match=r"its name is no UTF-8; rename it \(convmv"):
        resized(raw)
    assert not (raw.parent / "images").exists()
    record = resized(raw, on_bad_photo="skip")
    assert (record["counts"]["bad_photos"], record["counts"]["train_photos"]) == (1, 2)


@pytest.mark.parametrize(
    "stem",
    ["가" * 81 + "07", "x" * 249 + "07", "Ä" * 124 + "007", "a, \"b\"; 'c' 07", "100% #7 & <b> 07", "-07", "CON 07", "🌱07"],
    ids=[
        "249 bytes of Korean",
        "255 bytes",
        "255 bytes of umlauts",
        "commas and quotes",
        "signs",
        "a dash",
        "Windows' own",
        "emoji",
    ],
)
def test_a_long_or_strange_name_goes_through_every_stage(raw: Path, stem: str) -> None:
    for path in (raw / SERIES).iterdir():
        path.unlink()
    names = [stem, stem.replace("07", "09")]
    for number, name in enumerate(names):
        shot(raw / SERIES / f"{name}.png", number)
    resized(raw)
    images = pd.read_csv(raw.parent / "catalog/images.csv", dtype=object)
    assert images["day"].tolist()[:2] in (["7", "9"], ["-9", "-7"])
    assert set(images["image_id"][:2]) == {f"train/LT_01/{name}" for name in names}
    assert set(stored_photos(raw.parent / "images")) == set(images["path"])
    pairs = pd.read_csv(raw.parent / "pairs/train_pairs.csv")
    assert {pairs["before_image_id"][0], pairs["after_image_id"][0]} == set(images["image_id"][:2])


@pytest.mark.parametrize("key", ["comment", "Comment", "Description", "Raw profile type exif"])
def test_what_a_rig_writes_beside_the_pixels_changes_nothing(raw: Path, key: str) -> None:
    resized(raw)
    expected = stored_photos(raw.parent / "images")
    info = PngImagePlugin.PngInfo()
    info.add_text(key, "x" * 70_000)
    with Image.open(raw / SERIES / "DAT02.png") as photo:
        photo.save(raw / SERIES / "DAT02.png", pnginfo=info)
    resized(raw)
    assert stored_photos(raw.parent / "images") == expected
