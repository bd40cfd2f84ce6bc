"""Bands of unknown selections: both ends, the interval they are held against, and where they tip."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.analyse.tipping import Band, bands
from bayestwin.numbers import number
from bayestwin.report.selections import selections_shown
from bayestwin.twin.answered import Answered
from bayestwin.twin.twin import Quantity

HOURS, LOAD, NONE = Quantity("hours", "h", "hours"), Quantity("load", "points", "task load", mean=True), Quantity("none", "1", "nothing")
KNOWN = Answered("site", "all", (), "site_name", (), (HOURS, LOAD, NONE))


def found(change: float = 0.2, error: float = 0.01) -> list[Band]:
    """Totals of hours have mean 400 and sd 20, means of load 50 and 1."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((4, 5000, 1, 1))
    hours, load = np.broadcast_to(100.0 + 5.0 * noise, (4, 5000, 2, 2)), np.broadcast_to(50.0 + noise, (4, 5000, 2, 2))
    dims = ("chain", "draw", "period", "site")
    drawn = xr.Dataset({"hours": (dims, hours), "load": (dims, load), "none": (dims, np.zeros((4, 5000, 2, 2)))})
    rows = [
        ("slope", 0.5, "hours", 480.0, change, error),
        ("slope", -0.5, "hours", 380.0, -0.05, 0.02),
        ("slope", 0.5, "load", 51.0, 0.01, 0.008),
        ("slope", -0.5, "load", 49.0, -0.01, 0.008),
        ("slope", 0.5, "none", 0.0, np.nan, np.nan),
        ("other", 0.5, "elsewhere", 1.0, 9.0, 0.0),
    ]
    table = pd.DataFrame(rows, columns=["parameter", "value", "quantity", "total", "change", "error"])
    posterior = xr.Dataset({"slope": (("chain", "draw"), np.full((4, 5000), 0.1))})
    return list(bands(table, posterior, drawn, KNOWN.quantities))


def test_a_band_has_both_ends_and_the_interval_of_a_sum_or_a_mean() -> None:
    hours, load = found()
    assert (hours.ends, hours.changes, hours.error) == ((-0.5, 0.5), (-0.05, 0.2), 0.02)
    assert hours.interval == pytest.approx((-1.96 * 20.0 / 400.0, 1.96 * 20.0 / 400.0), rel=0.04)
    assert load.interval == pytest.approx((-1.96 / 50.0, 1.96 / 50.0), rel=0.04)


def test_it_tips_where_the_line_to_the_end_that_comes_nearer_leaves_the_interval() -> None:
    hours, load = found()
    assert hours.tips_within
    assert hours.tips_at == pytest.approx(0.1 + 0.4 * hours.interval[1] / 0.2)
    assert (load.tips_at, load.tips_within) == (None, False)
    beyond = Band("slope", "hours", 0.0, (-1.0, 1.0), (-0.05, 0.05), 0.0, (-0.1, 0.11))
    assert (beyond.tips_at, beyond.tips_within) == (-2.0, False)


def test_a_skewed_interval_is_left_on_the_side_that_a_change_goes_to() -> None:
    """The end that moves the total less takes it out on the short side."""
    skewed = Band("slope", "hours", 0.0, (-1.0, 1.0), (0.1, -0.2), 0.0, (-0.4, 0.08))
    assert skewed.shares == pytest.approx((1.25, 0.5))
    assert (skewed.furthest, skewed.tips_within) == (0, True)
    assert skewed.tips_at == pytest.approx(-0.8)


def test_what_is_certain_or_no_number_has_no_band() -> None:
    assert {band.quantity for band in found()} == {"hours", "load"}
    assert {band.quantity for band in found(change=np.nan)} == {"load"}


def test_totals_that_do_not_move_beyond_chance_are_not_shown() -> None:
    shown = selections_shown(found(), KNOWN)
    assert shown is not None
    assert [band.quantity for band in shown.bands] == ["hours"]
    assert f"tips at {number(shown.bands[0].tips_at, sign=True)}" in shown.figure.alt
    assert selections_shown(found(change=0.0, error=0.1), KNOWN) is None
    assert selections_shown([], KNOWN) is None
