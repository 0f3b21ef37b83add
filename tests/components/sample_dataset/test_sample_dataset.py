"""The sample dataset against the challenge's layout and quirks, read back from files of small photos."""

import csv
import dataclasses
import hashlib
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.sample_dataset.__main__ import command_line
from components.sample_dataset.photo import take_photo
from components.sample_dataset.plan import SHIFTED_FOLDERS, plan_dataset
from components.sample_dataset.settings import FULL, SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset

SMALL = SampleDatasetSettings(series_per_species=4, days=20, width=64, height=48, test_pairs=60)
TRAIN_STEM = re.compile(r"DAT(\d{2})")
TEST_STEM = re.compile(r"idx_(BC|LT)_(\d{4})_(\d{5})")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sample") / "raw"
    write_sample_dataset(output, SMALL, workers=1)
    return output


def train_series(dataset: Path) -> dict[str, dict[int, Path]]:
    """Series name -> day -> file, from names alone."""
    result: dict[str, dict[int, Path]] = {}
    for path in sorted(dataset.glob("train_dataset/*/*/*")):
        match = TRAIN_STEM.fullmatch(path.stem)
        assert match and path.suffix == ".png", path
        result.setdefault(path.parent.name, {})[int(match[1])] = path
    return result


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(float)


def green_share(path: Path) -> float:
    """Share of the photo that is green: more green than the mean of red and blue."""
    red, green, blue = np.moveaxis(pixels(path), -1, 0)
    return float((green - (red + blue) / 2 > 12).mean())


def digest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def slope(days: list[int], values: list[float]) -> float:
    return float(np.polyfit(days, values, 1)[0])


def test_layout_is_the_challenges(dataset: Path) -> None:
    assert set(train_series(dataset)) == {f"{species}_{n:02d}" for species in ("BC", "LT") for n in range(1, 5)}
    for path in dataset.glob("train_dataset/*/*/*.png"):
        assert path.parts[-3] == path.parts[-2][:2]
    tests = sorted(dataset.glob("test_dataset/*/*/*.png"))
    for path in tests:
        match = TEST_STEM.fullmatch(path.stem)
        assert match and (match[1], match[2]) == path.parts[-3:-1], path
    assert {"/".join(path.parts[-3:-1]) for path in tests} == {
        "BC/1100", "BC/1107", "LT/1003", "LT/1021", "LT/1088", "LT/1089"
    }  # fmt: skip
    assert len({path.stem for path in tests}) == len(tests)
    with Image.open(tests[0]) as photo:
        assert (photo.size, photo.mode, photo.format) == ((64, 48), "RGB", "PNG")
    assert not list(dataset.parent.glob(".*")), "the partial folder is left behind"


def test_tables_agree_with_the_photos_and_with_each_other(dataset: Path) -> None:
    table = rows(dataset / "test_dataset/test_data.csv")
    submission, labels = rows(dataset / "sample_submission.csv"), rows(dataset / "test_dataset/test_labels.csv")
    assert list(table[0]) == ["idx", "before_file_path", "after_file_path"]
    assert list(submission[0]) == list(labels[0]) == ["idx", "time_delta"]
    assert len(table) == 60
    assert [row["idx"] for row in table] == [row["idx"] for row in submission] == [row["idx"] for row in labels]
    assert {row["time_delta"] for row in submission} == {"0"}
    folder = {path.stem: path.parent.name for path in dataset.glob("test_dataset/*/*/*.png")}
    pairs = [(row["before_file_path"], row["after_file_path"]) for row in table]
    assert all(folder[before] == folder[after] for before, after in pairs)
    assert len(set(pairs)) == len(pairs)


def test_labels_are_the_days_between_the_two_photos_of_the_plan(dataset: Path) -> None:
    day = {Path(photo.path).stem: photo.day for photo in plan_dataset(SMALL).test}
    labels = {row["idx"]: int(row["time_delta"]) for row in rows(dataset / "test_dataset/test_labels.csv")}
    for row in rows(dataset / "test_dataset/test_data.csv"):
        assert labels[row["idx"]] == day[row["after_file_path"]] - day[row["before_file_path"]] >= 1


def test_test_stems_do_not_tell_the_day() -> None:
    by_series: dict[str, list[int]] = {}
    for photo in plan_dataset(SMALL).test:  # in order of day
        by_series.setdefault(photo.series.folder, []).append(int(photo.path[-9:-4]))
    assert all(numbers != sorted(numbers) for numbers in by_series.values())


def test_series_differ_in_length_and_miss_days(dataset: Path) -> None:
    series = train_series(dataset)
    assert len({len(days) for days in series.values()}) > 1
    assert any(set(days) != set(range(1, max(days) + 1)) for days in series.values())
    assert all(min(days) == 1 and max(days) <= 20 for days in series.values())


