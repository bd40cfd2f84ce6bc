"""Plans of requests: the best set by looking at all, what must hold whatever is asked for, and closed forms of what is expected by date."""

import re
from itertools import chain, combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayestwin.barriers import Access, Grid, Round, SiteAbsence, Suppress
from bayestwin.errors import RequestError
from bayestwin.preposterior.application import application
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.plan import DATES, MOST_SETS, WIDE, Goal, choose, need_goal, planned
from bayestwin.preposterior.quantities import Asked
from bayestwin.preposterior.requests import Request
from bayestwin.preposterior.sets import Choice, Sets, affordable, members
from bayestwin.report.plan import plan_shown

GRID = Grid({"unit": np.array(["a", "b"])})
ACCESS = Access(releases=(Suppress(below=8), Round(base=5)), absences=(SiteAbsence(dim="unit", absent=("b",)),))
SITES = {"visits": Site(ACCESS, GRID, lambda ends: ends, np.zeros(2, bool), joint=False)}


def request(name: str, cost: float | None = 1.0, days: tuple[float, float] | None = None, **lift) -> Request:
    arrives = None if days is None else {"median_days": days[0], "p90_days": days[1]}
    return Request.model_validate({"name": name, "cost": cost, "arrives": arrives, "lift": [{"barrier": "suppress"} | lift]})


def answers(aleatoric: float = 1.0, epistemic: float = 4.0) -> SimpleNamespace:
    asked = (Asked("loaves", "town", "all"),)
    return SimpleNamespace(asked=asked, primary=0, aleatoric=np.array([aleatoric]), epistemic=np.array([epistemic]))


def sets_of(requests: list[Request], budget: float | None = None) -> list[int] | None:
    return affordable(Choice.among(SITES, requests, budget), MOST_SETS)


def plan_of(requests: list[Request], goal: Goal, sets: Sets, aleatoric: float = 1.0, epistemic: float = 4.0) -> dict:
    return planned(answers(aleatoric, epistemic), requests, goal, Choice.among(SITES, requests, goal.budget), sets)


@st.composite
def precisions(draw) -> tuple[list[Request], Sets, np.ndarray]:
    """Requests that add precision to a scalar, with costs and arrivals, and what every set leaves at three points."""
    count = draw(st.integers(1, 5))
    number = st.floats(0.1, 10.0)
    told = np.array(draw(st.lists(st.lists(number, min_size=count, max_size=count), min_size=3, max_size=3)))
    requests = [
        request(f"r{i}", draw(number), draw(st.one_of(st.none(), st.floats(1.0, 300.0).map(lambda d: (d, 2.0 * d))))) for i in range(count)
    ]
    held = sets_of(requests, None)
    left = np.stack([1.0 / (1.0 + told[:, members(one)].sum(1)) for one in held], axis=1)
    return requests, Sets.of(held, left), told


def test_sets_are_those_that_can_be_paid_for_and_granted_together() -> None:
    requests = [
        request("whole", 3.0),
        request("below 3", 1.0, set={"below": 3}),
        request("below 5", 1.0, set={"below": 5}),
        request("site", 2.0, barrier="site_absence"),
    ]
    each = [set(members(one)) for one in sets_of(requests, None)]
    every = list(map(set, chain.from_iterable(combinations(range(4), size) for size in range(5))))
    assert sorted(map(sorted, each)) == sorted(sorted(s) for s in every if not {1, 2} <= s)
    paid = [set(members(one)) for one in sets_of(requests, 3.0)]
    assert sorted(map(sorted, paid)) == [[], [0], [1], [1, 3], [2], [2, 3], [3]]


def test_a_budget_is_met_by_costs_that_add_up_to_it() -> None:
    requests = [request(str(i), 0.1) for i in range(3)]
    assert 0.1 + 0.1 + 0.1 > 0.3
    assert 0b111 in sets_of(requests, 0.3)


def test_too_many_sets_are_none_unless_the_budget_is_small() -> None:
    requests = [request(str(i), 1.0) for i in range(30)]
    assert sets_of(requests, None) is None
    assert len(sets_of(requests, 2.0)) == 1 + 30 + 30 * 29 // 2


