"""A search over sets of requests against looking at every one of them, on problems that were drawn at random."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayestwin.barriers import Access, Grid, Round, SiteAbsence, Suppress
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.plan import BEST_FOUND, PROVEN, choose
from bayestwin.preposterior.requests import Request, every_access, granted
from bayestwin.preposterior.search import ARRIVALS, Evaluated, search
from bayestwin.preposterior.sets import Choice, affordable, members
from bayestwin.preposterior.words import found_words

POINTS, COORDINATES = 3, 4


class Problem:
    """Requests that tell of four coordinates, each of some directions of its own; two may clash. Told together some are worth more than the sum of each."""

    def __init__(self, seed: int, count: int) -> None:
        rng = np.random.default_rng(seed)
        directions = rng.standard_normal((POINTS, count, COORDINATES, 2)) * rng.choice([0.1, 1.0, 4.0], (count, 1, 1))
        self.told = directions @ directions.swapaxes(-1, -2)
        self.slope = rng.standard_normal(COORDINATES)
        self.cost = rng.choice([1.0, 2.0, 5.0], count).tolist()
        self.clash = [0] * count
        for i, j in [rng.choice(count, 2, replace=False) for _ in range(count // 3)]:
            self.clash[i] |= 1 << int(j)
            self.clash[j] |= 1 << int(i)
        self.there = rng.random(count).tolist()
        self.budget = float(rng.uniform(0.0, 1.1 * sum(self.cost)))

    @property
    def choice(self) -> Choice:
        return Choice(self.clash, self.cost, self.budget)

    def left(self, held: int) -> np.ndarray:
        precision = np.eye(COORDINATES) + self.told[:, members(held)].sum(1)
        return (
            self.slope
            @ np.linalg.solve(precision, np.broadcast_to(self.slope[:, None], (POINTS, COORDINATES, 1)))[..., 0].T
            / (self.slope @ self.slope)
        )

    def evaluated(self) -> Evaluated:
        return Evaluated.of(self.left, len(self.cost), 1)

    def every(self) -> list[int]:
        """All sets that can be filed, by a way of its own."""
        count = len(self.cost)
        every = [held for size in range(count + 1) for held in combinations(range(count), size)]
        apart = [held for held in every if not any(self.clash[i] >> j & 1 for i in held for j in held)]
        return [sum(1 << i for i in held) for held in apart if sum(self.cost[i] for i in held) <= self.budget]


problems = st.builds(Problem, st.integers(0, 2**32), st.integers(2, 8))


@given(problems)
@settings(max_examples=150, deadline=None)
def test_a_search_that_ends_finds_the_best_set(problem: Problem) -> None:
    leaves = problem.evaluated()
    found = search(problem.choice, lambda held: float(leaves.at(held).mean()), lambda: False)
    least = min(problem.left(held).mean() for held in problem.every())
    assert found.short <= 1e-9
    assert found.ranked[0] in problem.every()
    assert problem.left(found.ranked[0]).mean() == pytest.approx(least, abs=2e-9)


@given(problems)
@settings(max_examples=60, deadline=None)
def test_by_a_date_too(problem: Problem) -> None:
    """On the same draws of what is there."""
    leaves = problem.evaluated()
    found = search(problem.choice, lambda held: float(leaves.expected(held, problem.there).mean()), lambda: False)
    least = min(leaves.expected(held, problem.there).mean() for held in problem.every())
    assert leaves.expected(found.ranked[0], problem.there).mean() == pytest.approx(least, abs=2e-9)


@given(problems, st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_a_search_that_is_stopped_tells_how_far_from_the_best_it_can_be(problem: Problem, branches: int) -> None:
    asked = iter(range(branches))
    leaves = problem.evaluated()
    found = search(problem.choice, lambda held: float(leaves.at(held).mean()), lambda: next(asked, None) is None)
    least = min(problem.left(held).mean() for held in problem.every())
    assert found.ranked[0] in problem.every()
    assert least - 1e-9 <= problem.left(found.ranked[0]).mean() <= least + found.short + 2e-9


def test_a_budget_that_pays_for_all_but_a_few_of_twenty_needs_few_sets() -> None:
    """Of a million."""
    problem = Problem(3, 20)
    problem.clash, problem.budget = [0] * 20, sum(problem.cost) - 2.0
    leaves = problem.evaluated()
    found = search(problem.choice, lambda held: float(leaves.at(held).mean()), lambda: False)
    whole = 2**20 - 1
    fewest = [whole ^ 1 << i for i in range(20)] + [
        whole ^ (1 << i | 1 << j) for i, j in combinations(range(20), 2)
    ]  # costs are one at least
    assert problem.left(found.ranked[0]).mean() <= min(problem.left(held).mean() for held in fewest if problem.choice.allows(held)) + 1e-9
    assert len(leaves.found) < 300


@given(problems)
@settings(max_examples=30, deadline=None)
def test_sets_that_can_be_filed_are_those_that_a_second_way_finds(problem: Problem) -> None:
    assert sorted(affordable(problem.choice, 1024)) == sorted(problem.every())


def test_what_is_expected_by_a_date_is_that_of_all_arrivals_within_its_error() -> None:
    """Two hundred problems: the mean over draws against the sum over every set that may be there."""
    apart = []
    for seed in range(200):
        problem = Problem(seed, 5)
        exact = 0.0
        for part in range(32):
            p = np.prod([problem.there[i] if part >> i & 1 else 1.0 - problem.there[i] for i in range(5)])
            exact += p * problem.left(part).mean()
        drawn = Evaluated.of(problem.left, 5, seed).expected(31, problem.there).mean()
        apart.append(drawn - exact)
    apart = np.array(apart)
    assert abs(apart.mean()) < 3.0 * apart.std() / np.sqrt(len(apart))
    assert apart.std() < 0.5 / np.sqrt(ARRIVALS)


def test_what_is_there_on_one_day_is_there_on_later_ones() -> None:
    problem = Problem(5, 6)
    leaves = problem.evaluated()
    dates = [leaves.expected(63, [min(1.0, p * later) for p in problem.there]).mean() for later in (0.0, 0.5, 1.0, 2.0, 1e9)]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] == pytest.approx(1.0)
    assert dates[-1] == pytest.approx(problem.left(63).mean())


def test_noise_of_simulation_makes_no_set_worse_than_its_parts() -> None:
    rng = np.random.default_rng(1)
    leaves = Evaluated.of(lambda held: rng.uniform(0.2, 1.0, 4), 6, 1)
    for held in rng.permutation(64).tolist():
        leaves.at(held)
    for held in range(64):
        assert all((leaves.at(held) <= leaves.at(held ^ 1 << i)).all() for i in members(held))


GRID = Grid({"unit": np.array(["a", "b"])})
ACCESS = Access(releases=(Suppress(below=8), Round(base=5)), absences=(SiteAbsence(dim="unit", absent=("b",)),))
SITES = {name: Site(ACCESS, GRID, lambda ends: ends, np.zeros(2, bool), joint=False) for name in ("visits", "calls")}


def request(name: str, **lift) -> Request:
    return Request.model_validate({"name": name, "cost": 1.0, "lift": [{"barrier": "suppress"} | lift]})


def test_every_access_that_a_set_gives_a_site_is_found() -> None:
    requests = [
        request("whole", streams=["visits"]),
        request("below 3", set={"below": 3}),
        request("below 5", set={"below": 5}, streams=["visits"]),
        request("rounding", barrier="round"),
        request("site", barrier="site_absence", streams=["calls"]),
    ]
    known = every_access(SITES, requests)
    for held in affordable(Choice.among(SITES, requests, None), 1024):
        for name, access in granted(SITES, [requests[i] for i in members(held)]).items():
            assert {name: access} in known
    assert len(known) < 20


def test_words_say_what_found_it_and_how_far_from_the_best() -> None:
    problem = Problem(8, 8)
    problem.clash, problem.budget = [0] * 8, 6.0
    requests = [request(str(i)) for i in range(8)]
    whole = choose(problem.choice, requests, problem.evaluated(), None)
    stopped = choose(problem.choice, requests, problem.evaluated(), None, most=0)
    assert (whole.method, whole.short) == (PROVEN, 0.0)
    assert stopped.method == BEST_FOUND
    assert stopped.short > 0.0
    said = found_words({"method": stopped.method, "short": stopped.short})
    assert f"up to {100 * stopped.short:.1f} % less of the variance cannot be ruled out" in said
    assert "cannot be ruled out" not in found_words({"method": whole.method, "short": whole.short})
