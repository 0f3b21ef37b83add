"""What the report says of how sure the answers are, by figures reckoned by hand."""

import pandas as pd

from components.report.sureness import SureRow, sure_lines, sure_rows

INTERVALS = pd.DataFrame(
    {
        "idx": [0, 1, 2],
        "species": ["BC", "LT", "LT"],
        "series": ["BC_1", "LT_9", "LT_9"],
        "time_delta": [5.0, 10.0, 20.0],
        "low_days": [4.0, 8.0, 17.0],
        "high_days": [6.0, 12.0, 23.0],
        "drift": [0.5, 1.7, 1.7],
    }
)


def test_series_that_look_like_none_come_first_and_tell_how_often_intervals_held() -> None:
    rows = sure_rows(INTERVALS, pd.Series([5.5, 13.0, 17.0]))
    assert rows == [
        SureRow("LT", "LT_9", pairs=2, reach_days=2.5, drift=1.7, unusual=True, inside=0.5),
        SureRow("BC", "BC_1", pairs=1, reach_days=1.0, drift=0.5, unusual=False, inside=1.0),
    ]
    assert [row.inside for row in sure_rows(INTERVALS, None)] == [None, None]


def test_what_was_promised_measured_and_labelled_is_said() -> None:
    calibration = {
        "intervals": {"coverage": 0.72, "held_out_coverage": {"BC": 0.91, "LT": 0.875}},
        "few_labels": {"LT_9": {"factor": 0.654, "labels": 3}, "LT_8": {"factor": 1.1, "labels": 1}},
    }
    promised, measured, three, one = sure_lines(calibration)
    assert "at least 72%" in promised
    assert "91% of BC, 88% of LT" in measured
    assert three == "By 3 labels, the days of LT_9 are multiplied by 0.65."
    assert one == "By 1 label, the days of LT_8 are multiplied by 1.10."


def test_a_calibration_of_an_earlier_version_says_nothing() -> None:
    assert sure_lines({"mode": "none"}) == []
