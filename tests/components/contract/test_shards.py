"""Stages that fan out: whatever the number of shards, what the stages after them read is the same, to the byte."""

import errno
import importlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from kfp import dsl
from PIL import Image
from small_dataset import write_sources
from stored_photos import stored_photos

from components.contract.shards import Shard, in_order, joined
from components.generate_pairs.catalogs import merge_catalogs
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.split_folds.settings import SplitFoldsSettings
from components.split_folds.split import split_folds
from components.train.fit import load_fold
from components.train.settings import TrainSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

SKIP = ResizeImagesSettings(image_size=16, on_bad_photo="skip")


def content(folder: Path) -> dict[str, bytes]:
    """Relative path to bytes of every file, but those by which shards know each other and that says who wrote them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("shard.json", "manifest.json"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# Photos and catalogs.


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Seven train photos, of which the first and one more are bad, three test photos and a file that is none."""
    root = tmp_path / "raw"
    series = {"BC/NA": (1, 2, 10), "LT/0010": (1, 3, 5, 7)}
    paths = [f"train_dataset/{each}/DAT{day}.png" for each, days in series.items() for day in days]
    paths += [f"test_dataset/LT/1003/idx_{number}.png" for number in (1, 2, 3)]
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 30), (9 * number, 90, 40)).save(root / path)
    for bad in ("train_dataset/BC/NA/DAT1.png", "train_dataset/LT/0010/DAT5.png"):
        (root / bad).write_bytes(b"no photo")
    (root / "train_dataset/BC/NA/notes.txt").write_text("no photo by its name")
    (root / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n0,idx_1,idx_2\n")
    (root / "sample_submission.csv").write_text("idx,time_delta\n0,1\n")
    return root


def resize_shards(raw: Path, into: Path, num_shards: int) -> tuple[list[Path], list[Path]]:
    """The folders of images and of catalogs that the shards write."""
    folders = [(into / f"images-{shard}", into / f"catalog-{shard}") for shard in range(num_shards)]
    for shard, (images, catalog) in enumerate(folders):
        of_shard = Shard(shard=shard, num_shards=num_shards)
        resize_images(raw=raw, images=images, catalog=catalog, settings=SKIP, shard=of_shard)
    return [images for images, _ in folders], [catalog for _, catalog in folders]


@pytest.mark.parametrize("num_shards", [2, 3, 13])  # 13: some shards have no photo
def test_photos_and_catalog_of_all_shards_are_those_of_one(raw: Path, tmp_path: Path, num_shards: int) -> None:
    (whole_images,), (whole_catalog,) = resize_shards(raw, tmp_path / "one", 1)
    images, catalogs = resize_shards(raw, tmp_path / "many", num_shards)
    merge_catalogs(catalogs=catalogs[::-1], catalog=tmp_path / "merged")
    assert content(tmp_path / "merged") == content(whole_catalog)
    assert len(content(whole_catalog)["images.csv"].splitlines()) == 1 + 8
    assert json.loads(content(whole_catalog)["stage.json"])["counts"]["bad_photos"] == 2
    assert stored_photos(joined(images[::-1])) == stored_photos(whole_images)
    sizes = [len(stored_photos(folder)) for folder in images]
    assert sum(sizes) == 8
    assert max(sizes) - min(sizes) <= 1 + 2  # bad photos are dealt out like the others
    assert [name for folder in catalogs[1:] for name in content(folder) if "test_data" in name or "sample" in name] == []


def test_a_single_shard_says_nothing_of_shards_and_is_taken_as_it_is(raw: Path, tmp_path: Path) -> None:
    (images,), (catalog,) = resize_shards(raw, tmp_path, 1)
    assert not list(tmp_path.rglob("shard.json"))
    assert joined([images]) == images
    merge_catalogs(catalogs=[catalog], catalog=tmp_path / "merged")
    assert content(tmp_path / "merged") == content(catalog)


def test_a_catalog_is_copied_where_nobody_may_set_times_and_modes(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a bucket that another user has mounted."""
    _, (catalog,) = resize_shards(raw, tmp_path, 1)

    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    merge_catalogs(catalogs=[catalog], catalog=tmp_path / "merged")
    assert content(tmp_path / "merged") == content(catalog)


def test_a_split_without_a_good_photo_is_seen_over_all_shards(raw: Path, tmp_path: Path) -> None:
    for path in (raw / "test_dataset/LT/1003").iterdir():
        path.write_bytes(b"")
    _, catalogs = resize_shards(raw, tmp_path, 2)
    with pytest.raises(ValueError, match=r"raw/test_dataset: none of its photos can be decoded \(5 bad photos in all\)"):
        merge_catalogs(catalogs=catalogs, catalog=tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_raw_data_that_changed_from_shard_to_shard_is_refused(raw: Path, tmp_path: Path) -> None:
    _, before = resize_shards(raw, tmp_path / "before", 2)
    (raw / "train_dataset/LT/0010/DAT7.png").unlink()
    _, after = resize_shards(raw, tmp_path / "after", 2)
    with pytest.raises(ValueError, match=r"catalog-1: photos is '[0-9a-f]{64}', and .* run that stage again"):
        merge_catalogs(catalogs=[before[0], after[1]], catalog=tmp_path / "merged")


# Which folders belong together.


def folders_of(root: Path, *numbers: tuple[int, int]) -> list[Path]:
    """Folders of (shard, num_shards)."""
    folders = []
    for place, (shard, num_shards) in enumerate(numbers):
        folders.append(root / f"{place}" / "images")
        Shard(shard=shard, num_shards=num_shards).write(folders[-1], {"raw": "plants"})
        folders[-1].mkdir(parents=True, exist_ok=True)
        (folders[-1] / f"{shard}.jpg").write_bytes(b"jpeg")
    return folders


def test_folders_come_out_in_the_order_of_their_shards(tmp_path: Path) -> None:
    shuffled = folders_of(tmp_path, (2, 3), (0, 3), (1, 3))
    assert in_order(shuffled) == [shuffled[1], shuffled[2], shuffled[0]]
    whole = joined(shuffled)
    assert sorted(path.name for path in whole.iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    assert all(path.is_symlink() for path in whole.iterdir())


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([(0, 3)], r"images of shards \[0\], num_shards=3: expected each shard from 0 to 2 once. .* give it a list `shards`"),
        ([(0, 3), (2, 3)], r"images of shards \[0, 2\], num_shards=3"),
        ([(0, 2), (0, 2)], r"images of shards \[0, 0\], num_shards=2"),
        ([(0, 1), (0, 1)], r"images of shards \[0, 0\], num_shards=1"),
        ([(0, 2), (1, 3)], "num_shards is 3, and 2 in .*Expected all shards of one stage of one run"),
        ([], "no folder of any shard"),
    ],
)
def test_shards_that_are_not_all_of_one_whole_are_refused(tmp_path: Path, numbers: list[tuple[int, int]], message: str) -> None:
    """As where a compiled file is run by hand with a num_shards and a list of shards that disagree."""
    with pytest.raises(ValueError, match=message):
        joined(folders_of(tmp_path, *numbers))


@pytest.mark.parametrize("shard", [-1, 2])
def test_a_shard_beyond_num_shards_is_refused(shard: int) -> None:
    with pytest.raises(ValueError, match=f"shard={shard}, num_shards=2: expected each shard from 0 to 1 once"):
        Shard(shard=shard, num_shards=2)


def test_two_shards_with_a_file_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = folders_of(tmp_path, (0, 2), (1, 2))
    shutil.copy(first / "0.jpg", second)
    with pytest.raises(ValueError, match=r"images/0\.jpg is of the same name"):
        joined([first, second])


# TFRecords and tables.


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_sources(tmp_path_factory.mktemp("sources"))


def test_each_file_holds_every_third_record(sources: dict[str, Path], tmp_path: Path) -> None:
    for name, num_shards in (("whole", 1), ("parts", 3)):
        write_tfrecords(**sources, examples=tmp_path / name, settings=WriteTfrecordsSettings(num_shards=num_shards))
    for group in ("fold.0", "fold.1", "fold.2", "test"):
        records = list(tf.data.TFRecordDataset(str(tmp_path / f"whole/{group}.tfrecord-00000-of-00001")).as_numpy_iterator())
        for shard in (0, 1, 2):
            with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
                for record in records[shard::3]:
                    writer.write(record)
            expected = (tmp_path / "expected").read_bytes()
            assert (tmp_path / f"parts/{group}.tfrecord-0000{shard}-of-00003").read_bytes() == expected


def test_train_sees_the_same_images_and_pairs(sources: dict[str, Path], tmp_path: Path) -> None:
    """All that training starts from; what it makes of them is the same from there on."""
    for name, num_shards in (("whole", 1), ("parts", 3)):
        write_tfrecords(**sources, examples=tmp_path / name, settings=WriteTfrecordsSettings(num_shards=num_shards))
    settings = TrainSettings(fold=1, dim=32)
    one, many = (load_fold(tmp_path / name, settings) for name in ("whole", "parts"))
    assert one.images.tobytes() == many.images.tobytes()
    for name in ("table", "train", "validation"):
        assert getattr(one, name).equals(getattr(many, name))


# Faces.


@pytest.mark.parametrize("splits", [["train", "test"], ["test"]], ids=["training", "scoring"])
def test_faces_pass_lists_of_shards_on(raw: Path, tmp_path: Path, splits: list[str]) -> None:
    def made(name: str, shard: int | None = None) -> dsl.Dataset:
        return dsl.Dataset(uri=str(tmp_path / (name if shard is None else f"{name}-{shard}")))

    resize, generate, write = (
        getattr(importlib.import_module(f"components.{stage}.component"), stage).python_func
        for stage in ("resize_images", "generate_pairs", "write_tfrecords")
    )
    arguments: dict[str, Any] = {"raw": str(raw), "raw_digest": "d", "image_size": 16, "jpeg_quality": 75, "on_bad_photo": "skip"}
    arguments["splits"] = splits
    arguments |= {"days_from": "name", "on_equal_photos": "fail"}
    images, catalogs = ([made(name, shard) for shard in (0, 1)] for name in ("images", "catalogs"))
    for shard in (0, 1):
        resize(images=images[shard], catalog=catalogs[shard], **arguments, shard=shard, num_shards=2)
    catalog, pairs = made("catalog"), made("pairs")
    generate(catalogs=catalogs[::-1], catalog=catalog, pairs=pairs, splits=splits)
    folded = {}
    if "train" in splits:
        split_folds(pairs=Path(pairs.path), folded_pairs=tmp_path / "folded_pairs", settings=SplitFoldsSettings(num_folds=2))
        folded = {"folded_pairs": made("folded_pairs")}
    examples, tables = made("examples"), made("tables")
    inputs = {"images": images[::-1], "catalog": catalog, "pairs": pairs, **folded}
    write(**inputs, examples=examples, tables=tables, layout="images", num_shards=2)
    for made_by_shard in (images, catalogs):
        assert [each.metadata["shard"] for each in made_by_shard] == [0, 1]
    groups = ["fold.0", "fold.1", "test"] if folded else ["test"]
    names = [f"{group}.tfrecord-0000{shard}-of-00002" for group in groups for shard in (0, 1)]
    assert sorted(path.name for path in Path(examples.path).glob("*.tfrecord-*")) == names
