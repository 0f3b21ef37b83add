"""The page and the summary of a made-up run: what they say, what they must not contain, and what they do without."""

import base64
import html as html_escapes
import io
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kfp import dsl
from PIL import Image
from report_fixture import FakeRun

from components.contract.shown import one_line
from components.report.charts.geometry import axis, spaced
from components.report.charts.plots import binned
from components.report.component import report
from components.report.facts import series_rows
from components.report.page import as_markdown
from components.report.report import write_report
from components.report.scores import by_delta
from components.report.settings import ReportSettings
from components.report.strip import largest_errors, spread_pairs

NASTY = 'BC_<script>alert("1")</script>&|*x*'
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects tags with their attributes, the visible text, table rows and photo cards; notes tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(run: FakeRun, strip_pairs: int = 6) -> tuple[str, str, dict]:
    record = write_report(**run.arguments(), settings=ReportSettings(strip_pairs=strip_pairs))
    return run.arguments()["html"].read_text("utf-8"), run.arguments()["summary"].read_text("utf-8"), record


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """About 60 photos, two models, calibration by rules, test labels, and a series named to break a page."""
    series = (("BC", NASTY), ("BC", "BC_02"), ("BC", "BC_03"), ("LT", "LT_01"), ("LT", "LT_02"), ("LT", "LT_03"))
    skipped = (("train_dataset/BC/<b>.png", "cannot | be decoded"),)
    return FakeRun(root=tmp_path_factory.mktemp("run"), train_series=series, skipped=skipped).write()


@pytest.fixture(scope="module")
def texts(fake: FakeRun) -> tuple[str, str, dict]:
    return written(fake)


def rmse(predicted: pd.Series, true: pd.Series) -> float:
    return float(((predicted - true) ** 2).mean() ** 0.5)


def markdown_rows(summary: str, section: str) -> dict[str, list[str]]:
    """The table of one section: first cell to the other cells."""
    body = summary.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in body.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


def test_summary_scores_equal_scores_computed_from_the_tables(fake: FakeRun, texts: tuple) -> None:
    table = pd.read_csv(fake.root / "submission" / "out_of_fold_calibrated.csv")
    rows = markdown_rows(texts[1], "Validation")
    groups = {"All pairs": table, **dict(list(table.groupby("species")))}
    groups["4 to 7 days"] = table[table["time_delta_days"].isin([4, 5, 6, 7])]
    groups["8 to 14 days"] = table[(table["time_delta_days"] >= 8) & (table["time_delta_days"] <= 14)]
    for name, group in groups.items():
        true = group["time_delta_days"]
        days = [rmse(group[column], true) for column in ("baseline_days", "prediction_days", "calibrated_days")]
        bias = f"{(group['calibrated_days'] - true).mean():+.2f}".replace("-", "−")  # noqa: RUF001 - a minus sign
        assert rows[name] == [f"{len(group):,}", *(f"{value:.2f}" for value in days), bias]
    assert sum(int(rows[name][0]) for name in rows if name.endswith("days")) == len(table)


def test_summary_test_scores_equal_the_submissions_against_the_labels(fake: FakeRun, texts: tuple) -> None:
    labels = pd.read_csv(fake.root / "catalog" / "test_labels.csv").set_index("idx")["time_delta"]
    expected = [
        rmse(pd.read_csv(fake.root / "submission" / f"submission_{name}.csv").set_index("idx")["time_delta"], labels)
        for name in ("raw", "calibrated")
    ]
    train = pd.read_csv(fake.root / "tables" / "train_pairs.csv")["time_delta_days"]
    baseline = float(np.sqrt(np.mean((labels - train.mean()) ** 2)))
    assert markdown_rows(texts[1], "Headline")["test"] == [f"{value:.2f}" for value in (baseline, *expected)]


def test_page_opens_with_the_headline_numbers_in_a_sentence(fake: FakeRun, texts: tuple) -> None:
    table = pd.read_csv(fake.root / "submission" / "out_of_fold_calibrated.csv")
    model, mean = (rmse(table[column], table["time_delta_days"]) for column in ("calibrated_days", "baseline_days"))
    page = Page(texts[0])
    assert f"the model is off by {model:.1f} days, where guessing the mean is off by {mean:.1f}." in page.text
    assert [page.text.count(f"{value:.2f}") > 0 for value in (model, mean)] == [True, True]


