"""A nowcast of every series of a reporting triangle as of a date."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bayestwin.nowcast.calendar import day_kinds
from bayestwin.nowcast.fit import Data, Fit, fit
from bayestwin.nowcast.model import Model, Shape, leaning_model, own_model, plain_offset
from bayestwin.nowcast.predict import cell_means, remaining
from bayestwin.nowcast.triangle import DAY, Triangle, recent
from bayestwin.nowcast.undated import allocated, undated_odds


@dataclass(frozen=True)
class Settings:
    """What a nowcast reports, and how finely.

    Attributes:
        shape: periods and delays in use.
        last: event periods reported, the last of those in use.
        within: how many delays a total counts, each at most `shape.delays`, increasing; one total for each.
        draws: posterior draws.
        seed: of the draws.
    """

    shape: Shape = field(default_factory=Shape)
    last: int = 35
    within: tuple[int, ...] = (47,)
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            not self.within
            or sorted(set(self.within)) != list(self.within)
            or not 0 < self.within[0] <= self.within[-1] <= self.shape.delays
        ):
            raise ValueError(f"within must increase from at least 1 to at most {self.shape.delays} delays, got {self.within}")
        if not 0 < self.last <= self.shape.times:
            raise ValueError(f"last must lie between 1 and {self.shape.times} periods, got {self.last}")


@dataclass(frozen=True)
class _Lead:
    """What a fitted series gives to those that lean on it.

    Attributes:
        offset: (time, delay) fitted logit hazards.
        ahead: (draw, last, delay) how the hazards of cells to come depart from them.
    """

    offset: np.ndarray
    ahead: jax.Array


def nowcast(
    triangle: Triangle,
    as_of: date | np.datetime64,
    lead: str | None = None,
    settings: Settings | None = None,
    undated: np.ndarray | None = None,
) -> xr.Dataset:
    """Posterior draws of how many events happened, from what was reported by a date.

    Cells reported after `as_of` are not looked at. A total never falls below what is reported; negative cells
    (corrections) are kept in what is reported, but the reporting delay is not learnt from them.

    Args:
        triangle: reporting triangle of one or several series, possibly known beyond `as_of`.
        as_of: last day whose reports count; no later than the last event date.
        lead: series on whose reporting delay the others lean; None for each by itself. It should be well filled.
        settings: what to report; by default the totals of the last 35 days within 47 days of delay.
        undated: (time, series) reports, by report period, that do not say when the event happened; they are then part of
            the totals, but not of `reported`. Periods after `as_of` are not looked at.

    Returns:
        `total` (draw, time, series, within) draws; `reported` (time, series, within) events known so far; `step`
        (series) the last change of a coefficient in the fit, small where it has converged; `dispersion` (series, band).

    Raises:
        ValueError: if `as_of` lies outside the triangle, `lead` is not one of its series, or `undated` is not shaped
            (time, series).

    Source: decision 8 (docs/decisions/0008-nowcast.md).

    Example:
        >>> rng = np.random.default_rng(1)
        >>> counts = rng.poisson(20.0 * 0.5 ** np.arange(1, 8), (60, 7))[..., None].astype(float)
        >>> days = np.arange("2024-02-01", "2024-04-01", dtype="datetime64[D]")
        >>> known = Triangle(counts, np.ones(counts.shape, bool), days, ("clinic",))
        >>> small = Settings(Shape(times=42, delays=7, knots=(0, 1, 2, 3, 6), late=(6,)), last=7, within=(7,), draws=200)
        >>> answer = nowcast(known, days[-1], settings=small)
        >>> bool((answer.total >= answer.reported).all())
        True
    """
    settings = settings or Settings()
    with jax.enable_x64(True):
        return _nowcast(triangle, as_of, lead, settings, undated)


def _nowcast(
    triangle: Triangle, as_of: date | np.datetime64, lead: str | None, settings: Settings, undated: np.ndarray | None
) -> xr.Dataset:
    """The leading series first, then the others."""
    if lead is not None and lead not in triangle.series:
        raise ValueError(f"lead must be a series of the triangle, got {lead!r}")
    known = recent(triangle, as_of, settings.shape.times, settings.shape.delays)
    if undated is not None and undated.shape != (len(triangle.dates), len(triangle.series)):
        raise ValueError(f"undated must be shaped (time, series) like the triangle, got {undated.shape}")
    order = sorted(range(len(known.series)), key=lambda index: known.series[index] != lead)
    given: _Lead | None = None
    totals, fits = {}, {}
    for index in order:
        totals[index], fits[index], found = _one(known, index, given, settings, leads=known.series[index] == lead)
        if undated is not None:
            loose = _lined_up(undated[:, index], triangle, known)
            totals[index] = totals[index] + _undated(known, index, fits[index], given, settings, loose, totals[index])[..., None]
        given = found or given
    return _dataset(known, as_of, settings, totals, fits)


def series_data(known: Triangle, index: int, shape: Shape, offset: np.ndarray) -> Data:
    """One series of a triangle in the shape that a fit wants."""
    counts = known.counts[..., index]
    seen = known.seen[..., index] & (counts >= 0)
    ahead = known.dates[-1] + known.step * DAY * np.arange(1, shape.delays)
    place = known.places[index] if known.places else None
    kinds = day_kinds(np.concatenate([known.dates, ahead]), place) if shape.weekdays else np.zeros(shape.periods, int)
    usual = np.where(seen, counts, 0.0).sum() / max(seen.any(1).sum(), 1)
    return Data(*map(jnp.asarray, (np.where(seen, counts, 0.0), seen, kinds, offset, np.log(max(usual, 0.1)))))


def _one(known: Triangle, index: int, lead: _Lead | None, settings: Settings, leads: bool) -> tuple[np.ndarray, Fit, _Lead | None]:
    """Totals (draw, time, within) of a series, its fit, and what it gives to others if it leads."""
    shape, last = settings.shape, settings.last
    model: Model = leaning_model(shape) if lead else own_model(shape)
    data = series_data(known, index, shape, lead.offset if lead else plain_offset(shape))
    fitted = fit(model, data)
    offset = data.offset[None, -last:] + (lead.ahead if lead else 0.0)
    key = jax.random.fold_in(jax.random.key(settings.seed), index)
    means, logit = cell_means(model, settings.draws, last, key, data, fitted, offset)
    seen = known.seen[-last:, :, index]
    starts = np.array([0, *settings.within[:-1]])
    upto = slice(0, settings.within[-1])
    rng = np.random.default_rng([settings.seed, index])
    coming = remaining(rng, np.asarray(means)[..., upto], seen[:, upto], np.asarray(fitted.dispersion), starts)
    total = (coming + np.add.reduceat(known.counts[-last:, upto, index], starts, axis=-1)).cumsum(-1)
    given = _Lead(np.asarray(fitted.logits), jnp.where(seen, 0.0, logit - fitted.logits[-last:])) if leads else None
    return total, fitted, given


def _lined_up(undated: np.ndarray, triangle: Triangle, known: Triangle) -> np.ndarray:
    """Undated reports of the periods in use; 0 before the triangle's first."""
    rows = ((known.dates - triangle.dates[0]) / (known.step * DAY)).astype(int)
    return np.where(rows >= 0, undated[np.maximum(rows, 0)], 0)


