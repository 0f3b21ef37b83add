"""TFRecords in both layouts, read back with TensorFlow's own protos and against the files they came from."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from kfp import dsl
from PIL import Image
from small_dataset import (
    PAIRS_OF_FOLD,
    TEST_PAIRS,
    TEST_STEMS,
    UNUSED,
    catalog,
    challenge_pairs,
    train_pairs,
    write_sources,
)

from components.contract.photos import Photos
from components.network.input.image_file import ImageFile
from components.network.input.load import load_images
from components.write_tfrecords.component import write_tfrecords as face
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import Record, serialize, write_tfrecords

TEST_IDS = sorted(f"test/LT_1003/{stem}" for stem in TEST_STEMS)
IDS_OF_FOLD = {
    0: [f"train/BC_01/DAT{day:02d}" for day in (1, 2, 4, 9)],
    1: [f"train/BC_02/DAT{day:02d}" for day in (3, 5, 6)] + [f"train/LT_01/DAT{day:02d}" for day in (2, 12, 31)],
    2: ["train/LT_02/DAT01", "train/LT_02/DAT04"],
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_sources(tmp_path_factory.mktemp("sources"))


def write(sources: dict[str, Path], examples: Path, layout: str = "images", num_shards: int = 1) -> dict[str, Any]:
    return write_tfrecords(**sources, examples=examples, settings=WriteTfrecordsSettings(layout=layout, num_shards=num_shards))


def read(path: Path) -> list[dict[str, Any]]:
    """The features of each record, as lists."""
    records = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        records.append(
            {
                name: list((value.bytes_list or value.int64_list).value or value.int64_list.value)
                for name, value in features.items()
            }
        )
    return records


def photo(sources: dict[str, Path], image_id: str) -> bytes:
    path = catalog().set_index("image_id").loc[image_id, "path"]
    return (sources["images"] / path).read_bytes()


# Layout images


def test_each_image_of_a_pair_is_stored_once_in_the_file_of_its_fold(sources: dict[str, Path], tmp_path: Path) -> None:
    write(sources, tmp_path)
    expected = {f"fold.{fold}.tfrecord-00000-of-00001": ids for fold, ids in IDS_OF_FOLD.items()}
    expected["test.tfrecord-00000-of-00001"] = TEST_IDS
    assert {path.name for path in tmp_path.glob("*tfrecord*")} == set(expected)
    for name, ids in expected.items():
        assert read(tmp_path / name) == [{"image_id": [one.encode()], "image": [photo(sources, one)]} for one in ids]
    assert UNUSED not in {one for ids in expected.values() for one in ids}


@pytest.mark.parametrize("num_shards", [2, 5])  # 5: more than the images of fold 2
@pytest.mark.parametrize("layout", ["images", "pairs"])
def test_shards_share_the_records_evenly(sources: dict[str, Path], tmp_path: Path, layout: str, num_shards: int) -> None:
    write(sources, tmp_path / "sharded", layout, num_shards)
    write(sources, tmp_path / "whole", layout)
    for prefix in ("fold.0", "fold.1", "fold.2", "test"):
        names = [f"{prefix}.tfrecord-{shard:05d}-of-{num_shards:05d}" for shard in range(num_shards)]
        shards = [read(tmp_path / "sharded" / name) for name in names]
        assert max(map(len, shards)) - min(map(len, shards)) <= 1
        whole = read(tmp_path / "whole" / f"{prefix}.tfrecord-00000-of-00001")
        by_id = sorted((record for shard in shards for record in shard), key=lambda record: record["image_id"])
        assert by_id == sorted(whole, key=lambda record: record["image_id"])
    assert len(list((tmp_path / "sharded").glob("*tfrecord*"))) == 4 * num_shards


# Layout pairs (tests/parity reads it with the winner's TensorFlow)


def test_pairs_layout_repeats_the_photos_of_every_pair(sources: dict[str, Path], tmp_path: Path) -> None:
    write(sources, tmp_path, "pairs")
    stored = pd.read_csv(sources["folded_pairs"] / "train_pairs.csv")
    for fold in PAIRS_OF_FOLD:
        assert read(tmp_path / f"fold.{fold}.tfrecord-00000-of-00001") == [
            {
                "image_id": [pair["pair_id"].encode()],
                "image": [photo(sources, pair["before_image_id"]), photo(sources, pair["after_image_id"])],
                "label_id": [str(pair["time_delta_days"]).encode()],
                "label": [pair["time_delta_days"]],
            }
            for pair in stored[stored["fold"] == fold].to_dict("records")
        ]
    test = read(tmp_path / "test.tfrecord-00000-of-00001")
    assert [record["image_id"] for record in test] == [[b"comb_000000"], [b"comb_000001"]]
    assert [(record["label_id"], record["label"]) for record in test] == [([b"0"], [0])] * 2


# Tables and counts


@pytest.mark.parametrize(("layout", "records"), [("images", 4 + 6 + 2 + 3), ("pairs", 13 + 2)])
def test_dataset_json_tells_the_truth_about_the_files(
    sources: dict[str, Path], tmp_path: Path, layout: str, records: int
) -> None:
    record = write(sources, tmp_path, layout, num_shards=2)
    dataset = json.loads((tmp_path / "dataset.json").read_text())
    assert dataset["layout"] == layout and dataset["folds"] == [0, 1, 2]
    files = {path.name: path for path in tmp_path.glob("*.tfrecord-*")}
    assert [entry["name"] for entry in dataset["files"]] == sorted(files)
    for entry in dataset["files"]:
        content = files[entry["name"]].read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["records"] == len(read(files[entry["name"]]))
    photos = catalog()["split"].value_counts()
    assert dataset["counts"] == record["counts"] == {
        "train_images": photos["train"],
        "test_images": photos["test"],
        "train_pairs": 13,
        "test_pairs": len(TEST_PAIRS),
        "records": records,
        "bytes": sum(path.stat().st_size for path in files.values()),
    }  # fmt: skip
    assert json.loads((tmp_path / "stage.json").read_text()) == {
        "stage": "write_tfrecords",
        "settings": {"layout": layout, "num_shards": 2},
        "counts": record["counts"],
        "skipped": [],
    }


def test_the_tables_travel_with_the_records_and_by_themselves(tmp_path: Path) -> None:
    sources, examples, tables = write_sources(tmp_path), tmp_path / "examples", tmp_path / "tables"
    said = {"stage": "split_folds", "settings": {"num_folds": 4}, "counts": {}, "skipped": []}
    (sources["folded_pairs"] / "stage.json").write_text(json.dumps(said))
    inputs = {name: dsl.Dataset(uri=str(path)) for name, path in sources.items()}
    outputs = {"examples": dsl.Dataset(uri=str(examples)), "tables": dsl.Dataset(uri=str(tables))}
    face.python_func(**inputs | {"images": [inputs["images"]]}, **outputs, layout="images", num_shards=1)
    records = json.loads((tables / "records.json").read_text())["records"]
    assert [record["stage"] for record in records] == ["resize_images", "generate_pairs", "split_folds"]
    assert (records[2], bool(records[0]["skipped"])) == (said, True)  # resize_images has left no record
    for folder, name in (("catalog", "images.csv"), ("folded_pairs", "train_pairs.csv"), ("pairs", "test_pairs.csv")):
        assert (examples / name).read_bytes() == (tables / name).read_bytes() == (sources[folder] / name).read_bytes()
    assert (tables / "stage.json").read_bytes() == (examples / "stage.json").read_bytes()
    names = {"images.csv", "train_pairs.csv", "test_pairs.csv", "records.json", "stage.json", "manifest.json"}
    assert {path.name for path in tables.iterdir()} == names


@pytest.mark.parametrize("layout", ["images", "pairs"])
def test_same_inputs_same_bytes(sources: dict[str, Path], tmp_path: Path, layout: str) -> None:
    for name in ("one", "two"):
        write(sources, tmp_path / name, layout, num_shards=2)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two and len(one) == 8 + 6


def test_features_have_one_order_in_every_process(tmp_path: Path) -> None:
    # a protobuf map is iterated in another order by each process; the expected bytes are assembled by hand
    (tmp_path / "photo.jpg").write_bytes(b"JPEG")
    record = Record("comb_000007", ("photo.jpg", "photo.jpg"), label_days=3)

    def field(number: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return bytes([number << 3 | 2, len(content)]) + content

    def feature(name: bytes, value: bytes) -> bytes:
        return field(1, field(1, name), field(2, value))

    label_id = feature(b"label_id", field(1, field(1, b"3")))
    label = feature(b"label", field(3, field(1, bytes([3]))))
    image_id = feature(b"image_id", field(1, field(1, b"comb_000007")))
    image = feature(b"image", field(1, field(1, b"JPEG"), field(1, b"JPEG")))
    assert serialize(record, Photos(tmp_path)) == field(1, image_id, image, label_id, label)


# Reading


def decoded(sources: dict[str, Path], image_id: str) -> np.ndarray:
    path = catalog().set_index("image_id").loc[image_id, "path"]
    return np.asarray(Image.open(sources["images"] / path))


@pytest.mark.parametrize("memory_budget_gb", [8.0, 0.0], ids=["memory", "file"])
@pytest.mark.parametrize(("layout", "num_shards"), [("images", 1), ("images", 3), ("pairs", 1), ("pairs", 3)])
def test_both_layouts_load_to_the_images_of_the_table(
    sources: dict[str, Path], tmp_path: Path, layout: str, num_shards: int, memory_budget_gb: float
) -> None:
    """At the stored size nothing is resized: Pillow decodes the same photos, but for a libjpeg's rounding."""
    write(sources, tmp_path, layout, num_shards)
    for split, ids, pairs in (
        ("train", [one for stored in IDS_OF_FOLD.values() for one in reversed(stored)], train_pairs()),
        ("test", TEST_IDS[::-1], challenge_pairs()),
    ):
        images = load_images(
            tmp_path, split=split, table=pd.DataFrame({"image_id": ids}), pairs=pairs, dim=48, memory_budget_gb=memory_budget_gb
        )
        assert isinstance(images, ImageFile) == (memory_budget_gb == 0)
        assert images.shape == (len(ids), 48, 48, 3)
        for image, image_id in zip(images, ids, strict=True):
            assert image.dtype == "uint8"
            assert np.abs(image.astype(int) - decoded(sources, image_id)).max() <= 2