def test_page_loads_nothing_and_runs_nothing(texts: tuple) -> None:
    page = Page(texts[0])
    assert not page.open
    references = [
        value for _, found in page.tags for name, value in found.items() if name in ("src", "href", "srcset", "xlink:href")
    ]
    assert references
    assert all(value.startswith("data:") for value in references)
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script", texts[0])
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert not {name for name, _ in page.tags} & {"script", "iframe", "object", "use", "foreignobject"}


def test_names_from_data_are_escaped_in_html_and_svg(texts: tuple) -> None:
    assert NASTY not in texts[0]
    assert html_escapes.escape(NASTY).replace("&quot;", "&#34;") in texts[0]
    page = Page(texts[0])
    assert any(NASTY in text for text in page.texts)  # parsed, it is the name again: in an SVG <title>
    assert "train_dataset/BC/<b>.png" in page.text


def test_names_from_data_are_escaped_in_markdown(texts: tuple) -> None:
    assert "<" not in texts[1].replace("&lt;", "")
    assert "- resize_images, train_dataset/BC/&lt;b&gt;.png: cannot \\| be decoded" in texts[1]


@given(st.text())
def test_markdown_text_cannot_leave_its_cell_or_become_markup(text: str) -> None:
    escaped = as_markdown(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*\[\]]|[<>\n\r]", escaped)
    unescaped = html_escapes.unescape(re.sub(r"\\([\\`*\[\]|~_])", r"\1", escaped)) if "&" not in text else None
    assert unescaped is None or unescaped == one_line(" ".join(text.split()))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("_x_", r"\_x\_"),
        ("__init__", r"\_\_init\_\_"),
        ("a _b_ (_c_)", r"a \_b\_ (\_c\_)"),
        ("learning_rate", "learning_rate"),  # within a word it is no markup, and names stay readable
        ("LT_1003_00341", "LT_1003_00341"),
        ("_", r"\_"),
    ],
)
def test_underscores_are_escaped_where_markdown_would_read_emphasis(text: str, escaped: str) -> None:
    assert as_markdown(text) == escaped


def test_what_ran_lists_every_stage_with_settings_and_counts(fake: FakeRun, texts: tuple) -> None:
    rows = markdown_rows(texts[1], "What ran")
    stages = ["resize_images", "generate_pairs", "split_folds", "write_tfrecords", "train", "predict", "calibrate"]
    assert [name for name in rows if "," not in name] == stages
    assert "learning_rate=0.001" in rows["train"][0]
    assert rows["train"][1] == "steps 640; parameters 9,876,543"  # shared by both folds; the seconds are not:
    assert [rows[f"train, fold {fold}"][1] for fold in fake.folds] == ["seconds 71.25", "seconds 72.25"]
    page = Page(texts[0])
    assert all(stage in page.texts for stage in stages)


def test_data_counts_photos_series_and_pairs(fake: FakeRun, texts: tuple) -> None:
    lines = [line for line in texts[1].split("\n## Data\n")[1].split("\n## ")[0].splitlines() if line.startswith("| t")]
    test_pairs = pd.read_csv(fake.root / "tables" / "test_pairs.csv")["species"].value_counts()
    each = 3 * fake.photos * (fake.photos - 1) // 2
    assert lines == [
        f"| train | BC | 3 | {3 * fake.photos} | {each} |",
        f"| train | LT | 3 | {3 * fake.photos} | {each} |",
        f"| test | BC | 1 | {fake.photos} | {test_pairs['BC']} |",
        f"| test | LT | 2 | {2 * fake.photos} | {test_pairs['LT']} |",
    ]


