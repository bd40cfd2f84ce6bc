"""Nowcasts of a calibration: what is to come follows its law given what is reported, and is scored against the chain ladder on what came."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from bakery_study import SHOPS, write_bakery

import bayestwin as bt
from bayestwin.credibility.backtest import _all_reported, backtest, checks_of_backtest
from bayestwin.credibility.nowcasts import NAIVE, triangles
from bayestwin.laws.triangle import Triangle, to_come
from bayestwin.laws.widths import Widths
from bayestwin.prepared import prepare

WEEKS, DELAYS = 26, (0.5, 0.25, 0.15, 0.1)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> bt.Study:
    """Twenty-six weeks of loaves, reported up to three weeks late."""
    folder = write_bakery(tmp_path_factory.mktemp("reports") / "study")
    rng = np.random.default_rng(5)
    weeks = pd.date_range(end="2024-03-25", periods=WEEKS, freq="7D")
    rows = []
    for shop, mean in zip(SHOPS, (30, 80, 50, 40), strict=True):
        for week in weeks:
            each = rng.multinomial(rng.negative_binomial(30, 30 / (30 + mean)), DELAYS)
            rows += [(shop, week.date(), (week + pd.Timedelta(weeks=d)).date(), n) for d, n in enumerate(each)]
    pd.DataFrame(rows, columns=["shop", "week", "told", "loaves"]).to_csv(folder / "bread.csv", index=False)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace('/bakery"', '/bakery_reports"')
    text = text.replace(
        'event = "week", value = "loaves" }', 'event = "week", report = "told", value = "loaves" }\nreports = "add"\nmax_delay = 3'
    )
    barrier = text.index("[[extract.barriers]]")
    (folder / "study.toml").write_text(text[:barrier] + '[[extract.barriers]]\nkind = "delay"\nmaximum = 3\n', encoding="utf-8")
    return bt.read_study(folder)


@pytest.fixture(scope="module")
def rows(study: bt.Study) -> list:
    pieces = backtest(study, 4, bt.Sampling(chains=2, draws=300, warmup=200))
    return [row for piece in pieces for row in piece.work(watch=lambda progress: None)]


def test_the_last_weeks_of_a_triangle_are_known_in_part(study: bt.Study) -> None:
    (reported,) = triangles(prepare(study)).values()
    assert reported.counts.shape == (WEEKS, len(SHOPS), 4)
    assert reported.there.sum((1, 2))[-4:].tolist() == [16, 12, 8, 4]


def test_weeks_of_which_no_report_is_to_come_are_told_from_the_others(study: bt.Study) -> None:
    assert _all_reported(prepare(study)).tolist() == [True] * (WEEKS - 3) + [False] * 3


def test_nowcasts_of_the_right_model_hold_what_came_and_beat_the_chain_ladder(rows: list) -> None:
    nowcasts = [row for row in rows if "stream" in row]
    whole = [row for row in nowcasts if row["periods_back"] == 0]
    assert [row["cells"] for row in whole] == [12] * 4  # three weeks of four shops at each date
    by_back = {back: sum(row["cells"] for row in nowcasts if row["periods_back"] == back) for back in range(1, 5)}
    assert by_back == {1: 16, 2: 16, 3: 16, 4: 0}
    held = np.mean([row["coverage_80"] for row in whole])
    assert held > 0.8 - 3.0 * np.sqrt(0.16 / 48)
    widths = [row["wis"] for row in nowcasts if row["periods_back"] in (1, 3)]
    assert widths[0] > widths[1]  # of the last week least is reported
    assert {row["naive"] for row in whole} == {NAIVE}
    assert np.mean([row["wis"] for row in whole]) < np.mean([row["naive_wis"] for row in whole])
    names = [check.name for check in checks_of_backtest(rows)]
    assert f"backtest of bread, nowcast: skill against {NAIVE}" in names
    assert "backtest of bread, nowcast: coverage" in names


def test_forecasts_of_the_same_dates_are_scored_beside_them(rows: list) -> None:
    forecasts = [row for row in rows if row.get("week_ahead") == 0]
    assert {row["quantity"] for row in forecasts} == {"loaves"}
    assert all(row["autoets"]["naive"] == "AutoETS" for row in forecasts)
    assert [row["autoets"]["cells"] for row in forecasts] == [row["cells"] for row in forecasts]
    assert all(row["cells"] > 0 for row in forecasts)


def test_what_is_to_come_has_the_law_that_the_triangle_gives_it() -> None:
    mean, k, p = 12.0, 3.0, np.array([0.5, 0.3, 0.2])
    law = Triangle(jnp.asarray(mean), jnp.asarray(k), jnp.asarray(p))
    reported, size = 9.0, 40_000
    there = np.array([True, False, False])
    drawn = to_come(np.random.default_rng(1), np.full((size, 3), mean * p), np.full(size, k), np.full(size, reported), there)
    share = np.bincount(drawn.astype(int), minlength=120)[:120] / size
    first, second = np.indices((60, 60)).astype(float)
    cells = jnp.stack([jnp.full(first.shape, reported), first, second], axis=-1)
    so_far = (jnp.array([reported, low, low]) for low in (-np.inf, np.inf))
    mass = np.exp(law.log_mass(cells, cells, Widths()) - law.log_mass(*so_far, Widths()))
    total = np.bincount((first + second).astype(int).ravel(), mass.ravel(), minlength=120)[:120]
    assert total.sum() == pytest.approx(1.0, abs=1e-4)
    assert np.max(np.abs(share - total) / np.sqrt(np.maximum(total, 1e-4) / size)) < 5.0


@pytest.mark.parametrize("there", [[True, True, False], [False, True, False], [True, False, True]])
def test_any_part_of_a_triangle_may_be_there(there: list[bool]) -> None:
    """Means of what is to come given reports of which delays there are: k + reported over k + their mean, times what is left."""
    cells, k, seen = np.array([6.0, 3.0, 2.0]), 4.0, np.array(there)
    drawn = to_come(np.random.default_rng(3), np.tile(cells, (40_000, 1)), np.full(40_000, k), np.full(40_000, 10.0), seen)
    expected = cells[~seen].sum() * (k + 10.0) / (k + cells[seen].sum())
    assert drawn.mean() == pytest.approx(expected, abs=5.0 * drawn.std() / 200.0)


def test_poisson_counts_to_come_do_not_depend_on_what_is_reported() -> None:
    rng, there = np.random.default_rng(2), np.array([True, False])
    for reported in (0.0, 100.0):
        drawn = to_come(rng, np.full((20_000, 2), 7.0), None, np.full(20_000, reported), there)
        assert drawn.mean() == pytest.approx(7.0, abs=5.0 * np.sqrt(7.0 / 20_000))
