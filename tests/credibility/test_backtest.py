"""Scores of forecasts from past dates: right for draws from the truth, worse for shifted ones, on the cells that came only."""

import json

import numpy as np
import pytest
from scipy import stats

from bayestwin.credibility.backtest import checks_of_backtest
from bayestwin.credibility.rivals import RECENT, Came, a_year_before, autoets, recent
from bayestwin.credibility.scores import by_unit, compared, scores

WEEKS, UNITS = 8, 30


def came(rng: np.random.Generator) -> tuple[np.ndarray, Came]:
    level = rng.normal(50.0, 10.0, size=UNITS)
    values = rng.normal(level, 4.0, size=(WEEKS, UNITS))
    return level, Came(values, rng.random((WEEKS, UNITS)) < 0.8)


def test_draws_from_the_truth_score_as_a_normal_law_does() -> None:
    rng = np.random.default_rng(1)
    level, later = came(rng)
    row = scores(rng.normal(level, 4.0, size=(2000, WEEKS, UNITS)), later, rng.normal(level, 4.0, size=(RECENT, WEEKS, UNITS)))
    assert row["cells"] == later.seen.sum()
    assert row["crps"] == pytest.approx(4.0 / np.sqrt(np.pi), rel=0.15)  # E|X - X'| / 2 of a normal law of sd 4
    for level_, share in (("50", 0.5), ("80", 0.8), ("95", 0.95)):
        assert row[f"coverage_{level_}"] == pytest.approx(share, abs=4.0 * np.sqrt(share * (1 - share) / row["cells"]))
        assert row[f"coverage_{level_}_error"] > 0
    assert row["skill"] > 0.0
    assert row["log_score"] == pytest.approx(0.5 * np.log(2.0 * np.pi * np.e * 16.0), rel=0.05)  # entropy of the normal law
    assert np.sum(row["pit"]) == pytest.approx(1.0, abs=1e-3)
    assert np.max(np.abs(np.array(row["pit"]) - 0.1)) < 4.0 * np.sqrt(0.09 / row["cells"])


def test_a_biased_forecast_loses_and_its_intervals_miss() -> None:
    rng = np.random.default_rng(2)
    level, later = came(rng)
    naive = rng.normal(level, 4.0, size=(RECENT, WEEKS, UNITS))
    right, wrong = (scores(rng.normal(level + shift, 4.0, size=(500, WEEKS, UNITS)), later, naive) for shift in (0.0, 12.0))
    assert wrong["wis"] > 2.0 * right["wis"]
    assert wrong["skill"] < 0.0 < right["skill"]
    head = {"origin": "2024-01-01", "quantity": "bread", "r_hat": 1.0, "week_ahead": 0, "naive": "recent weeks"}
    assert [check.status for check in checks_of_backtest([head | wrong])] == ["FAIL", "FAIL"]
    assert [check.status for check in checks_of_backtest([head | right])] == ["PASS", "PASS"]


def test_cells_that_did_not_come_and_units_without_a_past_are_not_scored() -> None:
    rng = np.random.default_rng(3)
    level, later = came(rng)
    past = Came(np.broadcast_to(level, (12, UNITS)).copy(), np.ones((12, UNITS), bool))
    past.seen[:, 0] = False
    naive = recent(past)
    assert np.isnan(naive[:, 0]).all()
    drawn = rng.normal(level, 4.0, size=(200, WEEKS, UNITS))
    naive = np.broadcast_to(naive[:, None], (RECENT, WEEKS, UNITS))
    assert scores(drawn, later, naive)["cells"] == later.seen[:, 1:].sum()
    assert scores(drawn, Came(later.values, np.zeros_like(later.seen)), naive) == {"cells": 0}


def test_units_are_scored_each_by_itself_and_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(5)
    level, later = came(rng)
    later.seen[:, 3] = False
    drawn, naive = (rng.normal(level, 4.0, size=(size, WEEKS, UNITS)) for size in (500, RECENT))
    whole, each = scores(drawn, later, naive), by_unit(drawn, later, naive, np.arange(UNITS))
    assert [row["unit"] for row in each] == [str(unit) for unit in range(UNITS)]
    assert each[3] == {"unit": "3", "cells": 0}
    told = [row for row in each if row["cells"]]
    cells = np.array([row["cells"] for row in told])
    assert cells.sum() == whole["cells"]
    for part in ("wis", "crps", "log_score", "coverage_95"):
        assert np.average([row[part] for row in told], weights=cells) == pytest.approx(whole[part])


