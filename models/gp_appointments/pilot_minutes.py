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
from bayestwin.components.informed import Evidence, Look, seen, site
from bayestwin.components.trend import cosine_basis
from bayestwin.laws.counts import agreement

from .workload import Workload

SHAPE, SHAPES = 4.0, (0.5, 50.0)  # a typical shape of the generalised gamma, and those worth trying
STEPS = 8  # Gauss-Newton steps of an area's fit
LEAST_MISFIT = 0.01  # the least lasting misfit of a band to reckon with, on the log-odds
AREA_LAW = ("area_null", "area_minutes", "area_spread")  # in the order in which the model draws them


def durations(data: Workload) -> tuple[dict[str, Look], dict[str, float]]:
    """Looks at the durations' effects and starting values of their scales."""
    counts = np.where(data.durations_seen[..., None], data.durations, 0)
    known = data.durations_seen.any(0)
    share = (counts.sum(0) + 0.5) / (counts.sum((0, 2))[:, None] + 3.5)
    weeks = data.durations_seen.sum(0)[:, None]
    agreed = agreement(counts, data.durations_seen)
    edges = np.log(np.maximum(data.band.edges, 0.5))
    middle = 0.5 * (edges[1:] + edges[:-1])
    shown = share[:, :-1] / share[:, :-1].sum(1, keepdims=True)
    mean = shown @ middle
    log_sd = 0.5 * np.log((shown * (middle - mean[:, None]) ** 2).sum(1))
    null = np.log(share[:, -1] / (1.0 - share[:, -1]))
    tilt, scale = _weekly_tilt(counts.sum(1)[:, :-1], middle - middle.mean())
    basis, _ = cosine_basis(len(counts))
    logit = np.log(share[:, :-1] / share[:, -1:])
    fisher = (weeks * agreed)[..., None] * (share[:, :-1, None] * np.eye(len(middle)) - share[:, :-1, None] * share[:, None, :-1])
    information, rotation = np.linalg.eigh(fisher)
    noise = (np.eye(len(middle)) / share[:, :-1, None] + 1.0 / share[:, -1:, None]) / (np.maximum(weeks, 1) * agreed)[..., None]
    misfit, fit = _family(logit, noise, data.band.edges, np.array([null.mean(), mean.mean(), log_sd.mean()]))
    looks = {
        "band_logit": seen(logit, np.maximum(information, 0.0), rotation),
        "tilt_coefficient": seen(basis @ tilt, len(data.area) * agreed * scale / 2.0),
    }
    start = {"band_sd": misfit, "band_concentration": agreed, "duration_shape": fit.shape, "walk_minutes": 0.01, "shock_minutes": 0.005}
    for j, (level, spread) in enumerate((("null_level", "sd_null"), ("minutes_level", "sd_minutes"), ("spread_level", "sd_spread"))):
        looks[AREA_LAW[j]] = fit.given_the_others(j, known)
        looks[level] = pooled(fit.alone(j, known), site(spread))
        start[spread] = max(float(fit.value[:, j].std()), 0.01)
    return looks, start


@dataclass(frozen=True)
class FamilyFit:
    """Each area's null log-odds, mean and log sd of log minutes as normal estimates, to first order in the log shape.

    Attributes:
        shape: the nation's shape.
        value: (area, 3) estimates at that shape.
        by_shape: (area, 3) what a unit of log shape adds to them.
        covariance: (area, 3, 3) of the estimates.
    """

    shape: float
    value: np.ndarray
    by_shape: np.ndarray
    covariance: np.ndarray

    def alone(self, j: int, known: np.ndarray) -> Look:
        """Look at one of the three, the other two unknown."""
        return lambda sites: Evidence(self._at(sites)[:, j], known / self.covariance[:, j, j])

    def given_the_others(self, j: int, known: np.ndarray) -> Look:
        """Look at one of the three, those before it known."""
        own = self.covariance[:, :j, j]
        slope = np.linalg.solve(self.covariance[:, :j, :j], own[..., None])[..., 0]
        information = known / (self.covariance[:, j, j] - (own * slope).sum(1))

        def look(sites: Mapping[str, Array]) -> Evidence:
            value = self._at(sites)
            off = [(sites[name] - value[:, i]) * slope[:, i] for i, name in enumerate(AREA_LAW[:j])]
            return Evidence(value[:, j] + sum(off), information)

        return look

    def _at(self, sites: Mapping[str, Array]) -> Array:
        if "duration_shape" not in sites:  # the log-normal family has none
            return jnp.asarray(self.value)
        return self.value + self.by_shape * jnp.log(sites["duration_shape"] / self.shape)[..., None]