@given(precisions(), st.floats(0.0, 30.0), st.one_of(st.none(), st.floats(0.0, 400.0)))
@settings(max_examples=60, deadline=None)
def test_the_best_set_is_the_best_of_all(case, budget: float, by: float | None) -> None:
    """A second way: every set by itself, every part of it that may have arrived, with its own probability."""
    requests, _, told = case

    def expected(chosen: tuple[int, ...]) -> float:
        total = 0.0
        for size in range(len(chosen) + 1):
            for arrived in combinations(chosen, size):
                there = [1.0 if by is None else requests[i].there_by(by) for i in chosen]
                p = np.prod([t if i in arrived else 1.0 - t for i, t in zip(chosen, there, strict=True)])
                total += p * np.mean(1.0 / (1.0 + told[:, list(arrived)].sum(1)))
        return float(total)

    every = chain.from_iterable(combinations(range(len(requests)), size) for size in range(len(requests) + 1))
    least = min(expected(chosen) for chosen in every if sum(requests[i].cost for i in chosen) <= budget)
    held = sets_of(requests, budget)
    sets = Sets.of(held, np.stack([1.0 / (1.0 + told[:, members(one)].sum(1)) for one in held], axis=1))
    best = choose(Choice.among(SITES, requests, budget), requests, sets, by).ranked[0]
    assert expected(tuple(members(best))) == pytest.approx(least, abs=1e-8)
    assert sum(requests[i].cost for i in members(best)) <= budget + 1e-6


@given(precisions(), st.floats(0.0, 30.0), st.floats(0.0, 30.0), st.one_of(st.none(), st.floats(0.0, 400.0)))
@settings(max_examples=40, deadline=None)
def test_a_bigger_budget_is_never_worse(case, one: float, other: float, by: float | None) -> None:
    requests, whole, _ = case
    found = []
    for budget in (min(one, other), max(one, other)):
        held = sets_of(requests, budget)
        sets = Sets.of(held, np.stack([whole.at(h) for h in held], axis=1))
        best = choose(Choice.among(SITES, requests, budget), requests, sets, by).ranked[0]
        found.append(sets.expected(best, [1.0 if by is None else r.there_by(by) for r in requests]).mean())
    assert found[1] <= found[0] + 1e-8


@given(precisions())
@settings(max_examples=30, deadline=None)
def test_what_is_expected_never_rises_with_the_date_and_ends_where_all_is_there(case) -> None:
    requests, sets, _ = case
    plan = plan_of(requests, Goal(), sets)
    assert [row["days"] for row in plan["best"]["by_date"]] == list(DATES)
    for key in ("sd", "width"):
        values = [row[key] for row in plan["best"]["by_date"]]
        assert all(late <= early + 1e-12 for early, late in pairwise(values))
    at_once = [r.model_copy(update={"arrives": None}) for r in requests]
    for row in plan_of(at_once, Goal(), sets)["best"]["by_date"]:
        assert row["sd"] == pytest.approx(plan["best"]["sd_after"])
        assert row["all_there"] == 1.0


def test_noise_of_simulation_makes_no_set_worse_than_its_parts() -> None:
    rng = np.random.default_rng(1)
    held = sets_of([request(str(i)) for i in range(6)], None)
    sets = Sets.of(held, rng.uniform(0.2, 1.0, (4, len(held))))
    for one in held:
        for i in members(one):
            assert (sets.at(one) <= sets.at(one ^ 1 << i)).all()


def test_one_request_half_there_leaves_the_mean_of_both() -> None:
    """Half as likely there as not after its median: the mean variance, and the mean width, of with and without."""
    requests = [request("a", 2.0, (30.0, 90.0))]
    sets = Sets.of([0, 1], np.array([[1.0, 0.25], [1.0, 0.25]]))
    row = next(row for row in plan_of(requests, Goal(None, 30.0), sets)["best"]["by_date"] if row["days"] == 30)
    assert row["arrived"] == row["all_there"] == pytest.approx(0.5)
    assert row["sd"] == pytest.approx(np.sqrt(4.0 * (1.0 + 0.25) / 2.0))
    assert row["width"] == pytest.approx(WIDE * (np.sqrt(1.0 + 4.0) + np.sqrt(1.0 + 1.0)) / 2.0)
    assert row["share_error"] == 0.0


