"""The same model once more, in PyMC, for a second engine: the same unknowns, priors and likelihood, written without a line of the first.

Its log density is that of `model.py` up to a constant, which a test holds at random points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.infer.second import prior
from bayestwin.twin.priors import PriorTable

from .workload import CELLS, SPECIAL_DAYS, Calendar, Workload

ABSENT = 1e-9
SHOWN_AT_LEAST = 1e-12


def second(data: Workload, priors: PriorTable) -> pm.Model:
    """The model given the data.

    Args:
        data: as for the first engine.
        priors: the study's.
    """
    with pm.Model() as made:
        _demand(data, priors)
        _durations(data, priors)
        _staff(data, priors)
        _unpublished(data)
        for name in ("null_slope", "remote_ratio", "other_ratio", "unknown_staff_slope"):
            prior(priors, name)
    return made


def _unpublished(data: Workload) -> None:
    """The walks in weeks that are over and not published: nothing is told of them."""
    if data.late:
        for name, shape in (("late_national", data.late), ("late_board", (data.late, len(data.board))), ("late_minutes", data.late)):
            pm.Normal(name, 0.0, 1.0, shape=shape)


def _weights(priors: PriorTable) -> Any:
    """Log multiplier of a day, of the kind and the special part of each day of a span."""
    weekday, *closed = prior(priors, "weekday_effect", "saturday", "sunday", "holiday")
    working = pt.concatenate([pt.zeros(1), weekday])
    working = working - pt.log(pt.exp(working).mean())
    kinds = pt.concatenate([working, pt.stack(closed)])
    special = pt.stack([prior(priors, name) for name in SPECIAL_DAYS])
    return lambda span: kinds[span.kind] + pt.dot(span.special, special)


def _belongs(index: np.ndarray, count: int) -> np.ndarray:
    """1 where a day belongs to a period, (period, day)."""
    return (np.arange(count)[:, None] == index).astype(float)


def _demand(data: Workload, priors: PriorTable) -> None:
    span = data.calendar
    log_weight = _weights(priors)
    weight = pt.exp(log_weight(span))
    by_period = pt.log(pt.dot(_belongs(span.period, len(span.periods)), weight))
    of_days = pt.log(pt.dot(_belongs(span.week, len(span.weeks)), weight))
    by_week = of_days
    if data.grid == "week":
        calm, lost, closed = prior(priors, "day_concentration", "holiday_split", "closed_day_concentration")
        working = calm * pt.exp(-lost * span.unsettled)
        _split(data, _shares(span, weight), working, closed)
        whole = data.whole_weeks
        by_week = of_days + _part_weeks(span, whole, _shares(whole, pt.exp(log_weight(whole))), working, closed)
    spreads = prior(priors, "sd_region", "sd_board", "sd_area")
    slope = prior(priors, "workforce_slope")
    centre, sd = priors["national_level"].parameters
    level = pm.Normal("national_level", centre + by_week.mean(), sd)
    region = pm.Normal("region_level", level, spreads[0], shape=len(data.region))
    board = pm.Normal("board_level", region[data.board_region], spreads[1])
    area = pm.Normal("area_level", board[data.area_board] + slope * data.workforce, spreads[2])
    trend = _trends(data, priors, by_week)
    within_week = by_period - of_days[span.period_week]
    log_rate = area + trend[span.period_week][:, data.area_board] + within_week[:, None]
    seen = data.appointments_seen
    mean = (data.patients * pt.exp(log_rate))[seen.nonzero()]
    alpha = _concentration(data, priors)[seen.nonzero()]
    pm.NegativeBinomial("appointments", mu=mean, alpha=alpha, observed=data.appointments[seen])


def _slots(span: Calendar) -> np.ndarray:
    """Place of each day among the seven of all weeks."""
    return 7 * span.week + (span.days - span.weeks[span.week]).astype(int)


def _shares(span: Calendar, weight: Any) -> Any:
    """Share of each slot in its week, (week, 7)."""
    folded = pt.dot(_belongs(_slots(span), 7 * len(span.weeks)), weight).reshape((len(span.weeks), 7))
    return folded / folded.sum(1, keepdims=True)


def _masks(span: Calendar) -> tuple[np.ndarray, np.ndarray]:
    """Which slots a span holds, and which of them are worked, (week, 7)."""
    held, worked = (np.zeros(7 * len(span.weeks), bool) for _ in range(2))
    held[_slots(span)], worked[_slots(span)] = True, span.kind < 5
    return held.reshape(-1, 7), worked.reshape(-1, 7)


def _split(data: Workload, share: Any, working: Any, closed: Any) -> None:
    """Closed days of the nation's weeks against the rest, then working days among themselves; of weeks with any count."""
    some = np.flatnonzero(data.days.sum(1))
    counts, worked = data.days[some], _masks(data.calendar)[1][some]
    of_worked, rest = share[some] * worked, counts * worked
    against = pt.concatenate([share[some] * ~worked, of_worked.sum(1, keepdims=True)], axis=1)
    with_rest = np.column_stack([counts * ~worked, rest.sum(1)])
    pm.DirichletMultinomial("closed_days", n=counts.sum(1), a=pt.maximum(closed * against, ABSENT), observed=with_rest)
    among = of_worked / pt.maximum(of_worked.sum(1, keepdims=True), ABSENT)
    pm.DirichletMultinomial("working_days", n=rest.sum(1), a=pt.maximum(working[some][:, None] * among, ABSENT), observed=rest)


