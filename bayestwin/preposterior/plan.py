"""Which requests to file together with what there is to spend, and how wide the forecast is expected to be as they arrive.

Every set that can be granted together and paid for is looked at, so that the best is the best. Requests arrive independently of one another; until one is there
it tells nothing, so that the variance expected at a date is the mean over which of the set are there by then.

More data never raise an expected variance, since whoever has them could leave them aside. Simulated information may break this by its noise; a set is therefore
taken for no worse than any part of it.

Source: Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, §5; for sets of sources under a budget: Krause & Guestrin (2005), Proceedings of UAI 21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bayestwin.errors import Fault, RequestError
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.requests import Request, apart
from bayestwin.preposterior.rows import DATES as LATER
from bayestwin.preposterior.rows import METHOD as APPROXIMATION
from bayestwin.preposterior.rows import with_error

if TYPE_CHECKING:
    from bayestwin.preposterior.value import Answers

MOST_SETS = 1024  # of ten requests; each takes a factorisation of the posterior's precision at every point
DATES = (0, *LATER)  # days from now
ALTERNATIVES = 4  # sets that are shown beside the best
WIDE = 2.0 * 1.96  # width of a 95 % interval, in standard deviations of a normal law
METHOD = f"{APPROXIMATION}; every affordable set that can be granted together"


@dataclass(frozen=True)
class Goal:
    """What a plan is for.

    Attributes:
        budget: the most that requests may cost together, in the unit of their costs; any cost if None.
        by: days from now at which the forecast is to be as narrow as can be expected; once everything is there if None.
    """

    budget: float | None = None
    by: float | None = None

    @property
    def asked(self) -> bool:
        """Whether anything is to be planned for."""
        return self.budget is not None or self.by is not None

    @property
    def dates(self) -> list[float]:
        """Days from now that are answered for."""
        return sorted({*DATES, *([] if self.by is None else [self.by])})


def need_goal(goal: Goal, requests: Sequence[Request], path: str | Path | None) -> None:
    """Refuse a goal that cannot be planned for.

    Args:
        goal: what to plan for.
        requests: what is asked for.
        path: their file, if there is one.

    Raises:
        RequestError: with every fault: a budget or date that is no number or below zero, and requests without a cost where there is a budget.
    """
    faults = [
        Fault(f"--{name}", "cannot be", value=f"{value:g}", expected="a number, zero or more")
        for name, value in (("budget", goal.budget), ("by", goal.by))
        if value is not None and not (isfinite(value) and value >= 0.0)
    ]
    if goal.budget is not None:
        file, remedy = (
            (str(path), "say what it costs") if path is not None else ("--budget", "give a file of requests with costs (--requests)")
        )
        faults += [
            Fault(file, "has no cost, and there is a budget", f"request.{i}.cost", value=request.name, remedy=remedy)
            for i, request in enumerate(requests)
            if request.cost is None
        ]
    if faults:
        raise RequestError(faults)


def affordable(sites: Mapping[str, Site], requests: Sequence[Request], budget: float | None, most: int = MOST_SETS) -> list[int] | None:
    """Sets of requests that can be granted together and paid for; every part of one of them is one, too.

    Args:
        sites: the study's streams as they are.
        requests: what is asked for.
        budget: the most that a set may cost; any if None.
        most: sets.

    Returns:
        Sets, the empty one first; request i is in a set where its bit i is set. None where there are more than `most`.
    """
    clash = [
        sum(1 << j for j in range(len(requests)) if j != i and not apart(sites, [requests[i], requests[j]])) for i in range(len(requests))
    ]
    # Costs are added up in the order of the requests, and a sum of decimals may lie a rounding error beyond the budget that it equals.
    limit = np.inf if budget is None else budget * (1.0 + 1e-9)
    found = [(0, 0.0)]
    for i, request in enumerate(requests):
        more = 0.0 if budget is None or request.cost is None else request.cost
        found += [(held | 1 << i, spent + more) for held, spent in found if not held & clash[i] and spent + more <= limit]
        if len(found) > most:
            return None
    return [held for held, _ in found]


def members(held: int) -> list[int]:
    """Indices of the requests of a set.

    Example:
        >>> members(0b101)
        [0, 2]
    """
    return [i for i in range(held.bit_length()) if held >> i & 1]


@dataclass(frozen=True)
class Sets:
    """What sets of requests are expected to leave of a quantity's variance.

    Attributes:
        held: sets, by bits, every part of each of them included.
        left: share of the variance, by set, at each point, (point, set).
    """

    held: list[int]
    left: Float[np.ndarray, "point set"]

    @classmethod
    def of(cls, held: list[int], left: Float[np.ndarray, "point set"]) -> Sets:
        """Sets, each taken for no worse than its parts.

        Args:
            held: sets, every part of each before it.
            left: shares as they were simulated.
        """
        left, place = left.copy(), {one: n for n, one in enumerate(held)}
        for n, one in enumerate(held):
            for i in members(one):
                left[:, n] = np.minimum(left[:, n], left[:, place[one ^ 1 << i]])
        return cls(held, left)

    def at(self, held: int) -> Float[np.ndarray, " point"]:
        """Share that one set leaves."""
        return self.left[:, self.held.index(held)]

    def expected(self, there: Sequence[float], values: Float[np.ndarray, "point set"]) -> Float[np.ndarray, "point set"]:
        """Mean of what depends on the requests that are there, if each of a set is with its own probability.

        Args:
            there: probability of each request.
            values: if all of a set are there, and nothing else.
        """
        values, place = values.copy(), {one: n for n, one in enumerate(self.held)}
        for i, p in enumerate(there):
            having = [n for n, one in enumerate(self.held) if one >> i & 1]
            without = [place[self.held[n] ^ 1 << i] for n in having]
            values[:, having] = p * values[:, having] + (1.0 - p) * values[:, without]
        return values


def best_first(sets: Sets, requests: Sequence[Request], by: float | None) -> list[int]:
    """Places of sets, from the least expected variance on; of those that leave the same, the cheaper and then the smaller first.

    Args:
        sets: sets of requests.
        requests: what is asked for.
        by: days from now; once everything is there if None.
    """
    left = sets.left if by is None else sets.expected([request.there_by(by) for request in requests], sets.left)
    cost = [sum(requests[i].cost or 0.0 for i in members(one)) for one in sets.held]
    size = [one.bit_count() for one in sets.held]
    return [int(n) for n in np.lexsort((np.array(size), np.array(cost), left.mean(0).round(9)))]


def planned(found: Answers, requests: Sequence[Request], goal: Goal, sets: Sets) -> dict[str, Any]:
    """The best set of requests, the next ones, and the forecast's expected width by date.

    Args:
        found: the quantities.
        requests: what is asked for.
        goal: what to plan for.
        sets: what can be paid for, and what it leaves of the primary quantity.
    """
    ranked = best_first(sets, requests, goal.by)
    best, rows = ranked[0], [_set(found, requests, sets, n, goal.by) for n in ranked[: ALTERNATIVES + 1]]
    dates = [_at_date(found, requests, sets, best, days) for days in goal.dates]
    asked = found.asked[found.primary]
    return {
        "budget": goal.budget,
        "by_days": goal.by,
        "quantity": asked.name,
        "level": asked.level,
        "sets": len(sets.held),
        "best": rows[0] | {"by_date": dates},
        "others": [row | _behind(sets, requests, best, n, goal.by) for row, n in zip(rows[1:], ranked[1:], strict=False)],
        "steps": _steps(found, requests, sets),
        "method": METHOD,
    }


def one_by_one(sets: Sets, requests: Sequence[Request]) -> list[int]:
    """Requests in the order of their value for their cost (of their value, where one has none), those left out that cannot be filed with what is before.

    Args:
        sets: sets of requests that can be filed.
        requests: what is asked for.
    """
    priced = all(request.cost is not None for request in requests)
    single = [i for i in range(len(requests)) if 1 << i in sets.held]
    value = {i: float(1.0 - sets.at(1 << i).mean()) / (requests[i].cost or 1.0 if priced else 1.0) for i in single}
    filed: list[int] = []
    for i in sorted(single, key=lambda i: -value[i]):
        if sum(1 << j for j in [*filed, i]) in sets.held:
            filed.append(i)
    return filed


def _steps(found: Answers, requests: Sequence[Request], sets: Sets) -> list[dict[str, Any]]:
    """What is left after each request, if all before it are granted, too."""
    filed, rows = one_by_one(sets, requests), []
    for n, i in enumerate(filed):
        whole = _set(found, requests, sets, sets.held.index(sum(1 << j for j in filed[: n + 1])), None)
        part = {key: whole[key] for key in ("share", "share_error", "sd_now", "sd_after")}
        rows.append({"request": requests[i].name, "spent": whole["cost"], **part})
    return rows


def _set(found: Answers, requests: Sequence[Request], sets: Sets, n: int, by: float | None) -> dict[str, Any]:
    chosen = [requests[i] for i in members(sets.held[n])]
    share, error = _mean(1.0 - sets.left[:, n])
    now = found.epistemic[found.primary]
    costs = [request.cost for request in chosen if request.cost is not None]
    cost = float(sum(costs)) if len(costs) == len(chosen) else None
    row = {"requests": [request.name for request in chosen], "cost": cost, "share": share, "share_error": error}
    row |= {"sd_now": float(np.sqrt(now)), "sd_after": float(np.sqrt(now * max(1.0 - share, 0.0)))}
    row["width_now"] = float(WIDE * np.sqrt(found.aleatoric[found.primary] + now))
    return row if by is None else row | {"sd_by_date": _at_date(found, requests, sets, n, by)["sd"]}


def _at_date(found: Answers, requests: Sequence[Request], sets: Sets, n: int, days: float) -> dict[str, float]:
    there = [request.there_by(days) for request in requests]
    chance, now = found.aleatoric[found.primary], found.epistemic[found.primary]
    share, share_error = _mean(1.0 - sets.expected(there, sets.left)[:, n])
    width, width_error = _mean(sets.expected(there, WIDE * np.sqrt(chance + now * np.maximum(sets.left, 0.0)))[:, n])
    chosen = members(sets.held[n])
    return {
        "days": days,
        "arrived": float(sum(there[i] for i in chosen)),
        "all_there": float(np.prod([there[i] for i in chosen])),
        "share": share,
        "share_error": share_error,
        "sd": float(np.sqrt(now * max(1.0 - share, 0.0))),
        "width": width,
        "width_error": width_error,
    }


def _behind(sets: Sets, requests: Sequence[Request], best: int, other: int, by: float | None) -> dict[str, float]:
    """By how much of the variance one set is worse than the best, at the date that is planned for; both met the same data."""
    left = sets.left if by is None else sets.expected([request.there_by(by) for request in requests], sets.left)
    behind, error = _mean(left[:, other] - left[:, best])
    return {"behind": behind, "behind_error": error}


def _mean(each: Float[np.ndarray, " point"]) -> tuple[float, float]:
    """Mean over the points, and its standard error, as plain numbers."""
    mean, error = with_error(each)
    return float(mean), float(error)
