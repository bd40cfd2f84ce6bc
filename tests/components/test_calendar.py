from datetime import date

import numpy as np

from bayestwin.components.calendar import (
    DayKind,
    after_closure,
    around_christmas,
    day_kinds,
    holiday_eve,
    monday,
    public_holidays,
    school_closure,
)


def days(first: str, last: str) -> np.ndarray:
    return np.arange(first, last, dtype="datetime64[D]")


def test_jubilee_of_2022_is_known() -> None:
    span = days("2022-05-30", "2022-06-06")
    kinds = day_kinds(span, public_holidays(span, "GB", "ENG"))
    expected = [DayKind.MONDAY, DayKind.TUESDAY, DayKind.WEDNESDAY, DayKind.HOLIDAY, DayKind.HOLIDAY, DayKind.SATURDAY, DayKind.SUNDAY]
    assert kinds.tolist() == expected


def test_first_working_day_after_easter_and_new_year() -> None:
    span = days("2022-01-01", "2022-04-30")
    found = span[after_closure(span, "GB", "ENG")].astype(str).tolist()
    assert found == ["2022-01-04", "2022-04-19"]


def test_closure_at_the_edge_of_the_span_is_seen() -> None:
    assert after_closure(days("2022-04-19", "2022-04-22"), "GB", "ENG").tolist() == [True, False, False]


def test_christmas_and_eves() -> None:
    span = days("2021-12-18", "2022-01-03")
    assert span[around_christmas(span)].astype(str).tolist() == [f"2021-12-{d}" for d in range(20, 32)]
    assert span[holiday_eve(span)].astype(str).tolist() == ["2021-12-24", "2021-12-31"]


def test_largest_share_of_overlapping_school_holidays() -> None:
    spans = [(date(2022, 2, 14), date(2022, 2, 16), 0.4), (date(2022, 2, 16), date(2022, 2, 18), 0.6)]
    assert school_closure(days("2022-02-13", "2022-02-20"), spans).tolist() == [0.0, 0.4, 0.4, 0.6, 0.6, 0.6, 0.0]


def test_monday() -> None:
    assert monday(days("2022-03-06", "2022-03-09")).astype(str).tolist() == ["2022-02-28", "2022-03-07", "2022-03-07"]