def _part_weeks(span: Calendar, whole: Calendar, share: Any, working: Any, closed: Any) -> Any:
    part = np.flatnonzero(np.bincount(span.week) < 7)
    if not part.size:
        return pt.zeros(len(span.weeks))
    noise = pm.Normal("part_week", 0.0, 1.0, shape=part.size)
    variances = []
    for week in part:
        seen, worked = _masks(span)[0][week], _masks(whole)[1][week]
        if (both := seen & worked).any():
            together = share[week][worked].sum()
            variances.append(_of_log(closed, together) + _of_log(working[week], share[week][both].sum() / together))
        else:
            variances.append(_of_log(closed, share[week][seen].sum()))
    return pt.set_subtensor(pt.zeros(len(span.weeks))[part], pt.sqrt(pt.stack(variances)) * noise)


def _of_log(concentration: Any, share: Any) -> Any:
    """Variance of the logarithm of a beta share."""
    return pt.polygamma(1, concentration * share) - pt.polygamma(1, concentration)


def _cosines(times: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal cosines over equally spaced times, constant left out, and what a walk's steps give each."""
    k = np.arange(1, times)
    basis = np.cos(np.outer(k, np.arange(times) + 0.5) * np.pi / times) * np.sqrt(2.0 / times)
    return basis, 2.0 * (1.0 - np.cos(np.pi * k / times))


def _spread(priors: PriorTable, place: str, steps: np.ndarray) -> Any:
    walk, shock = prior(priors, f"walk_{place}", f"shock_{place}")
    return pt.sqrt(walk**2 / steps + shock**2)


def _trends(data: Workload, priors: PriorTable, by_week: Any) -> Any:
    basis, steps = _cosines(len(data.calendar.weeks))
    of_nation, of_board = (_spread(priors, place, steps) for place in ("national", "board"))
    national = pm.Normal("national_coefficient", pt.dot(basis, by_week), of_nation)
    board = pm.Normal("board_coefficient", national[:, None], of_board[:, None], shape=(len(steps), len(data.board)))
    return pt.dot(basis.T, board)


def _concentration(data: Workload, priors: PriorTable) -> Any:
    spread, level = prior(priors, "concentration_sd", "concentration_level")
    by_area = pm.Normal("log_concentration", level, spread, shape=len(data.area))
    lost = prior(priors, "holiday_dispersion")
    concentration = pt.exp(by_area - lost * data.calendar.unsettled[:, None])
    if data.grid == "week":
        return concentration
    closed = prior(priors, "closed_concentration")
    return pt.switch(data.calendar.kind[:, None] < 5, concentration, closed)


def _areas(data: Workload, priors: PriorTable, name: str, level: str, spread: str) -> Any:
    sd, centre = prior(priors, spread, level)
    return pm.Normal(name, centre, sd, shape=len(data.area))


def _durations(data: Workload, priors: PriorTable) -> None:
    shape = prior(priors, "duration_shape")
    null, mean, log_sd = (
        _areas(data, priors, f"area_{name}", f"{level}_level", f"sd_{level}")
        for name, level in (("null", "null"), ("minutes", "minutes"), ("spread", "spread"))
    )
    edges = np.asarray(data.band.edges, float)
    z = (np.log(edges) - mean[:, None]) / pt.exp(log_sd)[:, None]
    below = pt.gammainc(shape, pt.exp(pt.digamma(shape) + pt.sqrt(pt.polygamma(1, shape)) * z))
    log_share = pt.log(pt.maximum(pt.diff(below, axis=1), SHOWN_AT_LEAST)) - pt.softplus(null)[:, None]
    hidden = pt.log1p(-pt.exp(log_share).sum(1, keepdims=True))
    logit = pm.Normal("band_logit", log_share - hidden, prior(priors, "band_sd"))
    middle = 0.5 * (np.log(np.maximum(edges, 0.5))[1:] + np.log(np.maximum(edges, 0.5))[:-1])
    basis, steps = _cosines(len(data.calendar.weeks))
    tilt = pt.dot(basis.T, pm.Normal("tilt_coefficient", 0.0, _spread(priors, "minutes", steps)))
    concentration = prior(priors, "band_concentration")
    tilted = logit + tilt[:, None, None] * (middle - middle.mean())
    share = pt.special.softmax(pt.concatenate([tilted, pt.zeros_like(tilted[..., :1])], axis=2), axis=2)
    _categories("durations", data.durations, data.durations_seen, concentration * share)


def _staff(data: Workload, priors: PriorTable) -> None:
    sd, level = prior(priors, "cell_sd", "cell_level")
    logit = pm.Normal("cell_logit", level, sd, shape=(len(data.board), len(CELLS) - 1))
    share = pt.special.softmax(pt.concatenate([pt.zeros((len(data.board), 1)), logit], axis=1), axis=1)
    alpha = prior(priors, "cell_concentration") * share
    _categories("staff_mix", data.staff, data.staff_seen, pt.broadcast_to(alpha, data.staff.shape))


def _categories(name: str, counts: np.ndarray, seen: np.ndarray, alpha: Any) -> None:
    """Dirichlet-multinomial counts of the cells that were seen."""
    pm.DirichletMultinomial(name, n=counts[seen].sum(1), a=alpha[seen.nonzero()], observed=counts[seen])