def test_the_days_of_each_train_series_are_shown_in_a_table_and_a_chart(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path, photos=4).write()  # days 1, 8, 15, 22
    path = tmp_path / "tables/images.csv"
    table = pd.read_csv(path, dtype=object)
    table.loc[table["image_id"] == "train/LT_02/DAT22", "day"] = "220.5"  # as if it was read wrongly
    table.loc[table["image_id"] == "train/BC_01/DAT01", "day"] = "-3"
    table.to_csv(path, index=False)
    html, summary, _ = written(run)
    rows = markdown_rows(summary, "Days of the train photos")
    assert list(rows) == ["BC_01", "BC_02", "BC_03", "LT_01", "LT_02", "LT_03"]
    assert rows["LT_01"] == ["4", "1", "22", "7"]
    assert rows["LT_02"] == ["4", "1", "220.5", "205.5"]
    assert rows["BC_01"] == ["4", "\N{MINUS SIGN}3", "22", "11"]
    page = Page(html)
    assert "LT_02: 4 photos, days 1 to 220.5; the longest gap is 205.5 days, from day 15 to 220.5" in page.texts
    dots = [found["d"] for found in page.of("path") if "photos" in str(found["class"])]
    assert [len(re.findall("h0", d)) for d in dots] == [4] * 6


def test_of_very_many_series_those_of_the_longest_gaps_are_shown() -> None:
    days = [("train", "LT", f"LT_{number:03d}", day) for number in range(100) for day in (1, 2 + number, 300)]
    days += [("train", "BC", "BC_1", 7), ("test", "LT", "LT_1003", None)]
    images = pd.DataFrame(days, columns=["split", "species", "series", "day"]).astype({"day": "Int64"})
    rows, more = series_rows(SimpleNamespace(images=images))
    assert more == 101 - len(rows) > 0
    assert [row.series for row in rows] == [f"LT_{number:03d}" for number in range(len(rows))]  # gaps from 298 days downwards
    [single], _ = series_rows(SimpleNamespace(images=images[images["species"] == "BC"]))
    assert (single.longest_gap, single.gap_days) == ((7, 7), 0)


@pytest.mark.parametrize(
    ("days", "bins"),
    [
        (
            [-12.5, -5, 0, 1, 3, 3.5],
            {"below 0 days": [-12.5, -5], "same day": [0], "over 0 to 3 days": [1, 3], "over 3 to 7 days": [3.5]},
        ),
        ([0, 0, 1, 4], {"same day": [0, 0], "1 to 3 days": [1], "4 to 7 days": [4]}),
        ([-1, 28, 29, 400], {"below 0 days": [-1], "22 to 28 days": [28], "over 28 days": [29, 400]}),
        ([0.25, 0.5], {"over 0 to 3 days": [0.25, 0.5]}),
        ([-0.001, 0.001], {"below 0 days": [-0.001], "over 0 to 3 days": [0.001]}),
    ],
)
def test_deltas_of_no_days_and_below_have_bins_of_their_own(days: list[float], bins: dict[str, list[float]]) -> None:
    found = by_delta(pd.DataFrame({"true_days": days}))
    assert {name: group["true_days"].tolist() for name, group in found} == bins
    assert sum(len(group) for _, group in found) == len(days)


def test_labels_of_no_days_and_below_are_on_the_page(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    path = tmp_path / "submission/test_calibrated.csv"
    labels = pd.read_csv(path)
    labels.loc[0, "true_days"], labels.loc[1, "true_days"] = -4, 0
    labels.to_csv(path, index=False)
    html, summary, _ = written(run, strip_pairs=200)
    rows = markdown_rows(summary, "Test")
    assert rows["below 0 days"][0] == rows["same day"][0] == "1"
    assert "<span>true \N{MINUS SIGN}4</span>" in html
    assert not Page(html).open


def test_what_the_stages_noticed_is_on_the_page(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    path = tmp_path / "tables/records.json"
    records = json.loads(path.read_text())["records"]
    records[0]["counts"] |= {"turned_photos": 1234, "transparent_photos": 2, "bad_photos": 1, "other_files": 5}
    records[0]["noticed"] = [{"what": "<catalog>", "why": "equal photos"}]
    records[1]["noticed"] = [{"what": "<pairs>", "why": "a pair that is there twice"}]
    path.write_text(json.dumps({"records": records}))
    html, summary, _ = written(run)
    lines = summary.split("\n## Noticed\n")[1].split("\n## ")[0].strip().splitlines()
    assert lines == [
        "- photos turned as their EXIF orientation says: 1,234",
        "- photos with transparency, laid on white: 2",
        "- photos left out, as they cannot be read: 1",
        "- other files beside the photos, not read: 5",
        "- resize_images, &lt;catalog&gt;: equal photos",
        "- generate_pairs, &lt;pairs&gt;: a pair that is there twice",
    ]
    said = [html_escapes.unescape(line.removeprefix("- ")) for line in lines]
    assert [text for text in Page(html).texts if text in said] == said


def test_photos_are_small_jpegs_of_the_pairs_they_name(fake: FakeRun, texts: tuple) -> None:
    photos = Page(texts[0]).of("img")
    assert len(photos) == 2 * (6 + 4)  # strip_pairs, and the worst pair of each of the 4 series of folds 0 and 1
    for photo in photos:
        shown = Image.open(io.BytesIO(base64.b64decode(photo["src"].removeprefix("data:image/jpeg;base64,"))))
        assert max(shown.size) <= 240
    paths = pd.read_csv(fake.root / "tables" / "images.csv").set_index("image_id")["path"]
    name = next(photo["title"] for photo in photos if photo["title"].startswith("idx_"))
    [stored] = [path for image_id, path in paths.items() if image_id.endswith(f"/{name}")]
    original = np.asarray(Image.open(fake.root / "images" / stored).convert("RGB"), float)
    uri = next(photo["src"] for photo in photos if photo["title"] == name)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))), float)
    assert np.abs(shown - original).mean() < 5


