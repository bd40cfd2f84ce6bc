"""Forecasts from past dates, as the report shows their scores: by week ahead, by where values came, by unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayestwin.report.figures import BLUE, GREY, INK, ORANGE, Picture, capital, picture
from bayestwin.twin.answered import Answered

WORST = 5  # units that are shown
HELD = {"coverage_50": (0.5, BLUE), "coverage_80": (0.8, ORANGE), "coverage_95": (0.95, INK)}
Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class BacktestsShown:
    """Scores of forecasts from past dates.

    Attributes:
        dates: a row for each date and quantity, all weeks ahead together.
        rivals: further simple forecasts that foretold any of it, key in a row and name.
        nowcasts: a row for each reporting triangle and how many periods back, all dates together.
        units: those of each quantity whose forecasts gain least on the recent weeks', over all dates.
        figures: one for each quantity.
    """

    dates: list[Mapping[str, Any]]
    rivals: dict[str, str]
    nowcasts: list[dict[Any, Any]]
    units: list[dict[Any, Any]]
    figures: list[Picture]


def backtests_shown(rows: Rows, nowcasts: Rows, known: Answered) -> BacktestsShown | None:
    """Prepare what is shown; None if nothing was scored.

    Args:
        rows: `backtest` of a validation.
        nowcasts: its `nowcast`.
        known: what the run answers for.
    """
    scored = [row for row in rows if row["cells"]]
    whole = [row for row in scored if row["week_ahead"] == 0]
    names = list(dict.fromkeys(row["quantity"] for row in whole))
    figures = [_figure([row for row in scored if row["quantity"] == name], known.words(name)) for name in names]
    behind = _nowcasts([row for row in nowcasts if row["cells"]])
    rivals = {key: part["naive"] for row in whole for key, part in row.items() if isinstance(part, Mapping) and part["cells"]}
    return BacktestsShown(whole, rivals, behind, _units(whole), figures) if whole or behind else None


def pooled(rows: Rows, by: str) -> pd.DataFrame:
    """Scores over several rows, each row's weight its cells.

    Args:
        rows: of scores.
        by: column of which each value has a row.

    Returns:
        Index `by`; cells, and the weighted means of wis, naive_wis and coverages where these are there.

    Example:
        >>> rows = [{"week_ahead": 1, "cells": 1, "wis": 1.0, "naive_wis": 2.0}, {"week_ahead": 1, "cells": 3, "wis": 3.0, "naive_wis": 2.0}]
        >>> float(pooled(rows, "week_ahead").loc[1, "wis"])
        2.5
    """
    table = pd.DataFrame(list(rows))
    parts = [name for name in ("wis", "naive_wis", *HELD) if name in table]
    weighted = table[parts].mul(table["cells"], axis=0).assign(cells=table["cells"]).groupby(table[by], sort=False).sum()
    return weighted[["cells"]].join(weighted[parts].div(weighted["cells"], axis=0))


def _units(whole: list[Mapping[str, Any]]) -> list[dict[Any, Any]]:
    """Of each quantity the units that gain least."""
    rows = [unit | {"quantity": row["quantity"]} for row in whole for unit in row.get("by_unit", []) if unit.get("naive_wis")]
    found = []
    for name in dict.fromkeys(row["quantity"] for row in rows):
        table = pooled([row for row in rows if row["quantity"] == name], "unit")
        table = table.assign(quantity=name, skill=1.0 - table["wis"] / table["naive_wis"]).reset_index()
        found += table.nsmallest(WORST, "skill").to_dict("records")
    return found


def _nowcasts(rows: list[Mapping[str, Any]]) -> list[dict[Any, Any]]:
    """Of each reporting triangle a row for each period back, and first one for all."""
    found = []
    for name in dict.fromkeys(row["stream"] for row in rows):
        table = pooled([row for row in rows if row["stream"] == name], "periods_back").sort_index()
        found += table.assign(stream=name).reset_index().to_dict("records")
    return found


def _figure(rows: list[Mapping[str, Any]], words: str) -> Picture:
    """Scores and coverage by week ahead, and where the values that came lie in their forecasts."""
    ahead = pooled([row for row in rows if row["week_ahead"]], "week_ahead").sort_index()
    figure = Figure(figsize=(9.2, 2.7), layout="constrained")
    error, held, tenths = figure.subplots(1, 3)
    error.plot(ahead.index, ahead["naive_wis"], "o-", color=GREY, markersize=3, label="recent weeks")
    rival = [
        row["autoets"] | {"week_ahead": row["week_ahead"]}
        for row in rows
        if row["week_ahead"] and row.get("autoets", {}).get("cells") == row["cells"]
    ]
    if rival:
        ets = pooled(rival, "week_ahead").sort_index()["naive_wis"]
        error.plot(ets.index, ets, "o-", color=ORANGE, markersize=3, label="AutoETS")
    error.plot(ahead.index, ahead["wis"], "o-", color=BLUE, markersize=3, label="forecast")
    error.set(title="Weighted interval score", xlabel="weeks ahead", ylim=(0, 1.25 * error.dataLim.ymax))
    error.legend(fontsize=7.5, frameon=False, ncols=3, loc="upper left", handlelength=1.0, columnspacing=1.0)
    for name, (level, colour) in HELD.items():
        held.plot(ahead.index, 100.0 * ahead[name], "o-", color=colour, markersize=3)
        held.axhline(100.0 * level, color=colour, linewidth=0.8, linestyle=":")
    held.set(title="% held by 50, 80 and 95 % intervals", xlabel="weeks ahead", ylim=(0, 102))
    whole = [row for row in rows if row["week_ahead"] == 0]
    share = _tenths(tenths, [row for row in whole if "pit" in row])
    return picture(
        figure,
        f"{capital(words)} forecast from {len(whole)} past dates: score by week ahead against that of the recent weeks{' and of AutoETS' if rival else ''}, share held by intervals, and shares of values by tenth of their forecast ({', '.join(f'{100 * one:.0f}' for one in share)} %).",
        f"{capital(words)}. Left: error, lower is better. Middle: share of what came that intervals held; dotted is what they say. Right: in which tenth of its forecast each value came, all dates (bars) and each by itself (dots); "
        "level is what a calibrated forecast looks like, a hump means wide, a cup narrow intervals, a slope a level that has moved. Errors of a date are shared by all units.",
    )


def _tenths(ax: Axes, whole: list[Mapping[str, Any]]) -> np.ndarray:
    """Shares by tenth, of all dates and of each; none where an earlier bayestwin did not find them."""
    if not whole:
        ax.set_axis_off()
        return np.empty(0)
    each, cells = np.array([row["pit"] for row in whole]), np.array([row["cells"] for row in whole])
    share, middle = cells @ each / cells.sum(), (np.arange(each.shape[1]) + 0.5) / each.shape[1]
    ax.bar(middle, 100.0 * share, width=0.9 / each.shape[1], color=BLUE, alpha=0.5)
    ax.plot(np.tile(middle, len(each)), 100.0 * each.ravel(), ".", color=INK, markersize=3)
    ax.axhline(100.0 / each.shape[1], color=INK, linewidth=0.8, linestyle=":")
    ax.set(title="% of values by tenth of the forecast", xlabel="randomised PIT", ylim=(0, None))
    return np.asarray(share)