def test_a_year_before_is_told_where_there_was_one_and_a_forecast_is_held_against_it() -> None:
    weeks = np.datetime64("2022-01-03") + np.timedelta64(7, "D") * np.arange(60)
    values = np.arange(60.0)[:, None] * np.ones(2)
    seen = np.ones((60, 2), bool)
    seen[5, 1] = False
    asked = weeks[-1] + np.timedelta64(7, "D") * np.array([1, 52])
    found = a_year_before(Came(values, seen), weeks, asked)
    assert found.shape == (5, 2, 2)
    assert sorted(found[:, 0, 0]) == [6.0, 7.0, 8.0, 9.0, 10.0]  # week 60 less 52, and two to either side
    np.testing.assert_array_equal(np.isnan(found[:, 1, 0]), np.array([True, True, False, False, False]))  # there are no 60th and 61st
    drawn = np.random.default_rng(1).normal(8.0, 1.0, size=(300, 2, 2))
    row = compared(drawn, Came(np.full((2, 2), 8.0), np.ones((2, 2), bool)), found)
    assert row["cells"] == 2  # the other week has a neighbour that is not there


def test_pit_values_of_counts_are_spread_over_the_tenths_though_few_counts_differ() -> None:
    rng = np.random.default_rng(2)
    later = Came(rng.poisson(1.0, (50, 100)).astype(float), np.ones((50, 100), bool))
    shares = scores(rng.poisson(1.0, (400, 50, 100)), later, rng.poisson(1.0, (RECENT, 50, 100)).astype(float))["pit"]
    assert np.max(np.abs(np.array(shares) - 0.1)) < 4.0 * np.sqrt(0.09 / 5000)


def test_recent_weeks_are_the_last_published_ones() -> None:
    values = np.arange(20.0)[:, None]
    seen = np.ones((20, 1), bool)
    seen[-2:] = False
    assert recent(Came(values, seen))[:, 0].tolist() == list(np.arange(10.0, 18.0))


def test_the_weighted_interval_score_is_that_of_its_definition() -> None:
    """One cell, draws of a normal law: half the median's error and the intervals' widths and misses, weighted by half their alphas."""
    drawn = np.random.default_rng(4).standard_normal((100_000, 1, 1))
    y = 2.5
    found = scores(drawn, Came(np.full((1, 1), y), np.ones((1, 1), bool)), drawn)["wis"]
    total = 0.5 * abs(y)
    for level in (0.5, 0.8, 0.95):
        alpha = 1.0 - level
        low, high = stats.norm.ppf([alpha / 2, 1 - alpha / 2])
        total += alpha / 2 * (high - low + 2 / alpha * max(low - y, 0) + 2 / alpha * max(y - high, 0))
    assert found == pytest.approx(total / 3.5, rel=0.01)


def test_there_is_no_skill_against_a_forecast_without_error() -> None:
    rng = np.random.default_rng(6)
    level, later = came(rng)
    exact = np.broadcast_to(later.values, (RECENT, WEEKS, UNITS))
    row = scores(rng.normal(level, 4.0, size=(500, WEEKS, UNITS)), later, exact)
    assert row["naive_wis"] == 0.0
    assert row["skill"] is None
    head = {"origin": "2024-01-01", "quantity": "bread", "r_hat": 1.0, "week_ahead": 0, "naive": "recent weeks"}
    assert [check.name for check in checks_of_backtest([head | row])] == ["backtest of bread: coverage"]


def walked(rng: np.random.Generator, weeks: int) -> np.ndarray:
    """Exponential smoothing's own process: a level that takes up 0.4 of each error."""
    level, values = 200.0, []
    for error in rng.normal(0.0, 10.0, weeks):
        values.append(level + error)
        level += 0.4 * error
    return np.array(values)


