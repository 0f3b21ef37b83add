"""Folds and order against scikit-learn and pandas, used as the winner's recipe tells it."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from kfp import dsl
from sklearn.model_selection import GroupKFold

from components.split_folds import split
from components.split_folds.component import split_folds as face
from components.split_folds.settings import SplitFoldsSettings

COLUMNS = ["pair_id", "species", "series", "before_image_id", "after_image_id", "time_delta_days"]
# photos per series: 753 in 19 make the challenge's 14,613 pairs
SIZES = {"BC": (40, 38, 39, 40, 39, 40, 38, 40, 39), "LT": (43, 35, 43, 42, 35, 43, 38, 43, 35, 43)}


def pair_table(sizes: dict[str, tuple[int, ...]]) -> pd.DataFrame:
    rows = [
        (species, f"{species}_{number:02d}", before, after)
        for species, photos in sizes.items()
        for number, count in enumerate(photos, start=1)
        for before, after in itertools.combinations(range(1, count + 1), 2)
    ]
    return pd.DataFrame(
        [
            (f"comb_{row:06d}", species, series, f"train/{series}/DAT{a:02d}", f"train/{series}/DAT{b:02d}", b - a)
            for row, (species, series, a, b) in enumerate(rows)
        ],
        columns=COLUMNS,
    )


def run(tmp_path: Path, table: pd.DataFrame, num_folds: int = 5, shuffle_seed: int = 34) -> tuple[dict, pd.DataFrame]:
    pairs, folded = tmp_path / "pairs", tmp_path / "folded_pairs"
    pairs.mkdir(exist_ok=True)
    table.to_csv(pairs / "train_pairs.csv", index=False)
    settings = SplitFoldsSettings(num_folds=num_folds, shuffle_seed=shuffle_seed)
    record = split.split_folds(pairs=pairs, folded_pairs=folded, settings=settings)
    return record, pd.read_csv(folded / "train_pairs.csv", keep_default_na=False)


def winners(table: pd.DataFrame, num_folds: int, seed: int) -> pd.DataFrame:
    """Section 3 of the recipe, word by word."""
    table = table.copy()
    table["fold"] = -1
    splits = GroupKFold(num_folds).split(table["before_image_id"], table["time_delta_days"], table["series"])
    for fold, (_, validation) in enumerate(splits):
        table.loc[table.index[validation], "fold"] = fold
    return table.sample(frac=1.0, random_state=seed).reset_index(drop=True)


@pytest.mark.parametrize(("num_folds", "seed"), [(5, 34), (2, 0), (19, 7)])  # the winner's; fewest; one series per fold
def test_folds_and_order_equal_the_winners(tmp_path: Path, num_folds: int, seed: int) -> None:
    table = pair_table(SIZES)
    assert len(table) == 14_613
    _, folded = run(tmp_path, table, num_folds, seed)
    pd.testing.assert_frame_equal(folded, winners(table, num_folds, seed))


def test_no_series_and_no_photo_is_in_two_folds_and_no_fold_is_empty(tmp_path: Path) -> None:
    _, folded = run(tmp_path, pair_table(SIZES))
    assert folded.groupby("series")["fold"].nunique().eq(1).all()
    photos = {fold: {*part["before_image_id"], *part["after_image_id"]} for fold, part in folded.groupby("fold")}
    assert sorted(photos) == [0, 1, 2, 3, 4]
    for one, other in itertools.combinations(photos, 2):
        assert photos[one].isdisjoint(photos[other])


def test_series_names_are_text_even_where_they_look_like_numbers_or_nothing(tmp_path: Path) -> None:
    table = pair_table({"A": (3, 3)}).replace({"A_01": "0010", "A_02": "NA"})
    run(tmp_path, table, num_folds=2)
    folded = pd.read_csv(tmp_path / "folded_pairs/train_pairs.csv", dtype=str, keep_default_na=False)
    assert set(folded["series"]) == {"0010", "NA"}


def test_record_has_pairs_and_series_of_each_fold(tmp_path: Path) -> None:
    record, folded = run(tmp_path, pair_table({"BC": (5, 4), "LT": (3,)}), num_folds=2)
    assert json.loads((tmp_path / "folded_pairs/stage.json").read_text()) == record
    assert record["counts"] == {  # 10 pairs fill one fold, 6 + 3 the other
        "pairs": 19, "series": 3, "fold_0_pairs": 10, "fold_0_series": 1, "fold_1_pairs": 9, "fold_1_series": 2,
    }  # fmt: skip
    assert list(folded.columns) == [*COLUMNS, "fold"]


def test_fewer_series_than_folds_is_an_error_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"4 train series with pairs and num_folds=5: .*Set num_folds to at most 4") as error:
        run(tmp_path, pair_table({"BC": (3, 3), "LT": (3, 2)}))
    assert "add series" in str(error.value)
    assert not (tmp_path / "folded_pairs").exists()


def test_a_photo_of_two_series_is_a_leak_and_an_error(tmp_path: Path) -> None:
    table = pair_table({"BC": (3, 3)})
    table.loc[3, "before_image_id"] = table.loc[0, "before_image_id"]
    with pytest.raises(ValueError, match=r"photo train/BC_01/DAT01 is in 2 folds"):
        run(tmp_path, table, num_folds=2)


def test_missing_pairs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train_pairs\.csv: missing.*generate_pairs"):
        split.split_folds(pairs=tmp_path, folded_pairs=tmp_path / "out", settings=SplitFoldsSettings())


def test_component_writes_the_same_and_logs_counts(tmp_path: Path) -> None:
    table = pair_table({"BC": (5, 4), "LT": (3,)})
    record, _ = run(tmp_path, table, num_folds=3, shuffle_seed=8)
    folded = dsl.Dataset(uri=str(tmp_path / "out"))
    face.python_func(pairs=dsl.Dataset(uri=str(tmp_path / "pairs")), folded_pairs=folded, num_folds=3, shuffle_seed=8)
    for name in ("train_pairs.csv", "stage.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "folded_pairs" / name).read_bytes()
    assert folded.metadata == record["counts"]


@pytest.mark.parametrize(
    "module", ["resize_images.resize", "generate_pairs.generate", "split_folds.split", "calibrate.calibrate"]
)
def test_stages_without_tensors_start_without_heavy_libraries(module: str) -> None:
    heavy = "{'tensorflow', 'keras', 'jax', 'kfp', 'sklearn', 'matplotlib'}"
    code = f"import sys, components.{module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.strip() == "[]"
