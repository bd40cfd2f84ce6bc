"""Tables for a data-access application: what is asked for, and how wide the forecast is expected to be once it is there. Plain text in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bayestwin.numbers import number, one_digit
from bayestwin.preposterior.words import found_words, goal_words

SOON = 90  # days


def application(answer: Mapping[str, Any], words: Callable[[str], str] = lambda name: name.replace("_", " ")) -> str:
    """What a plan asks for and what it is expected to bring.

    Args:
        answer: of `access_value`, with a plan.
        words: of a quantity's name.
    """
    plan = answer["plan"]
    best, rows = plan["best"], {row["request"]: row for row in answer["requests"]}
    what = words(plan["quantity"])
    together = "" if best["cost"] is None else f", {number(best['cost'])} together"
    head = f"Requests to file {goal_words(plan)}{together}. Forecast: {what}, the mean of the {answer['horizon_weeks']} weeks after {answer['as_of']}, whose 95 % interval is {number(best['width_now'])} wide now."
    asked = [_request(rows[name]) for name in best["requests"]] or [["none can be filed", "–", "–", "–"]]
    ahead = [_date(row, best["width_now"], len(best["requests"])) for row in best["by_date"]]
    return "\n\n".join(
        [
            head,
            _table(["Request", "Cost", f"There in {SOON} days", "Takes of the variance by itself"], asked),
            _table(
                ["Days from now", "Requests there, expected", "Sd of what is not known", "Width of the 95 % interval", "Narrower by"], ahead
            ),
            f"{found_words(plan)} Expected before the data are seen; requests arrive independently; the interval includes chance, which no data remove. ± is the Monte Carlo error.",
        ]
    )


def _request(row: Mapping[str, Any]) -> list[str]:
    there = next(date["there"] for date in row["by_date"] if date["days"] == SOON)
    cost = "–" if row["cost"] is None else number(row["cost"])
    return [row["request"], cost, f"{there:.0%}", f"{row['share']:.0%} ± {100 * row['share_error']:.1f}"]


def _date(row: Mapping[str, Any], now: float, count: int) -> list[str]:
    narrower = f"{1.0 - row['width'] / now:.0%}" if now > 0 else "–"
    there = f"{row['arrived']:.1f} of {count}"
    return [f"{row['days']:g}", there, number(row["sd"]), f"{number(row['width'])} ± {one_digit(row['width_error'])}", narrower]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned so that it can be read as it stands."""
    safe = [[cell.replace("|", "\\|") for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in safe]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
