"""Records as TensorFlow encodes them, and as it reads them back."""

from pathlib import Path

import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.write_tfrecords.encoding import encode_example, framed

CONTENTS = st.lists(st.binary(max_size=300), max_size=3)  # lengths of one and of two bytes
NUMBERS = st.integers(-(2**63), 2**63 - 1)


def as_tensorflow_has_it(features: dict[str, list[bytes] | int]) -> bytes:
    made = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, int)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString(deterministic=True)


@given(st.dictionaries(st.text(max_size=150), CONTENTS | NUMBERS, max_size=5))
def test_tensorflow_reads_every_feature_as_it_was(features: dict[str, list[bytes] | int]) -> None:
    encoded = tf.train.Example.FromString(encode_example(features))
    assert encoded == tf.train.Example.FromString(as_tensorflow_has_it(features))


@given(CONTENTS, CONTENTS, CONTENTS, NUMBERS)
def test_the_features_of_a_record_have_the_bytes_that_tensorflow_gives_them(
    image_id: list[bytes], image: list[bytes], label_id: list[bytes], label: int
) -> None:
    features: dict[str, list[bytes] | int] = {"image_id": image_id, "image": image, "label_id": label_id, "label": label}
    assert encode_example(features) == as_tensorflow_has_it(features)


def test_a_photo_of_megabytes_has_them_too() -> None:
    photo = bytes(range(256)) * 20_000
    features: dict[str, list[bytes] | int] = {"image": [photo, photo], "label": 40}
    assert encode_example(features) == as_tensorflow_has_it(features)


def test_a_file_has_the_bytes_of_tensorflows_writer_and_its_reader_finds_the_checksums_right(tmp_path: Path) -> None:
    records = [b"", b"one", bytes(range(256)) * 300]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in records:
            writer.write(record)
    (tmp_path / "ours").write_bytes(b"".join(map(framed, records)))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert list(tf.data.TFRecordDataset(str(tmp_path / "ours")).as_numpy_iterator()) == records
