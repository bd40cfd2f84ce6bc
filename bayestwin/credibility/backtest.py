"""Backtests by vintage: refit as of past dates, with exactly what was known then, and score what was forecast and nowcast against what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, graded, worst_of
from bayestwin.credibility.nowcasts import nowcasts, triangles
from bayestwin.credibility.rivals import RECENT, Came, a_year_before, autoets, recent
from bayestwin.credibility.scores import by_unit, compared, scores, skill_of, stretches
from bayestwin.errors import Fault, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.periods import period_start
from bayestwin.prepared import Prepared, prepare
from bayestwin.sampled import sampled
from bayestwin.study import Study

LEAST_PAST = 8  # weeks that the first date must have behind it
OFF, FAR_OFF = 0.05, 0.15  # how far a coverage may lie from its level
NAIVE = "recent weeks"
RIVALS = {"seasonal": "the same weeks a year before", "autoets": "AutoETS"}  # that need not foretell every cell, by their key in a row


def backtest(study: Study, origins: int, sampling: Sampling) -> list[Piece]:
    """Forecasts from past dates, and their scores.

    The dates lie a horizon apart, or as far as leaves the first one eight weeks of past, and the last one a horizon of weeks that are published; of a forecast the weeks that came are scored.

    Args:
        study: what came is what is known at its as-of date.
        origins: number of past dates.
        sampling: of each refit.

    Returns:
        A piece of work for each date; none where the model answers for nothing that is published as it is, and no stream is a reporting triangle.

    Raises:
        RunError: if fewer weeks came than so many dates need.
    """
    now = prepare(study)
    came = published(now)
    if not came and not triangles(now):
        return []
    weeks = np.stack([values.seen.any(1) for values in came.values()] or [_all_reported(now)]).any(0)
    late = len(weeks) - 1 - int(np.flatnonzero(weeks).max(initial=-1))  # at the as-of date, as at each of the past dates
    step = min(study.horizon_weeks, (len(weeks) - 2 * late - LEAST_PAST) // origins)
    if step < 1:
        problem, expected = f"{len(weeks)} weeks are too few for {origins} past dates", f"at least {LEAST_PAST + origins + 2 * late}"
        raise RunError([Fault(str(study.folder), problem, expected=expected, remedy="ask for fewer (--origins)")])
    dates = [study.as_of - timedelta(weeks=late + back * step) for back in range(origins, 0, -1)]
    return [Piece(f"refitting as of {origin}", partial(score, study, origin, sampling)) for origin in dates]


def _all_reported(prepared: Prepared) -> np.ndarray:
    """The weeks in which an event period of a reporting triangle began of which no report is to come."""
    whole = [reported.periods[reported.there.all(-1).any(1)] for reported in triangles(prepared).values()]
    return np.isin(fitted_weeks(prepared), period_start(np.concatenate(whole), "week"))


def fitted_weeks(prepared: Prepared) -> np.ndarray:
    """Monday of each week of a study's data."""
    return np.asarray(prepared.twin.definition.fitted(prepared.data, prepared.study.calendar).weeks)


def published(prepared: Prepared) -> dict[str, Came]:
    """What was published of each quantity that is published as it is, by week and unit."""
    definition = prepared.twin.definition
    counted = definition.counted(prepared.data)
    return {
        name: Came(np.asarray(counted[name][0], float), np.asarray(counted[name][1])) for name in definition.measured if name in counted
    }


def score(study: Study, origin: date, sampling: Sampling, watch: Callable[[Any], None] = lambda progress: None) -> Rows:
    """Refit as of a past date, and score what is forecast and nowcast.

    Args:
        study: what came is what is known at its as-of date.
        origin: the past date.
        sampling: of the refit.
        watch: told the sampler's progress.

    Returns:
        The rows of `forecasts` and `nowcasts`, with the date and the worst R-hat of the refit.
    """
    from bayestwin.analyse.verdict import judge_fit

    now, then = prepare(study), prepare(study.at(origin))
    draws = sampled(then, sampling, watch)
    head = {"origin": str(origin), "r_hat": judge_fit(then.model, draws).metrics["rhat_max"]}
    found = [*forecasts(now, then, draws.sites, sampling.seed), *nowcasts(now, then, draws.sites, sampling.seed)]
    return [head | row for row in found]


