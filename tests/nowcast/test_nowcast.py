from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from bayestwin.nowcast import Settings, nowcast
from tests.nowcast.conftest import SMALL, START, simulated

AS_OF = START + np.timedelta64(55, "D")


def test_cells_after_the_as_of_date_never_matter(settings: Settings) -> None:
    triangle = simulated(1, series=2)
    spoilt = triangle.counts.copy()
    later = triangle.dates[:, None] + np.arange(SMALL.delays).astype("timedelta64[D]") > AS_OF
    spoilt[later] = 1e6
    xr.testing.assert_identical(
        nowcast(triangle, AS_OF, settings=settings), nowcast(replace(triangle, counts=spoilt), AS_OF, settings=settings)
    )


def test_shifting_all_dates_by_weeks_shifts_the_nowcast(settings: Settings) -> None:
    triangle, by = simulated(1), np.timedelta64(21, "D")
    one = nowcast(triangle, AS_OF, settings=settings)
    other = nowcast(replace(triangle, dates=triangle.dates + by), AS_OF + by, settings=settings)
    np.testing.assert_array_equal(one["total"], other["total"])
    np.testing.assert_array_equal(one["time"] + by, other["time"])


def test_never_below_what_is_reported_and_equal_where_all_is(settings: Settings) -> None:
    answer = nowcast(simulated(2, rate=3.0), AS_OF, settings=settings)
    assert (answer["total"] >= answer["reported"]).all()
    whole = answer.isel(time=slice(0, settings.last - SMALL.delays + 1))
    assert (whole["total"] == whole["reported"]).all()


def test_negative_cells_are_kept_in_what_is_reported_and_not_learnt_from(settings: Settings) -> None:
    triangle = simulated(3)
    row = int((AS_OF - START).astype(int)) - 4
    corrected, masked = triangle.counts.copy(), triangle.seen.copy()
    corrected[row, 2] = -30.0
    masked[row, 2] = False
    minus, without = (
        nowcast(replace(triangle, counts=corrected), AS_OF, settings=settings),
        nowcast(replace(triangle, seen=masked), AS_OF, settings=settings),
    )
    day = minus["time"][-5]
    assert minus["reported"].sel(time=day).item() == without["reported"].sel(time=day).item() - 30.0
    np.testing.assert_allclose(minus["dispersion"], without["dispersion"])
    assert (minus["total"] >= minus["reported"]).all()


def test_totals_within_more_delays_are_larger() -> None:
    answer = nowcast(simulated(1), AS_OF, settings=Settings(SMALL, last=7, within=(4, 6, 8), draws=100))
    assert (answer["total"].diff("within") >= 0).all()
    assert answer["within"].values.tolist() == [4, 6, 8]


def test_undated_reports_are_part_of_the_totals(settings: Settings) -> None:
    triangle = simulated(6)
    undated = np.zeros((len(triangle.dates), 1), int)
    undated[40:] = 15
    plain, more = nowcast(triangle, AS_OF, settings=settings), nowcast(triangle, AS_OF, settings=settings, undated=undated)
    extra = (more["total"] - plain["total"]).isel(within=0, series=0)
    assert (extra >= 0).all()
    # 16 report days of 15, over delays of up to a week: nearly all of those of the last ten days fall among them
    assert 10 * 15 * 0.6 < extra.sum("time").mean().item() < 16 * 15 * 1.2
    undated[56:] = 9999
    np.testing.assert_array_equal(nowcast(triangle, AS_OF, settings=settings, undated=undated)["total"], more["total"])


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [({"lead": "nobody"}, "lead must be a series"), ({"undated": np.zeros((3, 1), int)}, "shaped \\(time, series\\)")],
)
def test_wrong_arguments_are_named(settings: Settings, kwargs: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        nowcast(simulated(1), AS_OF, settings=settings, **kwargs)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="within must increase"):
        Settings(SMALL, within=(9,))
    with pytest.raises(ValueError, match="last must lie between 1 and 42"):
        Settings(SMALL, last=50, within=(8,))


@pytest.mark.slow
def test_intervals_cover_what_they_should() -> None:
    """Over 60 simulated triangles the intervals of the last seven days' sum cover within four binomial standard errors."""
    inside = {50: 0, 95: 0}
    settings = Settings(SMALL, last=7, within=(8,), draws=400)
    runs = 60
    for seed in range(runs):
        triangle = simulated(100 + seed)
        total = nowcast(triangle, AS_OF, settings=settings)["total"].isel(series=0, within=0).sum("time").to_numpy()
        truth = triangle.counts[49:56].sum()
        for level in inside:
            low, high = np.quantile(total, [0.5 - level / 200, 0.5 + level / 200])
            inside[level] += low <= truth <= high
    for level, hits in inside.items():
        share = level / 100
        assert abs(hits / runs - share) < 4 * np.sqrt(share * (1 - share) / runs)
