"""Whatever goes wrong with one file, in whichever stage, has the file's name, and that of the row or record."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from examples_fixture import write_examples
from report_fixture import FakeRun
from small_dataset import write_sources

from components.calibrate.ways import read_json
from components.contract import schema
from components.contract.naming import FileError, names_first, naming
from components.contract.photos import Photos, archive_name
from components.contract.shards import WHOLE
from components.contract.tables.stage_tables import read_images, read_table
from components.network.checkpoint import load_checkpoint
from components.network.input.load import load_images
from components.network.model import build_encoder, load_model
from components.report.report import write_report
from components.report.settings import ReportSettings
from components.write_tfrecords.settings import WriteTfrecordsSettings
from components.write_tfrecords.write import write_tfrecords

Damage = Callable[[bytes], bytes]


def cut(content: bytes) -> bytes:
    return content[:-100]


def no_text(content: bytes) -> bytes:
    return content[:40] + b"\xff\xfe" + content[40:]


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2] + b'"' + content[len(content) // 2 :]


def nothing(_content: bytes) -> bytes:
    return b""


def spoil(path: Path, damage: Damage) -> Path:
    path.write_bytes(damage(path.read_bytes()))
    return path


def test_an_error_without_the_name_gets_it_and_one_with_it_stays() -> None:
    with pytest.raises(FileError, match=r"^a/b\.png: KeyError: 7$") as caught, naming("a/b.png"):
        raise KeyError(7)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(PermissionError, match=r"a/b\.png"), naming("a/b.png"):
        raise PermissionError(13, "Permission denied", "a/b.png")
    with pytest.raises(FileError, match=r"^a/b\.png: ValueError: 2 of 3$"):
        names_first(lambda _path, *, of: exec(f'raise ValueError("2 of {of}")'))("a/b.png", of=3)
    with naming("a/b.png"):
        pass


def test_a_stopped_run_is_no_error_of_a_file() -> None:
    with pytest.raises(KeyboardInterrupt), naming("a/b.png"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 10],
        lambda content: content[: len(content) // 10] + b"damaged" + content[len(content) // 10 + 7 :],
        lambda _: b"no records at all",
    ],
    ids=["cut", "changed", "another file"],
)  # at a record that layout=pairs cannot do without
@pytest.mark.parametrize("layout", ["images", "pairs"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_tfrecord_is_named_with_its_record(tmp_path: Path, split: str, layout: str, damage: Damage) -> None:
    examples = write_examples(tmp_path, layout=layout)
    (examples / schema.MANIFEST_JSON).unlink()  # of an earlier version's examples; else the file is refused as a whole
    pairs = pd.read_csv(examples / f"{split}_pairs.csv")
    table = read_images(examples)
    table = table[table["split"] == split].reset_index(drop=True)
    path = spoil(sorted(examples.glob("fold.1.*" if split == "train" else "test.*"))[0], damage)
    with pytest.raises(ValueError) as caught:
        load_images(examples, split=split, table=table, pairs=pairs, dim=16, memory_budget_gb=1)
    record = r"comb_\d{6}" if layout == "pairs" else rf"{split}/\w+/\w+"
    said = rf"^{path}, (at its beginning|(after )?record \d+ \({record}\)): .+run that stage again"
    assert re.match(said, str(caught.value)), caught.value


@pytest.mark.parametrize("damage", [nothing, no_text, torn], ids=["empty", "no UTF-8", "an open quote"])
def test_a_table_that_a_stage_wrote_and_that_cannot_be_parsed_is_named(tmp_path: Path, damage: Damage) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("idx,prediction_days\n" + "".join(f"{idx},{idx / 7}\n" for idx in range(50)))
    spoil(path, damage)
    with pytest.raises(ValueError, match=f"^{path}: "):
        read_table(path, ("idx", "prediction_days"))


def test_a_day_of_the_catalog_that_is_no_number_is_named(tmp_path: Path) -> None:
    write_sources(tmp_path)
    path = tmp_path / "catalog/images.csv"
    path.write_text(path.read_text().replace("DAT12,train,LT,LT_01,12", "DAT12,train,LT,LT_01,12th"))
    with pytest.raises(ValueError, match=f"^{path}: .*'12th' at position 8"):
        read_images(path.parent)


@pytest.mark.parametrize(
    "day", ["9007199254740993", "-9007199254740993", "99999999999999999999", "1e300", "12345678901234567890.5"]
)
def test_a_day_that_no_number_tells_from_the_next_is_refused_by_name(tmp_path: Path, day: str) -> None:
    write_sources(tmp_path)
    path = tmp_path / "catalog/images.csv"
    path.write_text(path.read_text().replace("DAT12,train,LT,LT_01,12", f"DAT12,train,LT,LT_01,{day}"))
    with pytest.raises(ValueError, match=f"^{path}: photo .*DAT12 is of day "):
        read_images(path.parent)


def test_a_damaged_file_of_calibrate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"fits": {}})[:-1])
    with pytest.raises(ValueError, match=f"^{path}: JSONDecodeError"):
        read_json(path)


def zipped(folder: Path) -> Path:
    """Makes of a tree of photos the archive that resize_images writes."""
    archive = folder / archive_name(WHOLE)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob("*.jpg")):
            file.write(path, path.relative_to(folder).as_posix())
            path.unlink()
    return archive


def test_a_damaged_photo_is_named_by_write_tfrecords_and_no_part_of_a_file_is_left(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    spoil(zipped(sources["images"]), lambda content: content[:200] + bytes(100) + content[300:])  # within the first photo
    with pytest.raises(ValueError, match=rf"{sources['images']}/\S+\.jpg: BadZipFile: Bad CRC-32"):
        write_tfrecords(**sources, examples=tmp_path / "examples", settings=WriteTfrecordsSettings())
    assert all(re.fullmatch(r"fold\.\d\.tfrecord-00000-of-00001", path.name) for path in (tmp_path / "examples").iterdir())


def test_an_archive_that_is_none_is_named(tmp_path: Path) -> None:
    archive = spoil(zipped(write_sources(tmp_path)["images"]), cut)
    with pytest.raises(ValueError, match=f"^{archive}: BadZipFile"):
        Photos(archive.parent)


@pytest.mark.parametrize("damage", [cut, nothing, lambda _: b"no photo" * 20], ids=["cut", "empty", "text"])
def test_a_damaged_photo_is_named_by_the_report_and_no_page_is_left(tmp_path: Path, damage: Damage) -> None:
    run = FakeRun(root=tmp_path, test_pairs=3).write()
    for path in (tmp_path / "images").rglob("test_dataset/*/*/*.jpg"):
        spoil(path, damage)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/images/test_dataset/\S+\.jpg: \w+Error: "):
        write_report(**run.arguments(), settings=ReportSettings())
    assert not run.arguments()["html"].exists()


@pytest.mark.parametrize("damage", [cut, nothing, lambda _: b"no model"], ids=["cut", "empty", "text"])
def test_a_damaged_model_is_named(tmp_path: Path, damage: Damage) -> None:
    encoder = build_encoder("B0", 32)
    path = tmp_path / "model.keras"
    encoder.save(path)
    spoil(path, damage)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load_model(path)
    with pytest.raises(ValueError, match=f"^checkpoint {re.escape(str(path))} does not fit"):
        load_checkpoint(encoder, str(path), "B0")


def test_the_rows_of_tables_are_named_too(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("idx,prediction_days\n5,1.5\n8,soon\n")
    with pytest.raises(ValueError, match=rf"^{path}: prediction_days of idx 8 is 'soon'"):
        read_table(path, ("idx", "prediction_days"))