def forecasts(now: Prepared, then: Prepared, drawn: Mapping[str, np.ndarray], seed: int) -> Iterator[dict[str, Any]]:
    """Scores of the weeks that came after a date.

    Args:
        now: the study.
        then: the same as of the date.
        drawn: draws given `then` by site, dims chain and draw first.
        seed: of the chance in the forecast.

    Returns:
        A row for each quantity that is published as it is, and week ahead (0 for all together): cells, mean wis, crps and log_score (minus the log density), coverage of central
        intervals with errors between units, share of PIT values in each tenth, skill against the recent weeks' own quantiles, and on the cells that they foretell also
        against the same weeks a year before (`seasonal`) and `autoets`. Of all weeks together also `by_unit`.
    """
    from bayestwin.analyse.forecast import answer
    from bayestwin.infer.posterior import dataset
    from bayestwin.twin.scenario import Scenario

    if not (came := published(now)):
        return
    definition, data, study = then.twin.definition, then.data, now.study
    weeks, past_weeks = fitted_weeks(now), fitted_weeks(then)
    span = definition.future(data, study.horizon_weeks, Scenario(), study.calendar)
    ahead = answer(definition, data, dataset(drawn, definition.dims, data.coords), span, seed).draws
    index = np.searchsorted(weeks, span.weeks)
    inside = (index < len(weeks)) & (weeks[np.minimum(index, len(weeks) - 1)] == span.weeks)
    before, asked = published(then), span.weeks[inside]
    for name, values in came.items():
        ours = ahead[name].to_numpy().reshape(-1, len(span.weeks), len(span.units))[:, inside]
        later = values.at(index[inside])
        naive = np.broadcast_to(recent(before[name])[:, None], (RECENT, *later.values.shape))
        others = {"seasonal": a_year_before(before[name], past_weeks, asked), "autoets": autoets(before[name], past_weeks, asked, seed)}
        for by, chosen in stretches(len(asked)):
            cells = later.at(chosen)
            row = {"quantity": name, "week_ahead": by} | scores(ours[:, chosen], cells, naive[:, chosen]) | {"naive": NAIVE}
            row |= {key: {"naive": RIVALS[key]} | compared(ours[:, chosen], cells, theirs[:, chosen]) for key, theirs in others.items()}
            yield row | ({"by_unit": by_unit(ours, later, naive, span.units)} if by == 0 else {})


def checks_of_backtest(rows: Rows) -> Iterator[Check]:
    """Whether forecasts beat simple ones, and whether their intervals hold what they say, by quantity over all dates; of nowcasts likewise, by stream."""
    forecast = [row | {"name": row["quantity"]} for row in rows if row.get("week_ahead") == 0 and row["cells"]]
    nowcast = [row | {"name": f"{row['stream']}, nowcast"} for row in rows if row.get("periods_back") == 0 and row["cells"]]
    for name in dict.fromkeys(row["name"] for row in forecast + nowcast):
        mine = [row for row in forecast + nowcast if row["name"] == name]
        for rival in (mine, *([row[key] for row in mine if row.get(key, {}).get("cells")] for key in RIVALS)):
            yield from _skill(name, pd.DataFrame(rival))
        yield _coverage(name, pd.DataFrame(mine))


def _skill(name: str, table: pd.DataFrame) -> Iterator[Check]:
    """Whether forecasts beat one simple forecast; nothing where this foretold no cell, or each without error."""
    skill = None if table.empty else skill_of(table)
    if skill is None:
        return
    rival = table["naive"].iloc[0]
    yield Check(
        f"backtest of {name}: skill against {rival}",
        graded(-skill, 0.0, 0.2),
        skill,
        f"weighted interval score no worse than that of {rival}; a fifth worse fails",
        f"{skill:+.0%} over {len(table)} dates and {table['cells'].sum():,} cells",
        ""
        if skill >= 0
        else "look at which weeks lose (`backtest` by week_ahead or periods_back): a trend carried on too far, or a level that has moved",
        "bayestwin's own bounds",
    )


def _coverage(name: str, table: pd.DataFrame) -> Check:
    cells = table["cells"].sum()
    held = {level: float((table[f"coverage_{level}"] * table["cells"]).sum() / cells) for level in ("50", "80", "95")}
    nominal = {level: float(level) / 100.0 for level in held}
    chance = {level: 3.0 * np.sqrt(p * (1.0 - p) / cells) for level, p in nominal.items()}
    status = worst_of(
        graded(abs(share - nominal[level]), OFF + 0.05 * (level != "95"), FAR_OFF, chance[level]) for level, share in held.items()
    )
    return Check(
        f"backtest of {name}: coverage",
        status,
        held["95"],
        "95 % intervals within 5 points, 50 and 80 % intervals within 10, or three errors where cells are few; beyond 15 it fails",
        ", ".join(f"{level} % intervals hold {share:.1%}" for level, share in held.items()),
        "" if status == "PASS" else "errors of one date are shared by all units: look at more dates before widening or narrowing anything",
        "bayestwin's own bounds",
    )
