"""What raw data means before a photo is decoded: days from a table or EXIF, equal photos, and every problem at once."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.raw.source import RawSource
from components.raw.storage import open_raw
from components.resize_images import resize
from components.resize_images import understand as understand_module
from components.resize_images.settings import ResizeImagesSettings
from components.resize_images.understand import Understood, refuse, understand


def shot(path: Path, seed: int, moment: str | None = None) -> None:
    exif = Image.Exif()
    if moment:
        exif.get_ifd(0x8769)[0x9003] = moment
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG", exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    for number in (12, 13, 14):
        shot(root / f"train_dataset/LT/LT_01/IMG_00{number}.jpg", number, f"2021:06:{number} 09:00:00")
    for day in (1, 2):
        shot(root / f"train_dataset/LT/LT_02/DAT0{day}.jpg", day)
    shot(root / "test_dataset/LT/1003/t1.jpg", 50)
    (root / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,t1,t1\n")
    return root


def understood(raw: Path, **settings: str) -> Understood:
    return understand(open_raw(raw), ResizeImagesSettings(**settings))


def days(found: Understood, series: str) -> dict[str, float]:
    return {path.stem: day for each in found.series if each.name[1] == series for path, day in each.photos.items()}


def table(raw: Path, text: str) -> None:
    (raw / "train_dataset/days.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("species,series,file,day\nLT,LT_01,IMG_0012.jpg,7\nLT,LT_01,img_0013,8.5\nLT,LT_01,IMG_0014.jpg,7\n", [7, 8.5, 7]),
        ("Species, Series, File, Date\n"
         "LT,LT_01,IMG_0012,2021-06-30\nLT,LT_01,IMG_0013,01.07.2021\nLT,LT_01,IMG_0014,20210705\n,,,\n",
         [0, 1, 5]),
    ],
    ids=["days, two photos of one", "dates"],
)  # fmt: skip
def test_a_table_of_days_wins_for_the_series_that_it_names(raw: Path, text: str, expected: list[float]) -> None:
    table(raw, text)
    found = understood(raw)
    assert not found.problems
    assert list(days(found, "LT_01").values()) == expected
    assert days(found, "LT_02") == {"DAT01": 1, "DAT02": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("species,series,file,day\nLT,LT_01,IMG_0012.jpg,7\n", "2 photos of the series have no row"),
        ("species,series,file,day\nLT,LT_09,IMG_0012.jpg,7\n", "LT/LT_09 is no train series"),
        ("species,series,file\nLT,LT_01,IMG_0012.jpg\n", "and day or date"),
        ("species,series,file,day\nLT,LT_01,IMG_0012.jpg,seven\n", "line 2: day='seven'"),
        ("species,series,file,date\nLT,LT_01,IMG_0012.jpg,tomorrow\n", "line 2: date='tomorrow'"),
        (
            "species,series,file,day\nLT,LT_01,IMG_0012.jpg,7\nLT,LT_01,IMG_0012.jpg,8\n",
            "line 3: IMG_0012.jpg of LT_01 is there twice",
        ),
    ],
)
def test_a_table_of_days_that_cannot_be_followed_is_refused(raw: Path, text: str, words: str) -> None:
    table(raw, text)
    with pytest.raises(ValueError, match=words):
        refuse(understood(raw))


def test_names_without_days_are_refused_and_exif_is_offered(raw: Path) -> None:
    (problem,) = understood(raw).problems
    for words in ("LT_01/IMG_0012.jpg", "LT_01/IMG_0013.jpg", "camera's counter", "days.csv", "days_from=exif"):
        assert words in problem


def test_exif_gives_the_days_only_where_every_photo_has_a_time(raw: Path) -> None:
    found = understood(raw, days_from="exif")
    assert days(found, "LT_01") == {"IMG_0012": 0, "IMG_0013": 1, "IMG_0014": 2}
    (problem,) = found.problems
    assert "2 photos have no EXIF DateTimeOriginal" in problem
    assert "LT_02/DAT01.jpg" in problem


@pytest.mark.parametrize(
    ("source", "copy", "where", "is_error"),
    [
        ("train_dataset/LT/LT_02/DAT01.jpg", "train_dataset/BC/BC_01/DAT09.jpg", "in two train series", True),
        ("train_dataset/LT/LT_02/DAT01.jpg", "test_dataset/LT/1003/t2.jpg", "in the train and in the test set", True),
        ("train_dataset/LT/LT_02/DAT01.jpg", "train_dataset/LT/LT_02/DAT09.jpg", "twice in one train series", False),
        ("test_dataset/LT/1003/t1.jpg", "test_dataset/LT/1004/t2.jpg", "twice in the test set", False),
    ],
)
def test_equal_photos_are_named_and_those_that_leak_are_an_error(
    raw: Path, source: str, copy: str, where: str, is_error: bool
) -> None:
    shutil.rmtree(raw / "train_dataset/LT/LT_01")
    (raw / copy).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(raw / source, raw / copy)
    found = understood(raw)
    (equal,) = found.equal
    assert equal.where == where
    assert {str(path) for path in equal.paths} == {source, copy}
    assert bool(found.problems) == is_error
    assert not understood(raw, on_equal_photos="report").problems


@pytest.mark.parametrize("kind", ["a copy of a file manager's", "a link to the folder", "a link to a photo", "hard links"])
def test_a_series_under_two_names_is_an_error(raw: Path, kind: str) -> None:
    shutil.rmtree(raw / "train_dataset/LT/LT_01")
    series = raw / "train_dataset/LT/LT_02"
    other = series.with_name("LT_02 - Copy")
    if kind == "a copy of a file manager's":
        shutil.copytree(series, other)
    elif kind == "a link to the folder":
        other.symlink_to("LT_02")
    else:
        other.mkdir()
        (other / "DAT01.jpg").symlink_to(series / "DAT01.jpg") if kind == "a link to a photo" else os.link(
            series / "DAT01.jpg", other / "DAT01.jpg"
        )
    (problem,) = understood(raw).problems
    assert "LT_02 - Copy/DAT01.jpg" in problem and "in two train series" in problem


def test_broken_files_are_not_equal_photos(raw: Path) -> None:
    shutil.rmtree(raw / "train_dataset/LT/LT_01")
    for name in ("train_dataset/LT/LT_02/DAT03.jpg", "train_dataset/BC/BC_01/DAT01.jpg", "test_dataset/LT/1003/t2.jpg"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(b"version https://git-lfs")
    assert not understood(raw).equal


def test_photos_that_cannot_be_read_are_not_equal_and_no_end_of_a_check(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one size, of which the digest is the same reason, and which are read to be sure."""
    shutil.rmtree(raw / "train_dataset/LT/LT_01")
    for name in ("DAT03.jpg", "DAT04.jpg"):
        (raw / "train_dataset/LT/LT_02" / name).write_bytes(b"the same")

    def denied(path: Path, *_mode: str) -> bytes:
        if path.name in ("DAT03.jpg", "DAT04.jpg"):
            raise PermissionError(13, "Permission denied", str(path))
        return path_open(path, *_mode)

    path_open = Path.open
    monkeypatch.setattr(Path, "open", denied)
    monkeypatch.setattr(Path, "read_bytes", lambda path: denied(path, "rb").read())
    assert not understood(raw).equal


