"""Backtests by vintage: refit as of past dates, with exactly what was known then, and score what was forecast against what came.

Source: Bracher, Ray, Gneiting & Reich (2021), PLOS Computational Biology 17, for the weighted interval score; Gneiting & Raftery (2007), JASA 102, for the
continuous ranked probability score; Czado, Gneiting & Held (2009), Biometrics 65, for randomised PIT values of counts. scoringrules computes the scores, and the interval scores of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, graded, worst_of
from bayestwin.errors import Fault, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared, prepare
from bayestwin.report.checks import randomised_pit
from bayestwin.sampled import sampled
from bayestwin.study import Study

LEAST_PAST = 8  # weeks that the first date must have behind it
RECENT = 8  # weeks that the naive forecast takes its spread from
LEVELS = (0.5, 0.8, 0.95)
OFF, FAR_OFF = 0.05, 0.15  # how far a coverage may lie from its level
NAIVE, SEASONAL = "recent weeks", "the same weeks a year before"
YEAR, AROUND = 52, 2  # weeks before, and to either side of it
TENTHS = 10  # of PIT values


class Came(NamedTuple):
    """What was published of a quantity.

    Attributes:
        values: (week, unit).
        seen: where it was.
    """

    values: Float[np.ndarray, "week unit"]
    seen: Bool[np.ndarray, "week unit"]


def backtest(study: Study, origins: int, sampling: Sampling) -> list[Piece]:
    """Forecasts from past dates, and their scores.

    The dates lie a horizon apart, or as far as leaves the first one eight weeks of past, and the last one a horizon of weeks that are published; of a forecast the weeks that came are scored.

    Args:
        study: what came is what is known at its as-of date.
        origins: number of past dates.
        sampling: of each refit.

    Returns:
        A piece of work for each date; none where the model answers for nothing that is published as it is.

    Raises:
        RunError: if fewer weeks came than so many dates need.
    """
    came = published(prepare(study))
    if not came:
        return []
    weeks = np.stack([values.seen.any(1) for values in came.values()]).any(0)
    late = len(weeks) - 1 - int(np.flatnonzero(weeks).max(initial=-1))  # at the as-of date, as at each of the past dates
    step = min(study.horizon_weeks, (len(weeks) - 2 * late - LEAST_PAST) // origins)
    if step < 1:
        problem, expected = f"{len(weeks)} weeks are too few for {origins} past dates", f"at least {LEAST_PAST + origins + 2 * late}"
        raise RunError([Fault(str(study.folder), problem, expected=expected, remedy="ask for fewer (--origins)")])
    dates = [study.as_of - timedelta(weeks=late + back * step) for back in range(origins, 0, -1)]
    return [Piece(f"refitting as of {origin}", partial(score, study, origin, sampling)) for origin in dates]


def published(prepared: Prepared) -> dict[str, Came]:
    """What was published of each quantity that is published as it is, by week and unit."""
    definition = prepared.twin.definition
    counted = definition.counted(prepared.data)
    return {
        name: Came(np.asarray(counted[name][0], float), np.asarray(counted[name][1])) for name in definition.measured if name in counted
    }


def score(study: Study, origin: date, sampling: Sampling, watch: Callable[[Any], None] = lambda progress: None) -> Rows:
    """Refit as of a past date, and score what is forecast.

    Args:
        study: what came is what is known at its as-of date.
        origin: the past date.
        sampling: of the refit.
        watch: told the sampler's progress.

    Returns:
        A row for each quantity that is published as it is, and week ahead (0 for all together): cells, mean wis, crps and log_score (minus the log density), coverage of central
        intervals with errors between units, share of PIT values in each tenth, skill against the recent weeks' own quantiles, and the worst R-hat of the refit. Of all weeks together also
        `by_unit`, and `seasonal`, the skill against the same weeks a year before, on the cells where there are any.
    """
    from bayestwin.analyse.forecast import answer
    from bayestwin.analyse.verdict import judge_fit
    from bayestwin.infer.posterior import dataset
    from bayestwin.twin.scenario import Scenario

    now, prepared = prepare(study), prepare(study.at(origin))
    definition, data = prepared.twin.definition, prepared.data
    weeks = definition.fitted(now.data, study.calendar).weeks
    draws = sampled(prepared, sampling, watch)
    verdict = judge_fit(prepared.model, draws)
    span = definition.future(data, study.horizon_weeks, Scenario(), study.calendar)
    posterior = dataset(draws.sites, definition.dims, data.coords)
    ahead = answer(definition, data, posterior, span, sampling.seed).draws
    index = np.searchsorted(weeks, span.weeks)
    inside = (index < len(weeks)) & (weeks[np.minimum(index, len(weeks) - 1)] == span.weeks)
    rows: Rows = []
    for name, values in published(now).items():
        drawn = ahead[name].to_numpy().reshape(-1, len(span.weeks), len(span.units))[:, inside]
        later = Came(*(part[index[inside]] for part in values))
        past = published(prepared)[name]
        naive = np.broadcast_to(recent(past)[:, None], (RECENT, *later.values.shape))
        before = a_year_before(past, definition.fitted(data, study.calendar).weeks, span.weeks[inside])
        head = {"origin": str(origin), "quantity": name, "r_hat": verdict.metrics["rhat_max"]}
        for ahead_by in range(int(inside.sum()) + 1):
            chosen = slice(None) if ahead_by == 0 else slice(ahead_by - 1, ahead_by)
            cells = Came(*(part[chosen] for part in later))
            rows.append(head | {"week_ahead": ahead_by} | scores(drawn[:, chosen], cells, naive[:, chosen]) | {"naive": NAIVE})
            if ahead_by == 0:
                rows[-1] |= {"by_unit": by_unit(drawn, later, naive, span.units), "seasonal": against(drawn, later, before, SEASONAL)}
    return rows


def a_year_before(past: Came, weeks: np.ndarray, asked: np.ndarray) -> Float[np.ndarray, "draw week unit"]:
    """The seasonal naive forecast: what was published a year before each week and up to two weeks to either side, as if these were draws; NaN where nothing was.

    Args:
        past: what was published by then.
        weeks: Monday of each of its weeks.
        asked: Monday of each week that is forecast.
    """
    values = np.where(past.seen, past.values, np.nan)
    wanted = asked - np.timedelta64(7, "D") * (YEAR + np.arange(-AROUND, AROUND + 1))[:, None]
    at = np.minimum(np.searchsorted(weeks, wanted), len(weeks) - 1)
    return np.where((weeks[at] == wanted)[..., None], values[at], np.nan)


def against(
    drawn: Float[np.ndarray, "draw week unit"], later: Came, naive: Float[np.ndarray, "naive week unit"], name: str
) -> dict[str, Any]:
    """Skill against another naive forecast, on the cells where it has one."""
    found = scores(drawn, later, naive)
    return {"naive": name} | {part: found[part] for part in ("cells", "wis", "naive_wis", "skill") if part in found}


def by_unit(
    drawn: Float[np.ndarray, "draw week unit"], later: Came, naive: Float[np.ndarray, "naive week unit"], units: np.ndarray
) -> list[dict[str, Any]]:
    """Scores of each unit over all weeks ahead."""
    each = ((slice(None), slice(i, i + 1)) for i in range(len(units)))
    found = (scores(drawn[:, *one], Came(*(part[one] for part in later)), naive[:, *one]) for one in each)
    parts = ("cells", "wis", "crps", "log_score", "coverage_50", "coverage_80", "coverage_95", "naive_wis", "skill")
    return [{"unit": str(unit)} | {part: row[part] for part in parts if part in row} for unit, row in zip(units, found, strict=True)]


def recent(past: Came) -> Float[np.ndarray, "draw unit"]:
    """The naive forecast: the last published weeks of each unit, as if they were draws; NaN where none were."""
    values = np.where(past.seen, past.values, np.nan)
    return np.stack([_last(values[:, unit]) for unit in range(values.shape[1])], axis=1)


def _last(series: Float[np.ndarray, " week"]) -> Float[np.ndarray, " draw"]:
    known = series[~np.isnan(series)][-RECENT:]
    return np.resize(known, RECENT) if known.size else np.full(RECENT, np.nan)


def scores(drawn: Float[np.ndarray, "draw week unit"], later: Came, naive: Float[np.ndarray, "naive week unit"]) -> dict[str, Any]:
    """Scores of draws against what came, and those of naive draws on the same cells; cells with a NaN among the latter are left out."""
    import scoringrules

    known = later.seen & ~np.isnan(naive).any(0)
    if not known.any():
        return {"cells": 0}
    y = later.values[known]
    ours = drawn[:, known].astype(float)
    wis, naive_wis = _wis(ours, y), _wis(naive[:, known], y)
    unit = np.broadcast_to(np.arange(later.seen.shape[1]), later.seen.shape)[known]
    row: dict[str, Any] = {
        "cells": int(known.sum()),
        "wis": wis,
        "crps": float(scoringrules.crps_ensemble(y, ours.T, estimator="pwm", backend="numpy").mean()),
        "log_score": float(scoringrules.logs_ensemble(y, ours.T, backend="numpy").mean()),
        "pit": (np.histogram(randomised_pit(y, ours, np.ones(len(y), bool)), TENTHS, (0.0, 1.0))[0] / len(y)).round(4).tolist(),
    }
    for level in LEVELS:
        low, high = np.quantile(ours, (0.5 - level / 2, 0.5 + level / 2), axis=0)
        held = pd.Series((low <= y) & (y <= high)).groupby(unit).mean()
        row |= {f"coverage_{100 * level:.0f}": float(((low <= y) & (y <= high)).mean())}
        row |= {f"coverage_{100 * level:.0f}_error": float(held.std(ddof=1) / np.sqrt(len(held))) if len(held) > 1 else None}
    return row | {"naive_wis": naive_wis, "skill": 1.0 - wis / naive_wis if naive_wis > 0 else None}


def _wis(draws: Float[np.ndarray, "draw cell"], y: Float[np.ndarray, " cell"]) -> float:
    """Mean weighted interval score (Bracher et al. 2021, equation 1), of interval scores: without numba scoringrules 0.11 weighs the median, not its error."""
    import scoringrules

    alpha = 1.0 - np.array(LEVELS)
    low, high = (np.quantile(draws, q, axis=0).T for q in (alpha / 2, 1.0 - alpha / 2))
    intervals = scoringrules.interval_score(y, low, high, alpha, backend="numpy")
    return float(((0.5 * np.abs(y - np.median(draws, axis=0)) + intervals @ (alpha / 2)) / (len(alpha) + 0.5)).mean())


def skill_of(table: pd.DataFrame) -> float | None:
    """Skill over several rows of scores, cell by cell; None where the naive forecast makes no error that ours could be a share of.

    Args:
        table: columns cells, wis, naive_wis.
    """
    ours, theirs = (float((table[part] * table["cells"]).sum()) for part in ("wis", "naive_wis"))
    return 1.0 - ours / theirs if theirs > 0 else None


def checks_of_backtest(rows: Rows) -> Iterator[Check]:
    """Whether forecasts beat the recent weeks, and whether their intervals hold what they say, by quantity over all dates."""
    whole = pd.DataFrame([row for row in rows if row["week_ahead"] == 0 and row["cells"]])
    if whole.empty:
        return
    for name, table in whole.groupby("quantity", sort=False):
        weight = table["cells"] / table["cells"].sum()
        skill = skill_of(table)
        if skill is not None:
            yield Check(
                f"backtest of {name}: skill",
                graded(-skill, 0.0, 0.2),
                skill,
                "weighted interval score no worse than the recent weeks' own quantiles; a fifth worse fails",
                f"{skill:+.0%} over {len(table)} dates and {table['cells'].sum():,} cells",
                ""
                if skill >= 0
                else "look at which weeks ahead lose (`backtest` by week_ahead): a trend carried on too far, or a level that has moved",
                "bayestwin's own bounds",
            )
        held = {level: float((table[f"coverage_{level}"] * weight).sum()) for level in ("50", "80", "95")}
        nominal = {level: float(level) / 100.0 for level in held}
        chance = {level: 3.0 * np.sqrt(p * (1.0 - p) / table["cells"].sum()) for level, p in nominal.items()}
        status = worst_of(
            graded(abs(share - nominal[level]), OFF + 0.05 * (level != "95"), FAR_OFF, chance[level]) for level, share in held.items()
        )
        yield Check(
            f"backtest of {name}: coverage",
            status,
            held["95"],
            "95 % intervals within 5 points, 50 and 80 % intervals within 10, or three errors where cells are few; beyond 15 it fails",
            ", ".join(f"{level} % intervals hold {share:.1%}" for level, share in held.items()),
            ""
            if status == "PASS"
            else "errors of one date are shared by all units: look at more dates before widening or narrowing anything",
            "bayestwin's own bounds",
        )
