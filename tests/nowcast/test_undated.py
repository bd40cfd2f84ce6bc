import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayestwin.nowcast.undated import allocated, undated_odds


def test_every_undated_report_goes_to_an_event_period_that_can_have_it() -> None:
    rng = np.random.default_rng(0)
    means = rng.gamma(2.0, 3.0, (500, 12, 4))
    undated = rng.poisson(6.0, 12)
    drawn = allocated(rng, means, undated)
    np.testing.assert_array_equal(drawn.sum(1), undated.sum())
    only = allocated(rng, means, np.where(np.arange(12) == 7, undated, 0))
    assert (only[:, :4] == 0).all()
    assert (only[:, 8:] == 0).all()


def test_shares_follow_the_expected_counts() -> None:
    means = np.zeros((20_000, 3, 3))
    means[:, 2, 0], means[:, 1, 1], means[:, 0, 2] = 6.0, 3.0, 1.0
    drawn = allocated(np.random.default_rng(1), means, np.array([0, 0, 10]))
    np.testing.assert_allclose(drawn.mean(0), [1.0, 3.0, 6.0], rtol=0.02)


def test_odds_are_those_of_the_counts() -> None:
    odds = undated_odds(np.random.default_rng(0), np.array([100, 150]), np.array([300, 450]), 20_000)
    assert odds.mean() == pytest.approx(1 / 3, rel=0.02)


def test_a_line_list_becomes_a_triangle_that_knows_nothing_before_its_first_report(scripts: Path) -> None:
    linelists = importlib.import_module("linelists")
    event = pd.to_datetime(pd.Series(["2022-07-01", "2022-07-04", "2022-07-04"]))
    report = pd.to_datetime(pd.Series(["2022-07-04", "2022-07-04", "2022-07-06"]))
    triangle = linelists.triangle_of(event, report, 1, 1, 4, "city")
    assert triangle.counts[0, 3, 0] == triangle.counts[3, 0, 0] == triangle.counts[3, 2, 0] == 1
    assert triangle.counts.sum() == 3
    assert triangle.seen[0, :, 0].tolist() == [False, False, False, True]
    assert triangle.seen[3].all()
