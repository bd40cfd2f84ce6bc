"""A cheap first look at the durations: each area's law by the family's own bands, and the weekly tilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import least_squares
from scipy.special import digamma, gammainc, polygamma

from bayestwin.components.hierarchy import pooled
from bayestwin.components.informed import Look, seen, site
from bayestwin.components.trend import cosine_basis

from .workload import Workload

BAND_AGREEMENT = 5000.0  # a typical Dirichlet-multinomial concentration of weekly band shares
SHAPE = 4.0  # a typical shape of the generalised gamma
LEAST_MISFIT = 0.01  # the least lasting misfit of a band to reckon with, on the log-odds
AREA_LAW = ("area_null", "area_minutes", "area_spread")  # in the order in which the model draws them


def durations(data: Workload) -> tuple[dict[str, Look], dict[str, float]]:
    """Looks at the durations' effects and starting values of their scales."""
    counts = np.where(data.durations_seen[..., None], data.durations, 0)
    known = data.durations_seen.any(0)
    share = (counts.sum(0) + 0.5) / (counts.sum((0, 2))[:, None] + 3.5)
    weeks = data.durations_seen.sum(0)[:, None]
    edges = np.log(np.maximum(data.band.edges, 0.5))
    middle = 0.5 * (edges[1:] + edges[:-1])
    shown = share[:, :-1] / share[:, :-1].sum(1, keepdims=True)
    mean = shown @ middle
    log_sd = 0.5 * np.log((shown * (middle - mean[:, None]) ** 2).sum(1))
    null = np.log(share[:, -1] / (1.0 - share[:, -1]))
    tilt, scale = _weekly_tilt(counts.sum(1)[:, :-1], middle - middle.mean())
    basis, _ = cosine_basis(len(counts))
    logit = np.log(share[:, :-1] / share[:, -1:])
    misfit, fit = _family(logit, data.band.edges, np.array([null.mean(), mean.mean(), log_sd.mean()]))
    looks = {
        "band_logit": seen(logit, weeks * BAND_AGREEMENT * share[:, :-1] * (1.0 - share[:, :-1])),
        "tilt_coefficient": seen(basis @ tilt, len(data.area) * BAND_AGREEMENT * scale / 2.0),
    }
    start = {"band_sd": misfit, "band_concentration": BAND_AGREEMENT, "duration_shape": SHAPE, "walk_minutes": 0.01, "shock_minutes": 0.005}
    for j, (level, spread) in enumerate((("null_level", "sd_null"), ("minutes_level", "sd_minutes"), ("spread_level", "sd_spread"))):
        looks[AREA_LAW[j]] = fit.given_the_others(j, known)
        looks[level] = pooled(fit.alone(j, known), site(spread))
        start[spread] = max(float(fit.value[:, j].std()), 0.01)
    return looks, start


@dataclass(frozen=True)
class FamilyFit:
    """Each area's null log-odds, mean and log sd of log minutes as normal estimates, to first order in the log shape.

    Attributes:
        value: (area, 3) estimates at the usual shape.
        by_shape: (3,) what a unit of log shape adds to them.
        covariance: (3, 3) of the estimates.
    """

    value: np.ndarray
    by_shape: np.ndarray
    covariance: np.ndarray

    def alone(self, j: int, known: np.ndarray) -> Look:
        """Look at one of the three, the other two unknown."""
        return lambda sites: (self._at(sites)[:, j], known / self.covariance[j, j])

    def given_the_others(self, j: int, known: np.ndarray) -> Look:
        """Look at one of the three, those before it known."""
        before, own = self.covariance[:j, :j], self.covariance[:j, j]
        slope = np.linalg.solve(before, own) if j else own
        information = known / (self.covariance[j, j] - own @ slope)

        def look(sites: Mapping[str, Array]) -> tuple[Array, Array]:
            value = self._at(sites)
            off = [(sites[name] - value[:, i]) * slope[i] for i, name in enumerate(AREA_LAW[:j])]
            return value[:, j] + sum(off), information

        return look

    def _at(self, sites: Mapping[str, Array]) -> Array:
        if "duration_shape" not in sites:  # the log-normal family has none
            return jnp.asarray(self.value)
        return self.value + self.by_shape * jnp.log(sites["duration_shape"] / SHAPE)[..., None]


def _family(logit: np.ndarray, edges: np.ndarray, start: np.ndarray) -> tuple[float, FamilyFit]:
    """The family fitted to the areas' bands: what it cannot explain of their differences is misfit.

    The nation's bands are fitted by least squares; areas and the shape follow to first order.
    """
    usual = np.log(SHAPE)
    centre = least_squares(lambda x: _band_logits(x, usual, edges) - logit.mean(0), start).x
    steps = 1e-4 * np.eye(4)
    at = np.append(centre, usual)
    slopes = np.stack(
        [(_band_logits((at + h)[:3], (at + h)[3], edges) - _band_logits((at - h)[:3], (at - h)[3], edges)) / 2e-4 for h in steps], 1
    )
    solve = np.linalg.pinv(slopes[:, :3])
    deviations = (logit - logit.mean(0)) @ solve.T
    left = logit - logit.mean(0) - deviations @ slopes[:, :3].T
    misfit = max(float(np.sqrt(left.var() * slopes.shape[0] / (slopes.shape[0] - 3))), LEAST_MISFIT)
    return misfit, FamilyFit(centre + deviations, -solve @ slopes[:, 3], misfit**2 * solve @ solve.T)


def _band_logits(x: np.ndarray, log_shape: float, edges: np.ndarray) -> np.ndarray:
    """Log-odds of the shown bands against Unknown under a generalised gamma."""
    (null, mean, log_sd), shape = x, np.exp(log_shape)
    z = (np.log(edges) - mean) / np.exp(log_sd)
    below = gammainc(shape, np.exp(digamma(shape) + np.sqrt(polygamma(1, shape)) * z))
    shown = np.maximum(np.diff(below), 1e-12) / (1.0 + np.exp(null))
    return np.log(shown) - np.log1p(-shown.sum())


def _weekly_tilt(counts: np.ndarray, log_minutes: np.ndarray) -> tuple[np.ndarray, float]:
    """Each week's tilt towards longer bands, about zero, and the variance of log minutes that scales it."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mean = share @ log_minutes
    scale = float(share.mean(0) @ (log_minutes - mean.mean()) ** 2)
    return (mean - mean.mean()) / scale, scale
