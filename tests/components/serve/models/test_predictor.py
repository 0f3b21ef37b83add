"""What a predictor answers is what predict and calibrate say of the same photos; each passes the backbone once."""

import dataclasses
import io
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from gcs_server import BUCKET, gcs_server, upload_folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from served_model import RULES, photo, write_models

from components.calibrate.intervals import Intervals
from components.calibrate.linear import apply_lines, apply_rules, floor_days
from components.network.infer import encode, pair_days
from components.network.input.load import decode
from components.network.model import split_model
from components.resize_images.picture import BadPhotoError
from components.serve.models import calibration
from components.serve.models.bundle import Bundle, read_bundle, write_bundle
from components.serve.models.predictor import NOT_LATER, SAME_PHOTO, Photo, Predictor
from components.serve.strip import strip_page
from components.serve.timeline import out_of_order, time_line

VIEWS = 8
PHOTOS = [photo(seed) for seed in range(4)]
NAMED = [(f"photo {number}", content) for number, content in enumerate(PHOTOS)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_models(tmp_path_factory.mktemp("models"), tta_views=VIEWS)


@pytest.fixture
def predictor(bundle: Bundle) -> Predictor:
    return Predictor(bundle)


def as_stored(content: bytes) -> np.ndarray:
    """A photo through the pipeline's own stages, by hand: JPEG of 48 px, decoded to 32."""
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").resize((48, 48)).save(jpeg, "JPEG", quality=75)
    return decode(jpeg.getvalue(), 32).numpy()


def test_days_are_those_of_predict_averaged_over_views_and_models(bundle: Bundle, predictor: Predictor) -> None:
    images, before, after = np.stack(list(map(as_stored, PHOTOS))), np.array([0, 0, 2]), np.array([1, 3, 1])
    by_model = []
    for path in bundle.models:
        encoder, head = split_model(keras.saving.load_model(path, compile=False))
        views = [pair_days(head, encode(encoder, images, view=view, batch_size=4), before, after) for view in range(VIEWS)]
        by_model.append(np.mean(views, axis=0, dtype=np.float64))
    expected = np.mean(by_model, axis=0)
    assert np.ptp(expected) > 0.01
    seen = predictor.photos(NAMED)
    answers = predictor.between([(seen[a], seen[b]) for a, b in zip(before, after, strict=True)], "LT")
    np.testing.assert_allclose([each.raw_days for each in answers], expected, atol=1e-4)
    np.testing.assert_allclose([each.days for each in answers], expected * 1.1, atol=1e-4)


def test_a_content_passes_the_backbone_once_whatever_it_is_called(predictor: Predictor) -> None:
    first = predictor.photos([*NAMED, ("again", PHOTOS[2])])
    assert predictor.passes == 4
    assert first[4].digest == first[2].digest
    assert [each.digest for each in predictor.photos(NAMED[::-1])] == [each.digest for each in first[3::-1]]
    assert predictor.passes == 4


def test_what_was_used_longest_ago_is_forgotten_first(bundle: Bundle) -> None:
    one = Predictor(bundle).photos(NAMED[:1])[0].bytes
    small = Predictor(bundle, most_kept_bytes=2 * one)
    small.photos(NAMED[:2])
    small.photos(NAMED[:1])  # so that the second is the older one
    small.photos(NAMED[2:3])
    assert (small.passes, small.known_bytes) == (3, 2 * one)
    small.photos(NAMED[:1])
    assert small.passes == 3
    small.photos(NAMED[1:2])
    assert small.passes == 4


def test_a_bad_photo_is_named_and_nothing_is_computed(predictor: Predictor) -> None:
    with pytest.raises(BadPhotoError, match=r"^broken: cannot be decoded as a photo: .*Expected an 8-bit PNG or JPEG"):
        predictor.photos([*NAMED, ("broken", PHOTOS[0][:-30])])
    assert predictor.passes == 0


def test_warnings_say_why_an_answer_may_be_wrong(bundle: Bundle, predictor: Predictor) -> None:
    one, two = (Photo(digest, np.zeros(1), np.zeros(1)) for digest in "ab")
    assert predictor.answer((one, one), 5.0, "", "").warnings == (SAME_PHOTO,)
    reversed_pair = predictor.answer((one, two), -3.0, "", "")
    assert (reversed_pair.days, reversed_pair.raw_days, reversed_pair.warnings) == (1.0, 1.0, (NOT_LATER,))
    (far,) = predictor.answer((one, two), bundle.longest_days + 0.5, "", "").warnings
    assert far.startswith("longer than the 30 days")
    assert predictor.answer((one, two), bundle.longest_days - 0.5, "", "").warnings == ()


@given(
    days=st.floats(-40, 40),
    species=st.sampled_from(["BC", "LT", "NA"]),
    series=st.sampled_from(["LT_7", "LT_8"]),
    slope=st.floats(-2, 2),
    intercept=st.floats(-9, 9),
)
def test_a_pair_is_calibrated_as_the_table_of_calibrate(
    days: float, species: str, series: str, slope: float, intercept: float
) -> None:
    pair, raw = pd.DataFrame({"species": [species], "series": [series]}), floor_days(np.array([days]))
    fits = {"LT": {"slope": slope, "intercept": intercept}}
    for rules, lines, expected in ((RULES, {}, apply_rules(raw, pair, RULES)), ([], fits, apply_lines(raw, pair, fits))):
        found, _ = calibration.calibrated(days, {"rules": rules, "fits": lines}, species, series)
        assert found == pytest.approx(floor_days(expected)[0])


@given(st.floats(0.1, 400), st.floats(0.1, 9), st.floats(0, 3), st.floats(0, 2))
def test_the_interval_of_a_pair_is_the_one_of_calibrate(days: float, width: float, fixed: float, relative: float) -> None:
    low, high = Intervals(0.9, width, fixed, relative).around(np.array([days]))
    fitted = {"width": width, "fixed_days": fixed, "relative": relative}
    assert calibration.interval(days, {"intervals": fitted}) == pytest.approx((low[0], high[0]))
    of_cadence = {"intervals": {"width": 0.1, "fixed_days": 0.1, "relative": 0.0}, "pair_intervals": fitted}
    assert calibration.interval(days, of_cadence) == pytest.approx((low[0], high[0]))
    assert calibration.interval(days, {"mode": "none"}) is None  # of an earlier version


@pytest.mark.parametrize(
    ("species", "series", "said"),
    [
        ("LT", "", "1.1 for LT"),
        ("LT", "LT_7", "1.1 for LT x 0.5 for LT_7"),
        ("", "", "none: say which of LT, LT_7"),
        ("BC", "", "none: the run has one for LT, LT_7"),
    ],
)
def test_an_answer_says_which_calibration_applied(predictor: Predictor, species: str, series: str, said: str) -> None:
    (answer,) = predictor.between([tuple(predictor.photos(NAMED[:2]))], species, series)
    assert answer.calibration == said


def test_a_bundle_is_read_back_from_a_folder_and_from_a_bucket(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(bundle, tmp_path / "published")
    found = read_bundle(str(tmp_path / "published"), tmp_path)
    assert dataclasses.replace(found, models=()) == dataclasses.replace(bundle, models=())
    expected = [path.read_bytes() for path in bundle.models]
    assert [path.read_bytes() for path in found.models] == expected
    with pytest.raises(FileExistsError, match="not empty"):
        write_bundle(bundle, tmp_path / "published")
    (tmp_path / "scratch").mkdir()
    with gcs_server() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        upload_folder(url, tmp_path / "published", "models/verdelta")
        there = read_bundle(f"gs://{BUCKET}/models/verdelta/", tmp_path / "scratch")
    assert [path.read_bytes() for path in there.models] == expected
    with pytest.raises(FileNotFoundError, match="publish"):
        read_bundle(str(tmp_path / "scratch" / "nowhere"), tmp_path)
    (tmp_path / "published/verdelta.json").write_text('{"form": 99}')
    with pytest.raises(ValueError, match="publish the run again"):
        read_bundle(str(tmp_path / "published"), tmp_path)


def test_the_interval_of_a_time_line_is_wider_for_odd_looks_and_of_its_cadence_where_that_is_known() -> None:
    with_cadence, alone = ({"width": width, "fixed_days": 1.0, "relative": 0.0} for width in (1.0, 3.0))
    known = {"intervals": with_cadence, "pair_intervals": alone}
    assert calibration.interval(10.0, known) == (7.0, 13.0)
    assert calibration.interval(10.0, known, 2.0) == (4.0, 16.0)
    assert calibration.interval(10.0, known, on_cadence=True) == (9.0, 11.0)
    assert calibration.interval(2.0, known) == (0.0, 5.0)
    assert calibration.interval(-2.0, known) == (-5.0, 1.0)  # of a photo that is put before the first


def test_a_time_line_has_the_days_since_the_first_and_a_page_of_its_own(predictor: Predictor) -> None:
    seen = predictor.photos(NAMED)
    line = time_line(predictor, [(name, each) for (name, _), each in zip(NAMED, seen, strict=True)], "LT")
    expected = [each.days for each in predictor.between([(seen[0], each) for each in seen[1:]], "LT")]
    assert list(line.days) == [0.0, *expected]
    page = strip_page("<Plant>", line, PHOTOS, ["a & b"])
    assert page.count("data:image/jpeg;base64,") == len(PHOTOS)
    assert "&lt;Plant&gt;" in page
    assert "a &amp; b" in page
    assert "http" not in page
    page = strip_page("Plant", dataclasses.replace(line, days=(0.0, -2.0, 6.0, 2.0)), PHOTOS, [])
    assert "day -2.0" in page  # the axis begins with the earliest, which need not be the first
    assert [float(left) for left in re.findall(r'style="left:([-0-9.]+)%"', page)] == [25.0, 0.0, 100.0, 50.0]
    assert list(out_of_order(["photo 1", "photo 2"], [3.0, 0.1])) == [
        "photo 2 is put at day 0.1, before photo 1 at 3.0, which came before it"
    ]
