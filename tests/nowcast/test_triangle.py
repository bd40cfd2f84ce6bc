import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayestwin.nowcast import Triangle
from bayestwin.nowcast.triangle import recent
from tests.nowcast.conftest import START, simulated


def test_delay_zero_is_the_event_day() -> None:
    known = simulated(0).at(START + np.timedelta64(20, "D"))
    assert len(known.dates) == 21
    assert known.seen[20].ravel().tolist() == [True] + [False] * 7
    assert known.seen[13].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(-400, 400), st.integers(8, 60))
def test_shifting_all_dates_shifts_what_is_known(shift: int, day: int) -> None:
    triangle, by = simulated(0), np.timedelta64(shift, "D")
    moved = Triangle(triangle.counts, triangle.seen, triangle.dates + by, triangle.series)
    as_of = START + np.timedelta64(day, "D")
    one, other = triangle.at(as_of), moved.at(as_of + by)
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_array_equal(one.dates + by, other.dates)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_what_was_known_then_is_part_of_what_is_known_later(day: int, later: int) -> None:
    triangle = simulated(0)
    then, now = (triangle.at(START + np.timedelta64(d, "D")) for d in (day, day + later))
    assert not (then.seen & ~now.seen[: day + 1]).any()
    np.testing.assert_array_equal(now.at(START + np.timedelta64(day, "D")).counts, then.counts)


def test_recent_has_one_shape_whatever_is_known() -> None:
    triangle = simulated(0)
    early, late = (recent(triangle, START + np.timedelta64(d, "D"), 42, 10) for d in (3, 60))
    assert early.counts.shape == late.counts.shape == (42, 10, 1)
    assert early.seen.sum() == 4 + 3 + 2 + 1
    assert not late.seen[:, 8:].any()


def test_as_of_outside_the_triangle_is_refused() -> None:
    triangle = simulated(0)
    with pytest.raises(ValueError, match="the first event date is 2024-02-05"):
        recent(triangle, START - np.timedelta64(1, "D"), 42, 8)
    with pytest.raises(ValueError, match="give a later extract"):
        recent(triangle, triangle.dates[-1] + np.timedelta64(1, "D"), 42, 8)


def test_gaps_in_the_dates_are_refused() -> None:
    triangle = simulated(0)
    with pytest.raises(ValueError, match="dates must be 1 days apart"):
        Triangle(triangle.counts[[0, 2]], triangle.seen[[0, 2]], triangle.dates[[0, 2]], triangle.series)