def test_cards_show_predicted_and_true_days(fake: FakeRun) -> None:
    html, _, _ = written(fake, strip_pairs=200)  # more than there are: all of them
    calibrated = pd.read_csv(fake.root / "submission" / "submission_calibrated.csv")["time_delta"]
    labels = pd.read_csv(fake.root / "catalog" / "test_labels.csv")["time_delta"]
    assert html.count('style="--photo-aspect: 1.3333') == 2  # 328 x 246, as the camera saw the plants
    strip = html.split("<h2>Scores</h2>")[0]
    assert sorted(re.findall(r'class="said">([\d.]+) ', strip)) == sorted(f"{value:.1f}" for value in calibrated)
    assert sorted(re.findall(r"<span>true (\d+)</span>", strip)) == sorted(str(value) for value in labels)


def test_same_inputs_give_the_same_bytes(fake: FakeRun, texts: tuple) -> None:
    again = written(fake)
    assert again[:2] == texts[:2]
    assert sorted(path.name for path in (fake.root / "out").iterdir()) == ["report.html", "summary.md"]


def test_without_labels_no_test_score_and_no_truth_is_shown(tmp_path: Path) -> None:
    html, summary, record = written(FakeRun(root=tmp_path, labels=False).write())
    assert "the dataset has no test labels" in Page(html).text
    assert "test" not in markdown_rows(summary, "Headline")
    assert "\n## Test\n" not in summary
    assert "Test, predicted days" in Page(html).texts
    assert "<span>true" not in html.split("<h2>Scores</h2>")[0]
    assert {"what": "test scores", "why": "the dataset has no test_labels.csv"} in record["skipped"]


@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": "none"},
        {"folds": (2,)},  # one model
        {"folds": (0, 1, 2), "epochs": 1},
        {"history_columns": ("loss", "rmse_days")},  # no validation during training
        {"history_columns": ("loss",)},  # neither curve
        {"test_series": (("BC", "BC_1100"), ("NA", "NA_7"))},  # a species, by a name pandas takes for missing, in test only
        {"photos": 2, "folds": (0,), "test_pairs": 1},  # three train pairs in all, one test pair
    ],
    ids=", ".join,
)
def test_page_is_complete_for_other_runs(tmp_path: Path, changes: dict) -> None:
    run = FakeRun(root=tmp_path, **changes).write()
    html, summary, _ = written(run)
    page = Page(html)
    assert not page.open
    assert not re.search(r"\bnan\b|\binf\b|None", " ".join([html, summary]))
    assert ("Raw and calibrated predictions are the same." in page.text) == (run.calibration == "none")
    assert ("RMSE by epoch" in page.texts) == ("rmse_days" in run.history_columns)
    for species, series in run.test_series[: run.test_pairs]:
        assert series in page.texts
        assert markdown_rows(summary, "Test")[species][0].isdigit()


