"""Which requests to file together, as the report and the page on access show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bayestwin.numbers import number, one_digit
from bayestwin.preposterior.plan import WIDE
from bayestwin.preposterior.words import found_words, goal_words, set_words
from bayestwin.report.figures import BLUE, GREY, INK, ORANGE, Picture, capital, picture
from bayestwin.twin.answered import Answered

CLEAR = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}


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
        method: how the best was found, and how far from the best that there is it can be.
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


LABEL = 0.12  # height of a date's label, as a share of what access could take


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
        method=found_words(plan),
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
    """The interval's expected width by date, between that of now and that of full access: the axis spans what access could take, for from zero on all dates look alike."""
    best, what = plan["best"], known.words(plan["quantity"])
    now, dates = best["width_now"], best["by_date"]
    days, width, error = (np.array([row[key] for row in dates]) for key in ("days", "width", "width_error"))
    least = min(full, float((width - error).min()))
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    ax = figure.subplots()
    # The curve falls: the line of now has room at its end, that of full access at its beginning, and each label above its point.
    for height, colour, words, across, side in ((now, GREY, "now", 0.99, "right"), (full, BLUE, "with full access", 0.01, "left")):
        ax.axhline(height, color=colour, linewidth=1.2, linestyle="--")
        ax.text(
            across, height, f"{words}: {number(height)}", transform=ax.get_yaxis_transform(), ha=side, va="bottom", fontsize=8, color=INK
        )
    ax.errorbar(days, width, yerr=error, color=ORANGE, ecolor=INK, capsize=3, marker="o", markersize=5, linewidth=1.4)
    for day, wide in zip(days, width, strict=True):
        words = f"{number(wide)} ({1.0 - wide / now:.0%} narrower)"
        height = now if now - wide < LABEL * (now - least) else wide  # a label that would lie across the line of now stands on it
        ax.annotate(words, (day, height), xytext=(7, 5), textcoords="offset points", fontsize=8, color=INK, bbox=CLEAR)
    ax.set_xticks(days)
    ax.margins(x=0.03)
    ax.set_xlim(right=days[-1] + 0.2 * np.ptp(days))  # room for the last label
    pad = max(0.14 * (now - least), 1e-9 * now)
    ax.set_ylim(least - pad, now + pad)
    ax.set_xlabel("days from now")
    ax.set_ylabel("width (axis not from zero)")
    ax.set_title(f"{capital(what)}: expected width of the 95 % interval")
    spoken = ", ".join(f"{number(wide)} in {day:g} days" for day, wide in zip(days, width, strict=True))
    return picture(
        figure,
        f"Expected width of the 95 % interval of {what}: {number(now)} now, {spoken}; {number(full)} with full access.",
        f"How wide the 95 % interval of {what} (an average week ahead, chance included) is expected to be as the requests of the best set arrive, with Monte Carlo errors; dashed: now, and with full access. "
        "The axis spans what access could take from the width; it does not begin at zero.",
    )
