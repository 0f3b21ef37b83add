"""Names of photos as people, cameras and platforms write them, against the days that a person reads in them."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.resize_images.days import DaysError, longest_gap, read_series

READ = [
    (["DAT01", "DAT07", "DAT40"], [1, 7, 40]),  # the challenge's
    (["LT_01_7", "LT_01_10"], [7, 10]),
    (["07", "08", "21"], [7, 8, 21]),
    (["00341", "00342"], [341, 342]),
    (["2021-06-30", "2021-07-01", "2021-07-31"], [0, 1, 31]),
    (["20210630", "20210701"], [0, 1]),
    (["2021-6-30", "2021-7-1"], [0, 1]),
    (["2024-02-28", "2024-03-01"], [0, 2]),  # a leap year
    (["30.06.2021", "01.07.2021", "05.07.2021"], [0, 1, 5]),
    (["01.07.2021", "02.07.2021"], [0, 1]),  # with dots the day comes first
    (["06-30-2021", "07-02-2021"], [0, 2]),  # 30 is no month
    (["30Jun2021", "1Jul2021"], [0, 1]),
    (["Jun 30, 2021", "July 2, 2021"], [0, 2]),
    (["2021년 6월 30일", "2021년 7월 2일"], [0, 2]),
    (["LT_2021-07-01_09-00-05", "LT_2021-07-02_09-00-04", "LT_2021-07-03_09-00-06"], [0, 1, 2]),  # a rig's jitter is no time
    (["IMG_20210630_120005", "IMG_20210701_000005"], [0, 0.5]),
    (["PXL_20210630_120005123", "PXL_20210701_120007999"], [0, 1]),
    (["IMG-20210630-WA0007", "IMG-20210702-WA0003"], [0, 2]),
    (["2021-06-30 12.00.05", "2021-07-01 18.00.05"], [0, 1.25]),
    (["Screen Shot 2021-06-30 at 9.00.05 AM", "Screen Shot 2021-06-30 at 9.00.05 PM"], [0, 0.5]),
    (["greenhouse_2021_06_30_120005", "greenhouse_2021_07_01_120005"], [0, 1]),
    (["20210701T090005Z", "20210703T210005Z"], [0, 2.5]),
    (["202107010900", "202107022100"], [0, 1.5]),
    (["EXP20210501_DAT07", "EXP20210501_DAT08"], [7, 8]),  # a date that is the same in all names tells no time
    (["DAT07_20210507", "DAT08_20210508"], [7, 8]),  # two ways that agree
    (["2021-06-30_plant12", "2021-07-02_plant12"], [0, 2]),
    (["day7_cam1", "day8_cam1"], [7, 8]),
    (["plant3_12 days after sowing", "plant3_14 days after sowing"], [12, 14]),
    (["7DAS", "8das", "12_DAS"], [7, 8, 12]),
    (["d7", "d14"], [7, 14]),
    (["DAT0.5", "DAT1.5", "DAT12.25"], [0.5, 1.5, 12.25]),
    (["DAT0,5", "DAT1,5"], [0.5, 1.5]),
    (["0.5", "1.5", "12.25"], [0.5, 1.5, 12.25]),
    (["DAS-2", "DAS-1", "DAS0", "DAS1"], [-2, -1, 0, 1]),
    (["DAS-02", "DAS00", "DAS05"], [-2, 0, 5]),
    (["D-1", "D0", "D+1"], [-1, 0, 1]),
    (["-1", "0", "1"], [-1, 0, 1]),
    (["day_minus_2", "day_3"], [-2, 3]),
    (["DAT\N{MINUS SIGN}2", "DAT\N{MINUS SIGN}1"], [-2, -1]),
    (["DAT-07", "DAT-08"], [7, 8]),  # a dash before every number, which is written with zeros, parts
    (["LT_01-5", "LT_01-7"], [5, 7]),
    (["cover 2021-06-30"], [0]),
]

REFUSED = [
    (["cover", "DAT01"], "does not end in digits"),
    (["cover"], "does not end in digits"),
    (["0630", "0701", "0714"], "a month and a day"),
    (["01-07-2021", "02-07-2021"], "in two ways: 1 days apart by the date .day, month, year., 31 by the date .month"),
    (["21-06-30", "21-07-01"], "three numbers"),
    (["21_06_30", "21_07_01"], "more than one number changes"),
    (["210630", "210701"], "four digits"),
    (["010203", "010204"], "without its century"),
    (["1625043600", "1625130000"], "larger than 36525"),
    (["2021-06", "2021-07"], "a year and a month"),
    (["09-00-05", "09-00-06"], "a time of day"),
    (["IMG_0012", "IMG_0013"], "camera's counter"),
    (["DSC00012", "DSC00013"], "camera's counter"),
    (["P1010007", "P1010008"], "camera's counter"),
    (["DAT07", "2021-06-30"], "two forms"),
    (["DAT07", "DAS08"], "two forms"),
    (["2021-06-30", "2021-07-01_09-00"], "two forms"),
    (["2021-02-30", "2021-03-01"], "two forms"),  # no such day
    (["DAT07_20210507", "DAT08_20210509"], "in two ways: 1 days apart by the number with dat, 2 by the date"),
    (["DAT-7", "DAT-8"], "its dash a minus"),
    (["DAT07", "DAT07 (1)"], "two photos of one day .7."),
    (["DAT07a", "DAT07b"], "two photos of one day"),
    (["2021-06-30", "2021-06-30_2"], "two photos of one day"),
    (["20210501_01", "20210501_02"], "two photos of one day"),
    (["DAT07_1", "DAT08_2"], "a fraction, or two numbers"),
    (["DAT1p5", "DAT3"], "a fraction, or two numbers"),
    (["1.1", "1.2"], "a fraction, or two numbers"),
    (["1.9", "2.10"], "two numbers with a point"),
    (["plant1_07", "plant2_08"], "more than one number changes"),
    (["week1", "week2"], "weeks"),
    (["WAT3", "WAT4"], "weeks"),
    (["w1d3", "w2d5"], "weeks"),
    (["DAT40000", "DAT40001"], "at most 36525"),
]


@pytest.mark.parametrize(("stems", "days"), READ, ids=[stems[0] for stems, _ in READ])
def test_names_say_the_days_that_a_person_reads(stems: list[str], days: list[float]) -> None:
    read = read_series(stems)
    assert list(read.days) == days
    assert {type(day) for day in read.days} == ({int} if all(float(day).is_integer() for day in days) else {float})


@pytest.mark.parametrize(("stems", "reason"), REFUSED, ids=[stems[0] for stems, _ in REFUSED])
def test_names_that_say_no_day_or_two_are_refused_by_name(stems: list[str], reason: str) -> None:
    with pytest.raises(DaysError, match=reason) as error:
        read_series(stems)
    assert set(error.value.names) <= set(stems)
    assert len(error.value.names) == min(2, len(stems))


@given(st.lists(st.dates(datetime.date(1970, 1, 1), datetime.date(2060, 12, 31)), min_size=1, max_size=9, unique=True), st.data())
def test_dates_of_a_series_are_days_since_its_first(dates: list[datetime.date], data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["%Y-%m-%d", "%Y%m%d", "LT_01_%Y_%m_%d", "%Y.%m.%d", "plant %d%b%Y", "%Y-%m-%dT08-30-00"]))
    days = read_series([date.strftime(form) for date in dates]).days
    assert list(days) == [(date - min(dates)).days for date in dates]


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=20, unique=True), st.sampled_from(["DAT", "DAS_", "day ", "DAP"]))
def test_numbers_with_a_day_word_are_read_as_they_stand(numbers: list[int], word: str) -> None:
    assert list(read_series([f"LT_01_{word}{number}" for number in numbers]).days) == numbers


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), min_size=1, max_size=5, unique=True))
def test_any_names_are_read_or_refused(stems: list[str]) -> None:
    try:
        days = read_series(stems).days
    except DaysError:
        return
    assert len(days) == len(set(days)) == len(stems)


def test_the_longest_gap_is_between_neighbours_in_time() -> None:
    assert longest_gap([1, 9, 4]) == 5
    assert longest_gap([3]) == 0