def test_fitted_lines_are_shown(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    fits = {"BC": {"slope": 1.05, "intercept": -0.25}, "LT": {"slope": 1.1, "intercept": 0.5}}
    (tmp_path / "submission" / "calibration.json").write_text(
        json.dumps({"mode": "fit", "rules": [], "fits": fits, "factors": {}})
    )
    _, summary, _ = written(run)
    assert "- BC × 1.050 − 0.25 days\n- LT × 1.100 + 0.50 days" in summary  # noqa: RUF001 - the signs of arithmetic


def test_stages_without_record_are_reported(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    for name in ("stage.json", "records.json"):  # the latter is missing where an earlier version wrote the tables
        (tmp_path / "tables" / name).unlink()
    summary = written(run)[1]
    for stage in ("resize_images", "generate_pairs", "split_folds", "write_tfrecords"):
        assert f"- {stage}, record: stage.json is missing" in summary
    assert "- train, record" not in summary


def test_a_submission_of_an_earlier_version_is_refused_with_what_makes_it_anew(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    (tmp_path / "submission/records.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"records.json: missing.* python pipeline.py rerun RUN calibrate --downstream"):
        written(run)


@pytest.mark.parametrize(
    ("path", "column", "value", "message"),
    [
        ("submission/test_calibrated.csv", None, None, "test_calibrated.csv: missing. Expected what calibrate writes"),
        (
            "submission/test_calibrated.csv",
            "highest_days",
            None,
            "Expected idx, prediction_days, calibrated_days, lowest_days, h",
        ),
        ("submission/test_calibrated.csv", "calibrated_days", "soon", "calibrated_days of idx 0 is 'soon' (1 such rows)."),
        ("submission/test_calibrated.csv", "prediction_days", "inf", "prediction_days of idx 0 is 'inf' (1 such rows)"),
        ("submission/history-1.csv", None, None, "history-1.csv"),
        ("submission/out_of_fold_calibrated.csv", "prediction_days", "-inf", "is '-inf' (1 such rows). Expected finite"),
        ("submission/test_calibrated.csv", "lowest_days", "nan", "lowest_days of idx 0 is 'nan'"),
        ("submission/test_calibrated.csv", "true_days", "", "true_days of idx 0 is '' (1 such rows)"),
        ("submission/test_calibrated.csv", "idx", 999, "1 of 40 pairs have no row, first 0"),
        ("submission/test_calibrated.csv", "idx", 1, "idx 1 is there twice"),
        ("tables/test_pairs.csv", "before_image_id", "test/LT_1003/gone", "photo test/LT_1003/gone is not in the catalog"),
        ("tables/images.csv", "path", "gone.jpg", "gone.jpg is missing"),
    ],
)
def test_error_names_the_file_and_leaves_no_page(
    tmp_path: Path, path: str, column: str | None, value: object, message: str
) -> None:
    run = FakeRun(root=tmp_path).write()
    table = pd.read_csv(tmp_path / path, dtype=object)
    if column is None:
        (tmp_path / path).unlink()
    elif value is None:
        table.drop(columns=column).to_csv(tmp_path / path, index=False)
    else:
        table.loc[table.index if "photo" in message or "gone" in message else [0], column] = value
        table.to_csv(tmp_path / path, index=False)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        written(run, strip_pairs=200)
    assert not run.arguments()["html"].exists()


def pairs_of(sizes: dict[str, int]) -> pd.DataFrame:
    """A table of test pairs with `sizes[series]` pairs each, predicted 0, 1, 2, ... days."""
    rows = [(name[:2], name, float(day)) for name, size in sizes.items() for day in range(size)]
    return pd.DataFrame(rows, columns=["species", "series", "calibrated_days"]).assign(idx=range(len(rows)))


def test_strip_is_spread_over_species_series_and_days() -> None:
    pairs = pairs_of({"BC_1": 30, "BC_2": 30, "LT_1": 30, "LT_2": 30, "LT_3": 30, "LT_4": 2})
    chosen = spread_pairs(pairs, 12)
    assert chosen["series"].value_counts().to_dict() == dict.fromkeys(["BC_1", "BC_2", "LT_1", "LT_2", "LT_3", "LT_4"], 2)
    for _, days in chosen[chosen["series"] != "LT_4"].groupby("series")["calibrated_days"]:
        assert [day >= 15 for day in sorted(days)] == [False, True]
    assert spread_pairs(pairs, 4)["species"].tolist() == ["BC", "BC", "LT", "LT"]
    singles = spread_pairs(pairs_of({f"LT_{number}": 60 for number in range(6)}), 6)
    assert singles["calibrated_days"].tolist() == [5, 15, 25, 35, 45, 55]  # the middle of each sixth of 60


@given(
    st.dictionaries(st.sampled_from(["BC_1", "BC_2", "LT_1", "LT_2", "XX_1"]), st.integers(1, 9), min_size=1), st.integers(1, 60)
)
def test_strip_has_as_many_different_pairs_as_asked_for(sizes: dict[str, int], count: int) -> None:
    chosen = spread_pairs(pairs_of(sizes), count)
    assert len(chosen) == chosen["idx"].nunique() == min(count, sum(sizes.values()))


def test_largest_errors_are_one_per_series_largest_first() -> None:
    rows = [("a", "s1", 1, 9), ("b", "s1", 2, 12), ("c", "s2", 9, 4), ("d", "s3", 3, 3)]
    pairs = pd.DataFrame(rows, columns=["pair_id", "series", "true_days", "calibrated_days"])
    assert largest_errors(pairs, 2)["pair_id"].tolist() == ["b", "c"]


def test_bins_hold_means_and_quantiles_and_leave_out_thin_ones() -> None:
    pairs = pd.DataFrame({"true_days": [1] * 10 + [2] * 10 + [3], "error": [*range(10), *range(10, 20), 99]})
    table = binned(pairs, "true_days", "error")
    assert table["x"].tolist() == [1, 2]
    assert table["median"].tolist() == [4.5, 14.5]
    assert table["low"].tolist() == pytest.approx([np.quantile(range(10), 0.1), np.quantile(range(10, 20), 0.1)])


@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e4))
def test_axis_contains_its_values_with_few_ticks_inside(low: float, size: float) -> None:
    found = axis("", low, low + size, 10, 110)
    assert found.low <= low + 1e-6
    assert found.high >= low + size - 1e-6
    assert 2 <= len(found.ticks) <= 11
    assert all(10 <= position <= 110 for position, _ in found.ticks)


@given(st.lists(st.floats(0, 300), max_size=6))
def test_labels_do_not_overlap(heights: list[float]) -> None:
    moved = sorted(spaced(heights, 14, 294))
    assert all(after - before >= 14 - 1e-6 for before, after in itertools.pairwise(moved))
    assert all(height <= 294 + 1e-6 for height in moved)


def test_face_writes_both_files_and_the_scores_that_calibrate_does_not_give(tmp_path: Path) -> None:
    run = FakeRun(root=tmp_path).write()
    arguments = run.arguments()
    inputs = {name: dsl.Dataset(uri=str(arguments[name])) for name in ("tables", "submission")}
    images = [dsl.Dataset(uri=str(arguments["images"]))]  # of a single shard
    page, summary = dsl.HTML(uri=str(tmp_path / "face" / "html")), dsl.Markdown(uri=str(tmp_path / "face" / "summary"))
    metrics = dsl.Metrics(uri=str(tmp_path / "face" / "metrics"))
    report.python_func(**inputs, images=images, html=page, summary=summary, metrics=metrics, strip_pairs=3)
    assert Path(page.path).read_text("utf-8").startswith("<!DOCTYPE html>")
    assert Path(summary.path).read_text("utf-8").startswith("# verdelta")
    assert page.metadata["strip_pairs"] == 3
    pairs = pd.read_csv(tmp_path / "submission" / "out_of_fold_calibrated.csv")
    error = pairs["calibrated_days"] - pairs["time_delta_days"]
    by_species = {name: (error[pairs["species"] == name] ** 2).mean() ** 0.5 for name in ("BC", "LT")}
    by_species = {f"validation_rmse_days_calibrated_{name}": value for name, value in by_species.items()}
    expected = {"validation_bias_days": error.mean(), **by_species}
    assert {name: value for name, value in metrics.metadata.items() if name.startswith("validation")} == pytest.approx(expected)
    test = {"test_bias_days", "test_rmse_days_calibrated_BC", "test_rmse_days_calibrated_LT"}
    assert set(metrics.metadata) == test | set(expected)


def test_report_imports_no_tensor_library() -> None:
    code = (
        "import sys, components.report.report; "
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.strip() == "[]"
