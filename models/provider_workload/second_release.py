"""What was released of a stream, in PyMC: its likelihood, and what counts are given it.

Counts that are known enter by their law's density, hidden ones by the sum of all that they may be, of which the mean and variance are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.barriers import Coarsening, Delay, Embargo, SiteAbsence, SiteSelection, Withheld
from bayestwin.errors import Fault

from .workload import BOOKINGS, MESSAGES, MODES, SURVEY, Stream, Workload

WRITTEN = (Coarsening, Delay, Embargo, SiteAbsence, SiteSelection, Withheld)
REMEDY = "leave --engine out, or write it in the model's second_release.py"
TOP = 100.0  # of the survey's scale
PERIOD = {"day": np.timedelta64(1, "D"), "week": np.timedelta64(7, "D")}


class Moments(NamedTuple):
    """Mean and variance."""

    mean: Any
    variance: Any


def not_written(data: Workload) -> list[Fault]:
    """Barriers of a study, and what was released of its streams, that this engine does not know."""
    return [fault for name, stream in data.streams.items() for fault in (*_barriers(name, stream), *_numbers(name, stream))]


def _barriers(name: str, stream: Stream) -> Iterator[Fault]:
    for barrier in stream.access.barriers:
        kind = type(barrier).model_fields["kind"].default
        if not isinstance(barrier, WRITTEN):
            yield Fault(f"stream {name!r}", "the barrier is not written for the second engine", "kind", value=kind, remedy=REMEDY)
        elif isinstance(barrier, Delay) and not _plain(barrier):
            expected = "what is released so far, by a stated pmf, on any day"
            yield Fault(f"stream {name!r}", "this delay is not written for the second engine", value=kind, expected=expected, remedy=REMEDY)


def _numbers(name: str, stream: Stream) -> Iterator[Fault]:
    low, high = stream.ends[..., 0], stream.ends[..., 1]
    if name in (*MESSAGES, *MODES, *BOOKINGS) and ((low > 0) & np.isposinf(high)).any():
        yield Fault(f"stream {name!r}", "counts known to be above a number are not written for the second engine", remedy=REMEDY)
    if name == SURVEY and ((low == high) & ((low <= 0) | (high >= TOP))).any():
        yield Fault(f"stream {name!r}", "scores at an end of their scale are not written for the second engine", remedy=REMEDY)


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
    # Of a period of which no report can be there yet, none says nothing.
    return Through(share, selected), np.where(share[..., None] > 0, stream.ends, [-np.inf, np.inf])


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
    """Condition on normal measurements, (week, provider), that are known or lie between two ends.

    Args:
        name: of the stream.
        loc: mean.
        sd: standard deviation.
        ends: (week, provider, 2), on the scale on which they are normal.
    """
    low, high = ends[..., 0], ends[..., 1]
    known, bounded_below, bounded_above = low == high, np.isfinite(low), np.isfinite(high)
    if known.any():
        pm.Normal(name, loc[known.nonzero()], sd[known.nonzero()], observed=low[known])
    kinds = {
        "below": bounded_above & ~bounded_below,
        "above": bounded_below & ~bounded_above,
        "between": bounded_below & bounded_above & ~known,
    }
    for kind, cells in kinds.items():
        if cells.any():
            at = cells.nonzero()
            first, last = ((np.where(np.isfinite(end), end, 0.0)[at] - loc[at]) / sd[at] for end in (low, high))
            pm.Potential(f"{name}_{kind}", _mass(kind, first, last).sum())


def _mass(kind: str, first: Any, last: Any) -> Any:
    """Log probability of a standard normal variable below the last end, above the first, or between the two."""
    normal = pm.Normal.dist()
    if kind == "below":
        return pm.logcdf(normal, last)
    if kind == "above":
        return pm.logcdf(normal, -first)
    upper = first > 0  # there, on the side where both tails are small
    large = pm.logcdf(normal, pt.switch(upper, -first, last))
    return large + pt.log1mexp(pm.logcdf(normal, pt.switch(upper, -last, first)) - large)
