"""Which requests to file together with what there is to spend, and how wide the forecast is expected to be as they arrive.

Every set that can be granted together and paid for is looked at, so that the best is the best; where there are too many, they are searched, and how far from the best the answer
can be is told. Requests arrive independently of one another; until one is there it tells nothing, so that the variance expected at a date is the mean over which of the set are there by then.

More data never raise an expected variance, since whoever has them could leave them aside. Simulated information may break this by its noise; a set is therefore
taken for no worse than any part of it.

Source: Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, §5; for sets of sources under a budget: Krause & Guestrin (2005), Proceedings of UAI 21.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayestwin.errors import Fault, RequestError
from bayestwin.preposterior.requests import Request
from bayestwin.preposterior.rows import DATES as LATER
from bayestwin.preposterior.rows import METHOD as APPROXIMATION
from bayestwin.preposterior.rows import with_error
from bayestwin.preposterior.search import Evaluated, search
from bayestwin.preposterior.sets import TIE, Choice, Leaves, Sets, Shares, members

if TYPE_CHECKING:
    from bayestwin.preposterior.value import Answers

MOST_SETS = 1024  # that are looked at, all or by a search; each takes a factorisation of the posterior's precision at every point
DATES = (0, *LATER)  # days from now
ALTERNATIVES = 4  # sets that are shown beside the best
WIDE = 2.0 * 1.96  # width of a 95 % interval, in standard deviations of a normal law
EVERY = "every affordable set that can be granted together was looked at"
PROVEN = "branch and bound over the sets that can be granted together and paid for, which proved that none leaves less"
BEST_FOUND = "branch and bound over the sets that can be granted together and paid for, stopped before it had looked at all branches"


class Chosen(NamedTuple):
    """Sets of requests from the best on.

    Attributes:
        ranked: sets.
        short: share of the variance by which the best set that there is could leave less than the first.
        looked: sets that were evaluated.
        method: how they were found.
    """

    ranked: list[int]
    short: float
    looked: int
    method: str


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


def choose(choice: Choice, requests: Sequence[Request], leaves: Sets | Evaluated, by: float | None, most: int = MOST_SETS) -> Chosen:
    """Sets of requests from the best on: of those that leave the same, the cheaper and then the smaller first.

    Args:
        choice: what may be filed together.
        requests: what is asked for.
        leaves: what sets leave; all that can be filed are looked at where it is `Sets`, and there is a search otherwise.
        by: days from now; once everything is there if None.
        most: sets after which a search stops.
    """
    there = None if by is None else [request.there_by(by) for request in requests]

    def left(held: int) -> float:
        return float((leaves.at(held) if there is None else leaves.expected(held, there)).mean())

    if isinstance(leaves, Sets):
        ranked = sorted(leaves.place, key=lambda one: (round(left(one), 9), choice.spent(one), one.bit_count()))
        return Chosen(ranked, 0.0, len(ranked), EVERY)
    ranked, short = search(choice, left, lambda: len(leaves.found) >= most)
    proven = short <= TIE
    method = (PROVEN if proven else BEST_FOUND) + ("" if there is None else f"; what is there by then in {len(leaves.late)} draws")
    return Chosen(ranked, 0.0 if proven else short, len(leaves.found), method)


def planned(found: Answers, requests: Sequence[Request], goal: Goal, choice: Choice, leaves: Sets | Evaluated) -> dict[str, Any]:
    """The best set of requests, the next ones, and the forecast's expected width by date.

    Args:
        found: the quantities.
        requests: what is asked for.
        goal: what to plan for.
        choice: what may be filed together.
        leaves: what sets leave of the primary quantity.
    """
    chosen = choose(choice, requests, leaves, goal.by)
    shown = chosen.ranked[: ALTERNATIVES + 1]
    rows = [_set(found, requests, leaves, one, goal.by) for one in shown]
    dates = [_at_date(found, requests, leaves, shown[0], days) for days in goal.dates]
    asked = found.asked[found.primary]
    return {
        "budget": goal.budget,
        "by_days": goal.by,
        "quantity": asked.name,
        "level": asked.level,
        "sets": chosen.looked,
        "short": chosen.short,
        "best": rows[0] | {"by_date": dates},
        "others": [row | _behind(requests, leaves, shown[0], one, goal.by) for row, one in zip(rows[1:], shown[1:], strict=True)],
        "steps": _steps(found, requests, choice, leaves),
        "method": f"{APPROXIMATION}; {chosen.method}",
    }


def _steps(found: Answers, requests: Sequence[Request], choice: Choice, leaves: Leaves) -> list[dict[str, Any]]:
    """What is left after each request, if all before it are granted, too; in the order of their value for their cost (of their value, where one has none)."""
    priced = all(request.cost is not None for request in requests)
    value = {i: float(1.0 - leaves.at(1 << i).mean()) / (choice.cost[i] if priced else 1.0) for i in choice.rest(0, range(len(requests)))}
    rows, before = [], 0
    for held in choice.filled(sorted(value, key=lambda i: -value[i])):
        whole = _set(found, requests, leaves, held, None)
        part = {key: whole[key] for key in ("share", "share_error", "sd_now", "sd_after")}
        rows.append({"request": requests[(held ^ before).bit_length() - 1].name, "spent": whole["cost"], **part})
        before = held
    return rows


def _set(found: Answers, requests: Sequence[Request], leaves: Leaves, held: int, by: float | None) -> dict[str, Any]:
    chosen = [requests[i] for i in members(held)]
    share, error = _mean(1.0 - leaves.at(held))
    now = found.epistemic[found.primary]
    costs = [request.cost for request in chosen if request.cost is not None]
    cost = float(sum(costs)) if len(costs) == len(chosen) else None
    row = {"requests": [request.name for request in chosen], "cost": cost, "share": share, "share_error": error}
    row |= {"sd_now": float(np.sqrt(now)), "sd_after": float(np.sqrt(now * max(1.0 - share, 0.0)))}
    row["width_now"] = float(WIDE * np.sqrt(found.aleatoric[found.primary] + now))
    return row if by is None else row | {"sd_by_date": _at_date(found, requests, leaves, held, by)["sd"]}


def _at_date(found: Answers, requests: Sequence[Request], leaves: Leaves, held: int, days: float) -> dict[str, float]:
    there = [request.there_by(days) for request in requests]
    chance, now = found.aleatoric[found.primary], found.epistemic[found.primary]
    share, share_error = _mean(1.0 - leaves.expected(held, there))
    width, width_error = _mean(leaves.expected(held, there, lambda left: WIDE * np.sqrt(chance + now * np.maximum(left, 0.0))))
    chosen = members(held)
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


def _behind(requests: Sequence[Request], leaves: Leaves, best: int, other: int, by: float | None) -> dict[str, float]:
    """By how much of the variance one set is worse than the best, at the date that is planned for; both met the same data."""
    there = [1.0 if by is None else request.there_by(by) for request in requests]
    behind, error = _mean(leaves.expected(other, there) - leaves.expected(best, there))
    return {"behind": behind, "behind_error": error}


def _mean(each: Shares) -> tuple[float, float]:
    """Mean over the points, and its standard error, as plain numbers."""
    mean, error = with_error(each)
    return float(mean), float(error)
