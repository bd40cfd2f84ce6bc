"""Which requests to file together, as the report and the page on access show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bayestwin.numbers import number, one_digit
from bayestwin.preposterior.plan import WIDE
from bayestwin.preposterior.words import goal_words, set_words
from bayestwin.report.figures import BLUE, GREY, INK, ORANGE, Picture, capital, picture
from bayestwin.twin.answered import Answered


@dataclass(frozen=True)
class PlanShown:
    """What the report says about a plan of requests.

    Attributes:
        sentence: the plan in one sentence.
        count: requests in the best set.
        by: days from now that it is planned for, if any.
        dates: expected widths by date, with the part by which the forecast is `narrower` than now; none where all is there at once.
        others: the next best sets.
        sets: that were looked at.
        method: how.
        figure: the interval's width by date; None where nothing is filed, or all is there at once.
    """

    sentence: str
    count: int
    by: float | None
    dates: list[dict[str, Any]]
    others: list[dict[str, Any]]
    sets: int
    method: str
    figure: Picture | None


def plan_shown(answer: Mapping[str, Any], first: Mapping[str, Any], known: Answered) -> PlanShown:
    """Prepare what is shown.

    Args:
        answer: of `preposterior.value.access_value`, with a plan.
        first: row of the quantity that is planned for.
        known: what the run answers for.
    """
    plan = answer["plan"]
    best = plan["best"]
    now, waits = best["width_now"] or 1.0, best["by_date"][0]["all_there"] < 1.0
    full = WIDE * float(np.sqrt(first["aleatoric"] + max(first["epistemic_full"], 0.0)))
    return PlanShown(
        sentence=_sentence(plan, known),
        count=len(best["requests"]),
        by=plan["by_days"],
        dates=[row | {"narrower": 1.0 - row["width"] / now, "error": one_digit(row["width_error"])} for row in best["by_date"] if waits],
        others=plan["others"],
        sets=plan["sets"],
        method=plan["method"],
        figure=_by_date(plan, full, known) if waits else None,
    )


def _sentence(plan: Mapping[str, Any], known: Answered) -> str:
    best, goal = plan["best"], goal_words(plan)
    if not best["requests"]:
        return f"{capital(goal)}, no request is worth filing: none can be paid for, or none narrows what is not known."
    last = best["by_date"][-1]
    when = f"in {last['days']:g} days" if last["all_there"] < 1.0 else "once all of it is there"
    return (
        f"{capital(goal)}: {set_words(best)}. The 95 % interval of {known.words(plan['quantity'])}, {number(best['width_now'])} wide now, is expected to be "
        f"{number(last['width'])} wide {when}."
    )


def _by_date(plan: Mapping[str, Any], full: float, known: Answered) -> Picture:
    """The interval's expected width by date, between that of now and that of full access."""
    best, what = plan["best"], known.words(plan["quantity"])
    dates = best["by_date"]
    days, width, error = (np.array([row[key] for row in dates]) for key in ("days", "width", "width_error"))
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    ax = figure.subplots()
    # Each beside the end of the curve that is far from its line.
    for height, colour, words, day, side in (
        (best["width_now"], GREY, "now", days[-1], "right"),
        (full, BLUE, "full access", days[0], "left"),
    ):
        ax.axhline(height, color=colour, linewidth=1.2, linestyle="--")
        ax.annotate(words, (day, height), xytext=(0, 3), textcoords="offset points", ha=side, fontsize=8, color=INK)
    ax.errorbar(days, width, yerr=error, color=ORANGE, ecolor=INK, capsize=3, marker="o", markersize=5, linewidth=1.4)
    for day, wide in zip(days, width, strict=True):
        ax.annotate(number(wide), (day, wide), xytext=(6, 6), textcoords="offset points", fontsize=8, color=INK)
    ax.set_xticks(days)
    ax.set_ylim(0.0, 1.12 * best["width_now"])
    ax.set_xlabel("days from now")
    ax.set_ylabel("width of the 95 % interval")
    ax.set_title(capital(what))
    spoken = ", ".join(f"{number(wide)} in {day:g} days" for day, wide in zip(days, width, strict=True))
    return picture(
        figure,
        f"Expected width of the 95 % interval of {what}: {number(best['width_now'])} now, {spoken}; {number(full)} with full access.",
        f"How wide the 95 % interval of {what} (an average week ahead, chance included) is expected to be as the requests of the best set arrive, with Monte Carlo errors; dashed: now, and with full access.",
    )
