"""Resized photos in one file: what goes in comes out, the same photos make the same bytes, trees of files are read, too."""

from pathlib import Path

import pytest
from stored_photos import stored_photos

from components.contract.photos import Photos, write_photos
from components.contract.shards import Shard, joined

PHOTOS = [("train_dataset/LT/LT_01/DAT01.jpg", b"one"), ("test_dataset/LT/1003/\N{SEEDLING}.jpg", b"two"), ("a/b.jpg", b"")]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    write_photos(tmp_path, PHOTOS, Shard())
    assert stored_photos(tmp_path) == dict(PHOTOS)
    with Photos(tmp_path) as photos:
        assert [photos.read(path) for path, _ in PHOTOS] == [content for _, content in PHOTOS]
        assert "a/b.jpg" in photos
        assert "a/c.jpg" not in photos
        with pytest.raises(FileNotFoundError):
            photos.read("a/c.jpg")


@pytest.mark.parametrize(("photos", "archives"), [(1, 1), (2, 2), (5, 3)])
def test_many_photos_are_in_several_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: int, archives: int) -> None:
    monkeypatch.setattr("components.contract.photos.MOST", 2)
    many = [(f"a/{number}.jpg", bytes([number])) for number in range(photos)]
    write_photos(tmp_path, many, Shard())
    names = ["photos-00000-of-00001.zip", "photos-00000-of-00001-00001.zip", "photos-00000-of-00001-00002.zip"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[:archives])
    with Photos(tmp_path) as stored:
        assert [(path, stored.read(path)) for path, _ in many] == many
        assert f"a/{photos}.jpg" not in stored


def test_the_same_photos_make_the_same_bytes_in_one_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_photos(tmp_path / name, PHOTOS, Shard())
    (one,), (two,) = (list((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_parts_of_several_shards_are_read_as_one(tmp_path: Path) -> None:
    for number in (0, 1):
        shard = Shard(shard=number, num_shards=2)
        write_photos(tmp_path / str(number), PHOTOS[shard.part], shard)
        shard.write(tmp_path / str(number), {})
    with Photos(joined([tmp_path / "1", tmp_path / "0"])) as photos:
        assert [photos.read(path) for path, _ in PHOTOS] == [content for _, content in PHOTOS]


def test_a_tree_of_files_is_read_as_well(tmp_path: Path) -> None:
    """As versions before this wrote them, whose runs can be gone on from."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.jpg").write_bytes(b"photo")
    with Photos(tmp_path) as photos:
        assert "a/b.jpg" in photos
        assert photos.read("a/b.jpg") == b"photo"


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> object:
        yield PHOTOS[0]
        raise ValueError("bad photo")

    with pytest.raises(ValueError, match="bad photo"):
        write_photos(tmp_path, broken(), Shard())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
