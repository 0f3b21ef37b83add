"""TFRecords of layout=pairs, read by the winner's TensorFlow with the winner's feature description."""

import hashlib
import json
from pathlib import Path

import pandas as pd
from small_dataset import PAIRS_OF_FOLD
from winner import Winner


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_files_bear_the_winners_names(winner: Winner) -> None:
    assert sorted(path.name for path in (winner.folder / "records").glob("*tfrecord*")) == [
        "fold.0.tfrecord-00000-of-00001",
        "fold.1.tfrecord-00000-of-00001",
        "fold.2.tfrecord-00000-of-00001",
        "test.tfrecord-00000-of-00001",
    ]


def test_train_records_hold_the_pairs_of_their_fold_in_the_shuffled_order(winner: Winner) -> None:
    parsed = json.loads((winner.answers / "records.json").read_text())
    sources = winner.folder / "sources"
    catalog = pd.read_csv(sources / "catalog" / "images.csv").set_index("image_id")
    pairs = pd.read_csv(sources / "folded_pairs" / "train_pairs.csv")
    assert not pairs["pair_id"].is_monotonic_increasing and pairs["fold"].value_counts().to_dict() == PAIRS_OF_FOLD
    for fold in PAIRS_OF_FOLD:
        expected = [
            {
                "image_id": pair["pair_id"],
                "image_sha256": [
                    sha256(sources / "images" / catalog.loc[pair[name], "path"]) for name in ("before_image_id", "after_image_id")
                ],
                "label_id": str(pair["time_delta_days"]),
                "label": pair["time_delta_days"],
            }
            for pair in pairs[pairs["fold"] == fold].to_dict("records")
        ]
        assert parsed[f"fold.{fold}.tfrecord-00000-of-00001"] == expected


def test_test_records_hold_the_rows_of_the_test_table_with_label_0(winner: Winner) -> None:
    parsed = json.loads((winner.answers / "records.json").read_text())["test.tfrecord-00000-of-00001"]
    photos = winner.folder / "sources" / "images" / "test_dataset" / "LT" / "LT_1003"
    digests = {number: sha256(photos / f"idx_LT_1003_{number}.jpg") for number in ("00341", "00017", "00088")}
    assert parsed == [
        {"image_id": "comb_000000", "image_sha256": [digests["00341"], digests["00017"]], "label_id": "0", "label": 0},
        {"image_id": "comb_000001", "image_sha256": [digests["00017"], digests["00088"]], "label_id": "0", "label": 0},
    ]