def test_layouts_and_budgets_load_to_the_same_array(sources: dict[str, Path], tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": [one for ids in IDS_OF_FOLD.values() for one in ids]})
    loaded = []
    for layout in ("images", "pairs"):
        write(sources, tmp_path / layout, layout)
        for budget in (8.0, 0.0):
            loaded.append(
                load_images(tmp_path / layout, split="train", table=table, pairs=train_pairs(), dim=33, memory_budget_gb=budget)
            )
    for other in loaded[1:]:
        np.testing.assert_array_equal(other[np.arange(len(table))], loaded[0])
    assert len({image.tobytes() for image in loaded[0]}) == len(table)


def test_the_file_of_decoded_images_leaves_no_name_behind(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(sources, tmp_path / "examples")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    table = pd.DataFrame({"image_id": TEST_IDS})
    images = load_images(tmp_path / "examples", split="test", table=table, pairs=challenge_pairs(), dim=16, memory_budget_gb=0.0)
    assert isinstance(images, ImageFile) and all(image.any() for image in images)
    assert not list((tmp_path / "temporary").iterdir())


def test_an_image_that_the_records_lack_is_named(sources: dict[str, Path], tmp_path: Path) -> None:
    write(sources, tmp_path)
    table = pd.DataFrame({"image_id": [*TEST_IDS, "test/LT_1003/idx_LT_1003_99999"]})
    with pytest.raises(ValueError, match=r"lack 1 of 4 images, such as test/LT_1003/idx_LT_1003_99999; run write_tfrecords"):
        load_images(tmp_path, split="test", table=table, pairs=challenge_pairs(), dim=16, memory_budget_gb=8.0)


# Errors and face


@pytest.mark.parametrize("layout", ["images", "pairs"])
@pytest.mark.parametrize("missing", ["train/BC_01/DAT02", TEST_IDS[0]])
def test_a_missing_photo_is_named_before_anything_is_written(tmp_path: Path, missing: str, layout: str) -> None:
    sources = write_sources(tmp_path)
    path = sources["images"] / catalog().set_index("image_id").loc[missing, "path"]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"1 photos of the catalog are missing, such as {path}; run resize_images again"):
        write(sources, tmp_path / "examples", layout)
    assert not (tmp_path / "examples").exists()


def test_a_photo_that_no_pair_needs_may_be_missing(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    (sources["images"] / catalog().set_index("image_id").loc[UNUSED, "path"]).unlink()
    assert write(sources, tmp_path / "examples")["counts"]["records"] == 15


def test_face(sources: dict[str, Path], tmp_path: Path) -> None:
    artifacts: dict[str, Any] = {name: dsl.Dataset(uri=str(folder)) for name, folder in sources.items()}
    artifacts["images"] = [artifacts["images"]]
    examples = dsl.Dataset(uri=os.fspath(tmp_path / "examples"))
    face.python_func(
        **artifacts, examples=examples, tables=dsl.Dataset(uri=str(tmp_path / "tables")), layout="pairs", num_shards=1
    )
    assert examples.metadata["records"] == 15 and examples.metadata["test_pairs"] == 2
    assert len(list((tmp_path / "examples").glob("*.tfrecord-*-of-00001"))) == 4