def test_one_series_begins_with_noise_and_then_bare_soil(dataset: Path) -> None:
    grain = {
        name: np.abs(np.diff(pixels(path), axis=1)).mean() for name, days in train_series(dataset).items() for path in [days[1]]
    }  # difference of neighbours: 255 / 3 in uniform noise
    noisy = [name for name, value in grain.items() if value > 70]
    assert noisy == ["BC_02"]
    later = list(train_series(dataset)["BC_02"].values())[1:]
    assert [green_share(path) for path in later[:2]] == pytest.approx([0, 0], abs=0.001)
    assert green_share(later[-1]) > 0.03


def test_one_series_stops_growing_for_a_while(dataset: Path) -> None:
    def longest_stop(days: dict[int, Path]) -> int:
        """Days in which the plant's green does not rise by a tenth of its final size."""
        share = {day: green_share(path) for day, path in days.items()}
        rise = 0.1 * max(share.values())
        middle = [day for day in share if share[day] > rise]
        return max(last - first for first in middle for last in middle if first <= last and share[last] - share[first] < rise)

    stops = {name: longest_stop(days) for name, days in train_series(dataset).items() if name.startswith("LT")}
    stop = stops.pop("LT_03")
    assert stop > 1.5 * max(stops.values())


def test_green_area_grows_day_by_day(dataset: Path) -> None:
    for species in ("BC", "LT"):
        shares: dict[int, list[float]] = {}
        for name, days in train_series(dataset).items():
            if name.startswith(species) and name not in ("BC_02", "LT_03"):
                for day, path in days.items():
                    shares.setdefault((day - 1) // 3, []).append(green_share(path))
        means = [float(np.mean(shares[step])) for step in sorted(shares)]
        assert all(after > before for before, after in pairwise(means)), (species, means)


def test_species_differ_in_colour_and_cover(dataset: Path) -> None:
    def leaf_colour(path: Path) -> np.ndarray:
        photo = pixels(path)
        return photo[photo[..., 1] - (photo[..., 0] + photo[..., 2]) / 2 > 12].mean(axis=0)

    last = {name: days[max(days)] for name, days in train_series(dataset).items()}
    darkest_lettuce = min(leaf_colour(path)[:2].sum() for name, path in last.items() if name.startswith("LT"))
    lightest_bok_choy = max(leaf_colour(path)[:2].sum() for name, path in last.items() if name.startswith("BC"))
    assert darkest_lettuce > 1.2 * lightest_bok_choy


def test_shifted_test_series_look_and_grow_like_no_train_series(dataset: Path) -> None:
    rate = {}
    for name, days in train_series(dataset).items():
        if name.startswith("LT"):
            rate[name] = slope(list(days), [green_share(path) ** 0.5 for path in days.values()])
    train_bench = [pixels(path)[:, :4, 2].mean() - pixels(path)[:, :4, 0].mean() for path in dataset.glob("train_dataset/LT/*/*")]
    plan = plan_dataset(SMALL)
    for number in SHIFTED_FOLDERS:
        photos = [photo for photo in plan.test if photo.series.number == number]
        shares = [green_share(dataset / photo.path) ** 0.5 for photo in photos]
        grown, faster = slope([photo.day for photo in photos], shares), photos[0].series.rate > 1
        assert grown > max(rate.values()) if faster else grown < min(rate.values())
        bench = [pixels(dataset / photo.path)[:, :4] for photo in photos]
        assert min(part[..., 2].mean() - part[..., 0].mean() for part in bench) > np.mean(train_bench) + 5


def test_test_plants_grow_by_the_law_of_train_plants_but_for_the_shifted_ones() -> None:
    plans = [plan_dataset(dataclasses.replace(SampleDatasetSettings(), seed=seed)) for seed in range(200)]

    def rates(split: str, *, shifted: bool) -> np.ndarray:
        series = {(seed, one.series.key): one.series for seed, plan in enumerate(plans) for one in getattr(plan, split)}
        return np.array([one.rate for one in series.values() if one.shifted == shifted])

    for split, count in (("train", 20), ("test", 4)):
        found = rates(split, shifted=False)
        assert len(found) == 200 * count and found.min() >= 0.8 and found.max() <= 1.2
        error = 0.4 / np.sqrt(12 * len(found))
        assert abs(found.mean() - 1) < 4 * error and abs(found.std() - 0.4 / np.sqrt(12)) < 4 * error
    shifts = rates("test", shifted=True).reshape(200, 2)
    assert (np.abs(shifts[:, 0] / shifts[:, 1] - 1) < 0.07).all()  # both grow alike
    assert (np.abs(np.log(shifts)) > np.log(1.2)).all() and 60 < (
        shifts[:, 0] > 1
    ).sum() < 140  # faster or slower by a coin's fall


def test_nobody_who_sees_ages_alone_answers_better_than_the_oracle() -> None:
    pairs = [pair for seed in range(300) for pair in plan_dataset(dataclasses.replace(SMALL, seed=seed)).test_pairs]
    plans = [plan_dataset(dataclasses.replace(SMALL, seed=seed)) for seed in range(300)]
    ordinary = [{stem.path.rsplit("/", 1)[-1][:-4] for stem in plan.test if not stem.series.shifted} for plan in plans]
    numbers = [seed for seed, plan in enumerate(plans) for _ in plan.test_pairs]
    kept = [(days, oracle) for (first, _, days, oracle), seed in zip(pairs, numbers, strict=True) if first in ordinary[seed]]
    days, oracle = np.array(kept).T
    best = (days @ oracle) / (oracle @ oracle)  # the factor that would have been best for these very plants
    assert len(kept) > 5000 and abs(best - 1) < 0.02
    assert 0.05 < np.sqrt(np.mean((oracle - days) ** 2) / np.mean(days**2)) < 0.2


def test_same_seed_same_bytes_whatever_the_number_of_processes(dataset: Path, tmp_path: Path) -> None:
    write_sample_dataset(tmp_path / "again", SMALL, workers=2)
    assert digest(tmp_path / "again") == digest(dataset)


def test_other_seed_other_bytes_of_every_photo(tmp_path: Path) -> None:
    tiny = dataclasses.replace(SMALL, days=8, series_per_species=2, width=32, height=24)
    write_sample_dataset(tmp_path / "0", tiny, workers=1)
    write_sample_dataset(tmp_path / "1", dataclasses.replace(tiny, seed=1), workers=1)
    photos = [{value for name, value in digest(tmp_path / seed).items() if name.endswith(".png")} for seed in "01"]
    assert photos[0] and not photos[0] & photos[1]


def test_full_has_the_challenges_counts() -> None:
    plan = plan_dataset(FULL)
    assert Counter(photo.series.species for photo in plan.train) == {"BC": 353, "LT": 400}
    assert Counter(photo.series.species for photo in plan.test) == {"BC": 139, "LT": 168}
    assert Counter(species for species, _ in {photo.series.key for photo in plan.train}) == {0: 9, 1: 10}
    assert len(plan.test_pairs) == len(set(plan.test_pairs)) == 3960
    lengths = Counter(photo.series.key for photo in plan.train).values()
    assert sum(n * (n - 1) // 2 for n in lengths) == 14_613
    assert len({photo.path for photo in plan.train + plan.test}) == 753 + 307
    assert (FULL.width, FULL.height) == (3280, 2464)


def test_default_set_is_about_twenty_series_of_thirty_days() -> None:
    plan = plan_dataset(SampleDatasetSettings())
    assert len({photo.series.key for photo in plan.train}) == 20
    assert max(photo.day for photo in plan.train) == 30
    assert len(plan.test_pairs) == 300


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match=rf"{tmp_path} is not empty; name a new folder"):
        write_sample_dataset(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    counts = write_sample_dataset(tmp_path, dataclasses.replace(SMALL, days=8, width=16, height=16), workers=1)
    assert counts["train_photos"] == len(list(tmp_path.glob("train_dataset/*/*/*.png")))
    assert counts["test_photos"] == len(list(tmp_path.glob("test_dataset/*/*/*.png")))


@pytest.mark.parametrize("band", [1 << 9, 1 << 30])  # pixels: many bands, one band
def test_a_leaf_has_no_seams_where_it_was_painted_in_bands(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = plan_dataset(SMALL).train[-1]
    settings = dataclasses.replace(SMALL, width=160, height=120)
    expected = take_photo(photo, settings)
    monkeypatch.setattr("components.sample_dataset.leaf_paint.BAND", band)
    np.testing.assert_array_equal(take_photo(photo, settings), expected)


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("components.sample_dataset.write.write_photos", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_sample_dataset(tmp_path / "raw", SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": 7}, "days=7: expected at least 8"),  # too short to miss days and begin late
        ({"series_per_species": 1}, "series_per_species=1: expected at least 2"),
        ({"challenge_counts": True, "days": 12}, "days=12 would be ignored"),
        ({"width": 3.5}, "width=3.5: expected int"),
    ],
)
def test_bad_settings_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleDatasetSettings(**changes)  # type: ignore[arg-type]


def test_command_line_writes_what_its_flags_say(tmp_path: Path) -> None:
    flags = {"series-per-species": 2, "days": 8, "width": 32, "height": 24, "test-pairs": 5, "seed": 3, "workers": 1}
    command = [sys.executable, "-m", "components.sample_dataset", f"--output={tmp_path / 'raw'}"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert pixels(tmp_path / "raw/train_dataset/BC/BC_01/DAT01.png").shape == (24, 32, 3)
    assert "4 train series" in done.stdout and "5 test pairs" in done.stdout
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "is not empty" in refused.stderr


def test_command_line_has_a_flag_for_every_setting() -> None:
    text = command_line().format_help()
    for field in dataclasses.fields(SampleDatasetSettings):
        flag = "--full" if field.name == "challenge_counts" else f"--{field.name.replace('_', '-')}"
        assert flag in text
