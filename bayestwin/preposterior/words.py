"""What access costs, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayestwin.numbers import number


def access_text(answer: Mapping[str, Any]) -> str:
    """Quantities of the whole with their barriers, and the requests by rank.

    Args:
        answer: of `access_value`.
    """
    whole = answer["requests"][0]["level"]
    rows = [row for row in answer["quantities"] if row["level"] == whole]
    lines = [f"Variance of weekly averages over the next {answer['horizon_weeks']} weeks, {whole}:"]
    for row in rows:
        lines.append(f"  {row['quantity']}: {number(row['mean'])}, sd of what is not known {number(row['epistemic'] ** 0.5)}")
        lines.append(
            f"    full access would leave {_percent(row['epistemic_full'], row['epistemic'])} of its variance; the rest by barrier: "
            + _by_barrier(row)
        )
    lines.append("What to ask for first:")
    for row in answer["requests"]:
        cost = "" if row["cost"] is None else f", at a cost of {number(row['cost'])}"
        error = f"± {row['share_error']:.1%}"
        lines.append(
            f"  {row['rank']}. {row['request']}: takes {row['share']:.0%} {error} of the variance of {row['quantity']} "
            f"(sd {number(row['sd_now'])} to {number(row['sd_after'])}){cost}"
        )
    lines += [_selection(row) for row in answer["selections"] if row["tips_within"]]
    if answer["plan"] is not None:
        lines += _planned(answer["plan"])
    lines += [_check(row) for row in answer["checks"]]
    if answer["decision"] is not None:
        lines += _decided(answer["decision"])
    return "\n".join(lines)


def _selection(row: Mapping[str, Any]) -> str:
    low, high = (number(end, sign=True) for end in row["range"])
    return f"Not corrected: {row['parameter']} (of {row['stream']}), stated from {low} to {high}; at {number(row['tips_at'], sign=True)} {row['quantity']} leaves its 95 % interval"


def _check(row: Mapping[str, Any]) -> str:
    if row["agree"] is None:
        return f"Checked by refits, {row['what']}: of {row['draws']} draws, {row['without_variance']} have no variance to compare with"
    agree = "agrees" if row["agree"] else "DOES NOT AGREE"
    return (
        f"Checked by refits, {row['what']}: foretold to leave {row['predicted']:.0%} of the variance, leaves {row['realised']:.0%} ± {row['realised_error']:.1%}; "
        f"{agree} ({row['refits']} fits, {row['failed']} did not mix)"
    )


def _planned(plan: Mapping[str, Any]) -> list[str]:
    lines = ["If all before are granted, too:"] if plan["steps"] else []
    for row in plan["steps"]:
        spent = "" if row["spent"] is None else f", {number(row['spent'])} spent"
        lines.append(f"  {row['request']}: sd {number(row['sd_after'])}, {row['share']:.0%} taken{spent}")
    best = plan["best"]
    lines.append(f"To file {goal_words(plan)}, of {plan['sets']:,} sets: {set_words(best)}")
    lines.append(f"  {found_words(plan)}")
    for at in best["by_date"]:
        lines.append(f"  in {at['days']:g} days: sd {number(at['sd'])}, 95 % width {number(at['width'])}, {number(at['arrived'])} there")
    return lines


def goal_words(plan: Mapping[str, Any]) -> str:
    """What a plan is for.

    Args:
        plan: of `access_value`.

    Example:
        >>> goal_words({"budget": 8.0, "by_days": 90.0}), goal_words({"budget": None, "by_days": None})
        ('within a budget of 8, for the forecast in 90 days', 'whatever the cost')
    """
    budget = "whatever the cost" if plan["budget"] is None else f"within a budget of {number(plan['budget'])}"
    return budget if plan["by_days"] is None else f"{budget}, for the forecast in {plan['by_days']:g} days"


def found_words(plan: Mapping[str, Any]) -> str:
    """How the best set was found, and how far from the best that there is it can be.

    Args:
        plan: of `access_value`.

    Example:
        >>> found_words({"method": "branch and bound, stopped early", "short": 0.021})
        'Method: branch and bound, stopped early; a set that leaves up to 2.1 % less of the variance cannot be ruled out.'
    """
    short = f"; a set that leaves up to {100 * plan['short']:.1f} % less of the variance cannot be ruled out" if plan["short"] > 0 else ""
    return f"Method: {plan['method']}{short}."


def set_words(row: Mapping[str, Any]) -> str:
    """The requests of a set, and what they cost together.

    Args:
        row: `requests` and `cost`.
    """
    if not row["requests"]:
        return "none"
    return "; ".join(row["requests"]) + ("" if row["cost"] is None else f" (cost {number(row['cost'])})")


def _decided(decision: Mapping[str, Any]) -> list[str]:
    unit = decision["unit"]
    lines = [f"The decision, {unit} a week:"]
    for row in decision["options"]:
        lines.append(f"  {row['option']}: net benefit {number(row['net_benefit'])}, best with probability {row['probability_best']:.2f}")
    lines.append(f"  perfect information is worth {number(decision['evpi'])}, full access {number(decision['full_access'])}")
    for row in decision["requests"]:
        over = f"{number(row['evsi_over_decision'])} over the {decision['weeks']:g} weeks of the decision"
        lines.append(f"  {row['request']}: worth {number(row['evsi'])} ± {number(row['error'])}, {over}")
    return lines


def _by_barrier(row: Mapping[str, Any]) -> str:
    parts = sorted(row["by_barrier"], key=lambda part: -part["value"])
    return ", ".join(f"{part['barrier']} {_percent(part['value'], row['epistemic'])}" for part in parts)


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole > 0 else "0%"