def test_a_date_may_turn_the_choice() -> None:
    """What tells more comes late: it is best in the end, and what is there at once is best for next month."""
    requests = [request("much, late", 1.0, (200.0, 400.0)), request("less, now", 1.0)]
    sets = Sets.of([0, 1, 2], np.array([[1.0, 0.2, 0.5]] * 2))
    best = [plan_of(requests, Goal(1.0, by), sets)["best"]["requests"] for by in (None, 30.0)]
    assert best == [["much, late"], ["less, now"]]


def test_of_sets_that_leave_the_same_the_cheaper_is_filed() -> None:
    requests = [request("dear", 5.0), request("cheap", 1.0)]
    sets = Sets.of([0, 1, 2, 3], np.array([[1.0, 0.5, 0.5, 0.5]] * 2))
    plan = plan_of(requests, Goal(), sets)
    assert plan["best"]["requests"] == ["cheap"]
    assert plan["others"][0]["behind"] == pytest.approx(0.0)


def test_steps_go_by_value_for_cost_within_the_budget() -> None:
    requests = [request("a", 4.0), request("b", 1.0), request("c", 3.0)]
    held = sets_of(requests, 5.0)
    left = {0: 1.0, 0b001: 0.4, 0b010: 0.8, 0b100: 0.7, 0b011: 0.3, 0b110: 0.5}
    sets = Sets.of(held, np.array([[left[one] for one in held]] * 2))
    steps = plan_of(requests, Goal(5.0), sets)["steps"]
    assert [(row["request"], row["spent"], pytest.approx(row["share"])) for row in steps] == [("b", 1.0, 0.2), ("a", 5.0, 0.7)]


def test_nothing_is_filed_with_nothing_to_spend() -> None:
    requests = [request("a", 4.0)]
    held = sets_of(requests, 0.0)
    plan = plan_of(requests, Goal(0.0), Sets.of(held, np.ones((2, 1))))
    assert plan["best"]["requests"] == plan["steps"] == plan["others"] == []
    assert {row["sd"] for row in plan["best"]["by_date"]} == {2.0}


def test_requests_without_a_cost_are_all_told_where_there_is_a_budget() -> None:
    requests = [request("a", None), request("b", 1.0), request("c", None)]
    need_goal(Goal(None, 30.0), requests, "requests.toml")
    with pytest.raises(RequestError) as caught:
        need_goal(Goal(-1.0, float("nan")), requests, "requests.toml")
    assert [(f.file, f.column, f.value) for f in caught.value.faults if f.column] == [
        ("requests.toml", "request.0.cost", "a"),
        ("requests.toml", "request.2.cost", "c"),
    ]
    assert [f.file for f in caught.value.faults if not f.column] == ["--budget", "--by"]


def test_the_table_for_an_application_can_be_pasted() -> None:
    requests = [request("small | hidden", 2.0, (30.0, 90.0))]
    plan = plan_of(requests, Goal(5.0), Sets.of([0, 1], np.array([[1.0, 0.25], [1.0, 0.25]])))
    dates = [{"days": 90, "there": 0.9}]
    answer = {
        "plan": plan,
        "as_of": "2024-03-31",
        "horizon_weeks": 3,
        "requests": [{"request": "small | hidden", "cost": 2.0, "share": 0.75, "share_error": 0.01, "by_date": dates}],
    }
    text = application(answer)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [5, 5, 5] + [6] * (2 + len(DATES))
    assert "| small \\| hidden | 2    | 90%" in text
    assert "within a budget of 5" in text


def test_the_figure_says_each_width_and_that_its_axis_does_not_begin_at_zero() -> None:
    """A share of the width that from zero on could not be seen."""
    requests = [request("a", 2.0, (30.0, 90.0))]
    plan = plan_of(requests, Goal(5.0), Sets.of([0, 1], np.array([[1.0, 0.98], [1.0, 0.98]])), 96.0, 4.0)
    first = {"aleatoric": 96.0, "epistemic_full": 3.9}
    shown = plan_shown({"plan": plan}, first, SimpleNamespace(words=lambda name: name))
    assert shown.figure.svg.count("narrower") == len(DATES)
    assert "does not begin at zero" in shown.figure.caption
    assert "not from zero" in shown.figure.svg
    assert "with full access" in shown.figure.alt
    ticks = [float(label) for label in re.findall(r">(3[0-9]\.[0-9]+)</text>", shown.figure.svg)]
    assert len(ticks) >= 3
    assert max(ticks) - min(ticks) < 1.0