def _family(logit: np.ndarray, noise: np.ndarray, edges: np.ndarray, start: np.ndarray) -> tuple[float, FamilyFit]:
    """The family fitted to the bands: the shape to the nation's, the rest to each area's by Gauss-Newton steps.

    Args:
        logit: (area, band) log-odds of the shown bands against Unknown.
        noise: (area, band, band) covariance of these by the chance of the counts.
        edges: edges of the bands, minutes.
        start: null log-odds, mean and log sd of log minutes to begin with.

    Returns:
        The sd of what the family cannot explain, and the fit.
    """
    lower, upper = [-np.inf] * 3 + [np.log(SHAPES[0])], [np.inf] * 3 + [np.log(SHAPES[1])]
    nation = least_squares(lambda x: _band_logits(x, edges) - logit.mean(0), np.append(start, np.log(SHAPE)), bounds=(lower, upper)).x
    at = np.tile(nation, (len(logit), 1))
    for _ in range(STEPS):
        step = np.linalg.pinv(_slopes(at, edges)[..., :3]) @ (logit - _band_logits(at, edges))[..., None]
        at[:, :3] += np.clip(step[..., 0], -0.5, 0.5)
    slopes, left = _slopes(at, edges), logit - _band_logits(at, edges)
    bands = logit.shape[1]
    beyond = float((left**2).mean() * bands / (bands - 3) - np.einsum("aii->a", noise).mean() / bands)
    misfit = float(np.sqrt(max(beyond, LEAST_MISFIT**2)))
    weight = np.linalg.inv(misfit**2 * np.eye(bands) + noise)
    weighted = slopes[..., :3].swapaxes(1, 2) @ weight
    covariance = np.linalg.inv(weighted @ slopes[..., :3])
    by_shape = -(covariance @ weighted @ slopes[..., 3:])[..., 0]
    return misfit, FamilyFit(float(np.exp(nation[3])), at[:, :3], by_shape, covariance)


def _slopes(at: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Derivatives of the bands' log-odds, (..., band, parameter)."""
    steps = 1e-4 * np.eye(4)
    return np.stack([(_band_logits(at + h, edges) - _band_logits(at - h, edges)) / 2e-4 for h in steps], axis=-1)


def _band_logits(at: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Log-odds of the shown bands against Unknown under a generalised gamma.

    Args:
        at: (..., 4) null log-odds, mean and log sd of log minutes, log shape.
        edges: edges of the bands, minutes.
    """
    null, mean, log_sd, shape = np.moveaxis(np.asarray(at, float), -1, 0)[..., None]
    shape = np.exp(shape)
    z = (np.log(edges) - mean) / np.exp(log_sd)
    below = gammainc(shape, np.exp(digamma(shape) + np.sqrt(polygamma(1, shape)) * z))
    shown = np.maximum(np.diff(below), 1e-12) / (1.0 + np.exp(null))
    return np.log(shown) - np.log1p(-shown.sum(-1, keepdims=True))


def _weekly_tilt(counts: np.ndarray, log_minutes: np.ndarray) -> tuple[np.ndarray, float]:
    """Each week's tilt towards longer bands, about zero, and the variance of log minutes that scales it."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mean = share @ log_minutes
    scale = float(share.mean(0) @ (log_minutes - mean.mean()) ** 2)
    return (mean - mean.mean()) / scale, scale
