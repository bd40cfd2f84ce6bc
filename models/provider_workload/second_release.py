"""What was released of a stream, in PyMC: its likelihood, and what counts are given it.

Counts that are known enter by their law's density, hidden ones by the sum of all that they may be, of which the mean and variance are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.barriers import Coarsening, Delay, Embargo, SiteAbsence, SiteSelection, Withheld
from bayestwin.errors import Fault

from .workload import METRICS, SURVEY, TURNAROUND, Stream, Workload

WRITTEN = (Coarsening, Delay, Embargo, SiteAbsence, SiteSelection, Withheld)
PERIOD = {"day": np.timedelta64(1, "D"), "week": np.timedelta64(7, "D")}


class Moments(NamedTuple):
    """Mean and variance."""

    mean: Any
    variance: Any


def not_written(data: Workload) -> list[Fault]:
    """Barriers of a study, and what was released of its streams, that this engine does not know."""
    faults = []
    remedy = "leave --engine out, or write it in the model's second_release.py"
    for name, stream in data.streams.items():
        place = f"stream {name!r}"
        for barrier in stream.access.barriers:
            kind = type(barrier).model_fields["kind"].default
            if not isinstance(barrier, WRITTEN):
                faults.append(Fault(place, "the barrier is not written for the second engine", "kind", value=kind, remedy=remedy))
            elif isinstance(barrier, Delay) and not _plain(barrier):
                problem, expected = "this delay is not written for the second engine", "released = 'so_far', a pmf, and no release days"
                faults.append(Fault(place, problem, "kind", value=kind, expected=expected, remedy=remedy))
        low, high = stream.ends[..., 0], stream.ends[..., 1]
        counted = name not in (*METRICS, TURNAROUND, SURVEY)
        if counted and ((low > 0) & np.isposinf(high)).any():
            faults.append(Fault(place, "counts known to be above a number are not written for the second engine", remedy=remedy))
        if name == SURVEY and ((low == high) & ((low <= 0) | (high >= 100.0))).any():
            faults.append(Fault(place, "scores at an end of their scale are not written for the second engine", remedy=remedy))
    return faults


def _plain(delay: Delay) -> bool:
    return delay.released == "so_far" and delay.pmf is not None and not delay.release_days and not delay.undated


@dataclass(frozen=True)
class Through:
    """What a stream came through.

    Attributes:
        share_reported: share of each cell that is reported by the as-of date, against (time, provider).
        selected: whether a site takes part (site,) and what that depends on, of each selection of sites.
    """

    share_reported: np.ndarray
    selected: list[tuple[np.ndarray, dict[str, Any]]]


def released(name: str, stream: Stream) -> tuple[Through, np.ndarray]:
    """What a stream came through, with its unknowns, and the ends of what is known of each cell, (time, provider, 2)."""
    (time, starts), *_ = stream.grid.coords.items()
    share, selected = np.ones((len(starts), 1)), []
    for barrier in stream.access.barriers:
        if isinstance(barrier, Delay):
            over = starts[:, None] + PERIOD[time] * (np.arange(barrier.maximum + 1) + 1)
            known = np.ones(over.shape, bool) if barrier.as_of is None else over <= np.datetime64(barrier.as_of, "D") + PERIOD["day"]
            share = share * (known @ np.asarray(barrier.pmf))[:, None]
        if isinstance(barrier, SiteSelection):
            sds = {"intercept": 1.5, "covariate": 1.0, "slope": barrier.slope_sd}
            unknown = {own: pm.Normal(f"{name}_{barrier.title}_{own}", 0.0, sd) for own, sd in sds.items()}
            selected.append((~np.isin(stream.grid.coords[barrier.dim].astype(str), barrier.absent), unknown))
    return Through(share, selected), stream.ends


@dataclass(frozen=True)
class Law:
    """A law of counts: a family of PyMC, its parameters over all cells (or one number for all), and its moments."""

    family: Any
    parameters: dict[str, Any]
    moments: Moments

    def at(self, cells: np.ndarray) -> dict[str, Any]:
        """Parameters of some cells."""
        return {name: value[cells.nonzero()] if value.ndim else value for name, value in self.parameters.items()}


def negative_binomial(mean: Any, k: Any) -> Law:
    """Overdispersed counts."""
    return Law(pm.NegativeBinomial, {"mu": mean, "alpha": k}, Moments(mean, mean + mean**2 / k))


def binomial(number: np.ndarray, chance: Any) -> Law:
    """Counts of trials."""
    return Law(pm.Binomial, {"n": number, "p": chance}, Moments(number * chance, number * chance * (1.0 - chance)))


def condition(name: str, law: Law, ends: np.ndarray) -> Moments:
    """Condition on counts between two ends, and tell what they are given these.

    Args:
        name: of the stream.
        law: of the counts.
        ends: (time, provider, 2) lower and upper ends, both included.
    """
    low, high = np.ceil(np.maximum(ends[..., 0], 0.0)), np.floor(ends[..., 1])
    known, hidden = low == high, (low != high) & np.isfinite(high)
    if known.any():
        law.family(name, **law.at(known), observed=low[known].astype(int))
    mean = pt.switch(known, np.where(known, low, 0.0), law.moments.mean)
    variance = pt.switch(known, 0.0, law.moments.variance)
    if not hidden.any():
        return Moments(mean, variance)
    within = _hidden(name, law, hidden, low[hidden], high[hidden])
    return Moments(*(pt.set_subtensor(whole[hidden.nonzero()], part) for whole, part in zip((mean, variance), within, strict=True)))


def _hidden(name: str, law: Law, cells: np.ndarray, low: np.ndarray, high: np.ndarray) -> Moments:
    """Add the chance of all that hidden counts may be; mean and variance given that they are one of these."""
    alike = (low == low[0]).all()
    count = (low[:1] if alike else low) + np.arange((high - low).max() + 1.0)[:, None]  # alike, a number is looked at once for all cells
    each = pm.logp(law.family.dist(**law.at(cells)), pt.as_tensor(count))
    each = pt.switch(count <= high, each, -np.inf)
    total = pt.logsumexp(each, axis=0, keepdims=True)
    pm.Potential(f"{name}_hidden", total.sum())
    weight = pt.exp(each - total)
    mean = (weight * count).sum(0)
    return Moments(mean, (weight * (count - mean) ** 2).sum(0))


def completed(reported: Moments, mean: Any, k: Any, share: np.ndarray) -> Moments:
    """Moments of overdispersed counts of which a share is reported.

    A negative binomial count has a gamma-distributed rate, of shape k; given n reports its shape is k + n, and what is not reported yet is
    Poisson of the rest of it.
    """
    rest = (1.0 - share) / (k / mean + share)
    still = Moments((k + reported.mean) * rest, (k + reported.mean) * rest * (1.0 + rest))
    return Moments(reported.mean + still.mean, still.variance + (1.0 + rest) ** 2 * reported.variance)


def measured(name: str, loc: Any, sd: Any, ends: np.ndarray) -> None:
    """Condition on normal measurements, (week, provider), between two ends or known.

    Args:
        name: of the stream.
        loc: mean.
        sd: standard deviation.
        ends: (week, provider, 2), on the scale on which they are normal.
    """
    low, high = ends[..., 0], ends[..., 1]
    known = np.isfinite(low) & (low == high)
    if known.any():
        pm.Normal(name, loc[known.nonzero()], sd[known.nonzero()], observed=low[known])
    below, above, between = (known < np.isfinite(high)) & np.isneginf(low), np.isfinite(low) & np.isposinf(high), _between(low, high)
    normal = pm.Normal.dist()
    for which, cells in (("below", below), ("above", above), ("between", between)):
        if not cells.any():
            continue
        at = cells.nonzero()
        score_low, score_high = ((np.where(np.isfinite(end), end, 0.0)[cells] - loc[at]) / sd[at] for end in (low, high))
        if which == "below":
            mass = pm.logcdf(normal, score_high)
        elif which == "above":
            mass = pm.logcdf(normal, -score_low)
        else:  # on the side where both tails are small
            upper = score_low > 0
            large = pm.logcdf(normal, pt.switch(upper, -score_low, score_high))
            small = pm.logcdf(normal, pt.switch(upper, -score_high, score_low))
            mass = large + pt.log1mexp(small - large)
        pm.Potential(f"{name}_{which}", mass.sum())


def _between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.isfinite(low) & np.isfinite(high) & (low < high)