def test_autoets_foretells_series_of_its_own_kind_with_honest_width() -> None:
    rng, units, ahead = np.random.default_rng(7), 60, 4
    whole = np.column_stack([walked(rng, 104 + ahead) for _ in range(units)])
    weeks = np.datetime64("2022-01-03") + np.timedelta64(7, "D") * np.arange(104 + ahead)
    drawn = autoets(Came(whole[:104], np.ones((104, units), bool)), weeks[:104], weeks[104:], seed=0)
    assert drawn.shape[1:] == (ahead, units)
    later = Came(whole[104:], np.ones((ahead, units), bool))
    row = scores(drawn, later, np.broadcast_to(recent(Came(whole[:104], np.ones((104, units), bool)))[:, None], (RECENT, ahead, units)))
    assert row["skill"] > 0.0
    # Parameters are taken for known, so that intervals may be a little narrow; errors of one series' weeks go together.
    assert 0.68 < row["coverage_80"] < 0.9


def test_autoets_takes_up_a_trend_that_the_recent_weeks_do_not_have() -> None:
    weeks = np.datetime64("2022-01-03") + np.timedelta64(7, "D") * np.arange(48)
    values = 100.0 + 5.0 * np.arange(48.0)[:, None] + np.random.default_rng(8).normal(0.0, 3.0, (48, 1))
    drawn = autoets(Came(values[:40], np.ones((40, 1), bool)), weeks[:40], weeks[40:], seed=0)
    assert np.abs(np.median(drawn, axis=0) - values[40:]).max() < 15.0


def test_a_first_week_that_is_there_in_part_does_not_widen_autoets() -> None:
    weeks = np.datetime64("2022-01-03") + np.timedelta64(7, "D") * np.arange(20)
    values = np.random.default_rng(12).normal(1000.0, 40.0, (16, 1))
    part = values.copy()
    part[0] *= 0.6
    whole, cut = (autoets(Came(v, np.ones((16, 1), bool)), weeks[:16], weeks[16:], seed=0) for v in (values, part))
    np.testing.assert_array_equal(whole, cut)


def test_a_score_that_is_no_number_is_none() -> None:
    """Of draws that are one count there is no density; what is written must be JSON."""
    ones, later = np.ones((400, 2, 3)), Came(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]]), np.ones((2, 3), bool))
    row = scores(ones, later, np.ones((RECENT, 2, 3)))
    assert row["log_score"] is None
    assert "NaN" not in json.dumps(row, allow_nan=False)
    assert row["cells"] == 6


def test_autoets_needs_an_unbroken_run_and_never_foretells_less_than_none() -> None:
    weeks = np.datetime64("2022-01-03") + np.timedelta64(7, "D") * np.arange(32)
    rng = np.random.default_rng(9)
    values = np.column_stack([rng.poisson(0.5, 30), np.full(30, 7), rng.poisson(50, 30), rng.poisson(50, 30), rng.poisson(50, 30)]).astype(
        float
    )
    seen = np.ones(values.shape, bool)
    seen[-3, 2] = False  # two weeks are left
    seen[:, 3] = False
    seen[-4:, 4] = False  # of late weeks nothing is published: the forecast goes through them
    drawn = autoets(Came(values, seen), weeks[:30], weeks[30:], seed=0)
    assert np.isnan(drawn[..., [2, 3]]).all()
    assert not np.isnan(drawn[..., [0, 1, 4]]).any()
    assert drawn[..., 0].min() == 0.0
    assert (drawn[..., 1] == 7.0).all()


def test_a_forecast_that_loses_to_autoets_is_told_so() -> None:
    rng = np.random.default_rng(10)
    level, later = came(rng)
    ours, sharp = rng.normal(level + 6.0, 4.0, size=(500, WEEKS, UNITS)), rng.normal(level, 4.0, size=(500, WEEKS, UNITS))
    row = scores(ours, later, rng.normal(level, 40.0, size=(RECENT, WEEKS, UNITS))) | {"naive": "recent weeks"}
    row |= {"autoets": {"naive": "AutoETS"} | compared(ours, later, sharp), "seasonal": {"naive": "a year before", "cells": 0}}
    head = {"origin": "2024-01-01", "quantity": "bread", "r_hat": 1.0, "week_ahead": 0}
    status = {check.name: check.status for check in checks_of_backtest([head | row])}
    assert status["backtest of bread: skill against recent weeks"] == "PASS"
    assert status["backtest of bread: skill against AutoETS"] == "FAIL"
    assert len(status) == 3