def test_a_photo_that_is_gone_after_it_was_listed_is_a_bad_photo(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(raw / "train_dataset/LT/LT_01")
    shot(raw / "train_dataset/LT/LT_02/DAT03.jpg", 3)

    def listed(source: RawSource, *arguments: object) -> object:
        found = find(source, *arguments)
        (raw / "train_dataset/LT/LT_02/DAT03.jpg").unlink()
        return found

    find = understand_module.understand
    monkeypatch.setattr(resize, "understand", listed)
    settings = ResizeImagesSettings(image_size=16, on_bad_photo="skip")
    record = resize.resize_images(raw=raw, images=tmp_path / "images", catalog=tmp_path / "catalog", settings=settings)
    assert record["skipped"] == [{"what": "train_dataset/LT/LT_02/DAT03.jpg", "why": "No such file or directory"}]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["train_dataset/LT/LT_02/\u00e907.jpg", "train_dataset/LT/LT_02/e\u030107.jpg"],
            "decomposed",
        ),
        (["test_dataset/LT_1/003/a.jpg", "test_dataset/LT/1_003/b.jpg"], "test series 'LT_1_003'"),
        (["train_dataset/BC/LT_02/DAT01.jpg"], "train series 'LT_02'"),
    ],
)
def test_names_that_become_one_are_refused(raw: Path, names: list[str], words: str) -> None:
    for number, name in enumerate(names, 80):
        shot(raw / name, number)
    assert any(words in problem for problem in understood(raw).problems)


def test_all_problems_are_named_at_once(raw: Path) -> None:
    (raw / "train_dataset/LT/LT_02/DAT03.tif").write_bytes(b"x")
    (raw / "sample_submission.csv").symlink_to("/nowhere.csv")
    shutil.copytree(raw / "train_dataset/LT/LT_02", raw / "train_dataset/LT/LT_03", ignore=shutil.ignore_patterns("*.tif"))
    with pytest.raises(ValueError) as error:
        refuse(understood(raw))
    for words in ("DAT03.tif", "sample_submission.csv", "IMG_0012", "on_equal_photos=report"):
        assert words in str(error.value)