def _undated(
    known: Triangle, index: int, fitted: Fit, lead: _Lead | None, settings: Settings, undated: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """Undated events (draw, time): those reported, shared among event periods, and those to come."""
    shape, last = settings.shape, settings.last
    model = leaning_model(shape) if lead else own_model(shape)
    data = series_data(known, index, shape, lead.offset if lead else plain_offset(shape))
    key = jax.random.fold_in(jax.random.key(settings.seed), index)
    means, _ = cell_means(model, settings.draws, shape.times, key, data, fitted, data.offset[None])
    rng = np.random.default_rng([settings.seed, index, 1])
    reported = allocated(rng, np.asarray(means), undated)[:, -last:]
    period = np.add.outer(np.arange(shape.times), np.arange(shape.delays))
    dated = np.bincount(period.ravel(), known.counts[..., index].ravel(), shape.periods)[: shape.times]
    odds = undated_odds(rng, undated[-last:], dated[-last:], settings.draws)
    coming = total[..., -1] - known.reported(settings.within[-1])[-last:, index]
    return reported + rng.poisson(coming * odds[:, None])


def _dataset(
    known: Triangle, as_of: date | np.datetime64, settings: Settings, totals: dict[int, np.ndarray], fits: dict[int, Fit]
) -> xr.Dataset:
    """Labelled answer."""
    order: Iterable[int] = range(len(known.series))
    reported = np.stack([known.reported(delays)[-settings.last :] for delays in settings.within], axis=-1)
    return xr.Dataset(
        {
            "total": (("draw", "time", "series", "within"), np.stack([totals[i] for i in order], axis=2)),
            "reported": (("time", "series", "within"), reported),
            "step": (("series",), np.array([float(fits[i].step) for i in order])),
            "dispersion": (("series", "band"), np.array([np.asarray(fits[i].dispersion) for i in order])),
        },
        coords={
            "time": known.dates[-settings.last :].astype("datetime64[ns]"),
            "series": list(known.series),
            "within": list(settings.within),
            "band": ["early", "late"],
        },
        attrs={"as_of": str(np.datetime64(as_of, "D")), "seed": settings.seed},
    )
