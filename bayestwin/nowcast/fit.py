"""The posterior of one series: Newton's method on the coefficients, variance components by their fixed point.

Given the blocks' sds and the dispersions the posterior of the coefficients is close to normal (Laplace). Each step is
one of Fisher scoring; after it, each block's variance moves to the value that its coefficients and their posterior
variances imply, and each dispersion to Pearson's statistic over its degrees of freedom. Shapes
are fixed and everything is compiled once.

Source: Schall (1991), "Estimation in generalized linear models with random effects", Biometrika 78(4); Wood & Fasiolo
(2017), "A generalized Fellner-Schall method for smoothing parameter optimization", Biometrics 73(4).
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as linalg
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from bayestwin.laws.hazard import directions, log_probability
from bayestwin.nowcast.model import Block, Shape, known_only, log_rate, logits, split

EARLY = 7  # delays below have a dispersion of their own
import os
STEPS = int(os.environ.get("STEPS", 24))
LARGEST_STEP = 1.0
PRIOR_CELLS = 50.0


class Data(NamedTuple):
    """One series in fixed shapes.

    Attributes:
        counts: (time, delay) counts, 0 where not seen.
        seen: (time, delay) mask of the cells to be fitted.
        kinds: kinds of the event and report periods, (times + delays - 1,).
        offset: (time, delay) logit hazards to which the coefficients add.
        level: first guess of the log expected counts.
    """

    counts: Float[Array, "time delay"]
    seen: Bool[Array, "time delay"]
    kinds: Int[Array, " period"]
    offset: Float[Array, "time delay"]
    level: Float[Array, ""]


class Fit(NamedTuple):
    """A posterior that is normal in the coefficients.

    Attributes:
        mean: (coefficient,) trend blocks, then hazard blocks.
        root: (coefficient, coefficient) lower triangle; its product with its transpose is the posterior precision.
        variance: (block,) prior variances.
        dispersion: (2,) of early and late cells: variance = dispersion · mean, ≥ 1.
        logits: (time, delay) fitted logit hazards.
        step: largest change of a coefficient in the last step.
    """

    mean: Float[Array, " coefficient"]
    root: Float[Array, "coefficient coefficient"]
    variance: Float[Array, " block"]
    dispersion: Float[Array, " 2"]
    logits: Float[Array, "time delay"]
    step: Float[Array, ""]


class _Normal(NamedTuple):
    """Gradient and information of the likelihood, the latter by band of delay; and Pearson's sums."""

    gradient: Float[Array, " coefficient"]
    information: Float[Array, "2 coefficient coefficient"]
    residual: Float[Array, "time delay"]
    mean: Float[Array, "time delay"]


def band_of(delays: int) -> np.ndarray:
    """0 for early delays, 1 for late ones."""
    return (np.arange(delays) >= EARLY).astype(int)


def _designs(shape: Shape, trend: Mapping[str, Block], hazards: Mapping[str, Block], kinds: Array) -> tuple[Array, Array]:
    """Columns of log rate (time, coefficient) and logit hazard (delay, time, coefficient): delays first is faster."""

    def rate(x: Array) -> Array:
        return log_rate(shape, split(trend, x), kinds)

    def logit(x: Array) -> Array:
        return logits(shape, known_only(shape, split(hazards, x)), kinds).T

    sizes = [sum(block.size for block in blocks.values()) for blocks in (trend, hazards)]
    return jax.vmap(rate, out_axes=-1)(jnp.eye(sizes[0])), jax.vmap(logit, out_axes=-1)(jnp.eye(sizes[1]))


def _normal(data: Data, designs: tuple[Array, Array], x: Array, dispersion: Array) -> _Normal:
    """Score and Fisher information of the seen cells at x."""
    rates, hazards = designs
    logit = data.offset.T + hazards @ x[rates.shape[1] :]
    mean = jnp.exp(data.level + rates @ x[: rates.shape[1]] + log_probability(logit.T).T)
    scale = jnp.where(data.seen.T, 1.0 / dispersion[band_of(mean.shape[0])][:, None], 0.0)
    score, weight = (data.counts.T - mean) * scale, mean * scale
    slope = directions(logit, hazards)
    gradient = jnp.concatenate([rates.T @ score.sum(0), score.ravel() @ slope.reshape(-1, slope.shape[-1])])
    bands = (slice(0, EARLY), slice(EARLY, None))
    pieces = [_information(rates, slope[band], weight[band]) for band in bands]
    return _Normal(gradient, jnp.stack(pieces), (data.counts.T - mean).T, mean.T)


def _information(rates: Array, slope: Array, weight: Array) -> Array:
    """Information matrix of some delays: the trend's columns are the same for all delays of a time."""
    root = jnp.sqrt(weight)
    scaled = root[..., None] * slope
    flat = scaled.reshape(-1, slope.shape[-1])
    corner = rates.T @ (weight.sum(0)[:, None] * rates)
    side = rates.T @ (root[..., None] * scaled).sum(0)
    return jnp.block([[corner, side], [side.T, flat.T @ flat]])


def _dispersion(found: _Normal, seen: Array, used: Array) -> Array:
    """Pearson's statistic over its degrees of freedom, with what a few cells of dispersion one would add."""
    bands = jax.nn.one_hot(band_of(seen.shape[1]), 2) * seen[..., None]
    # Fletcher's correction: a rare report in a cell of tiny mean would otherwise outweigh all others.
    mean = jnp.einsum("td,tdb->b", found.residual / found.mean, bands) / bands.sum((0, 1))
    statistic = jnp.einsum("td,tdb->b", found.residual**2 / found.mean, bands) / (1.0 + mean)
    return jnp.maximum((statistic + PRIOR_CELLS) / (jnp.maximum(bands.sum((0, 1)) - used, 1.0) + PRIOR_CELLS), 1.0)


@partial(jax.jit, static_argnums=(0, 1, 2))
def fit(shape: Shape, trend: tuple[tuple[str, Block], ...], hazards: tuple[tuple[str, Block], ...], data: Data) -> Fit:
    """Posterior of a series' coefficients.

    Args:
        shape: of the nowcast.
        trend, hazards: their blocks as items.
        data: of the series.
    """
    blocks = [*dict(trend).values(), *dict(hazards).values()]
    owner = np.repeat(np.arange(len(blocks)), [block.size for block in blocks])
    sizes, start = np.array([block.size for block in blocks]), jnp.array([block.sd**2 for block in blocks])
    weight = np.array([np.inf if block.weight is None else block.weight for block in blocks])
    fixed, weight = np.isinf(weight), np.where(np.isinf(weight), 0.0, weight)
    designs = _designs(shape, dict(trend), dict(hazards), data.kinds)

    def step(index: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        x, variance, dispersion, _ = state
        found = _normal(data, designs, x, dispersion)
        prior = 1.0 / variance[owner]
        factor = linalg.cho_factor(found.information.sum(0) + jnp.diag(prior), lower=True)
        change = linalg.cho_solve(factor, found.gradient - prior * x)
        x = x + change * jnp.minimum(1.0, LARGEST_STEP / jnp.abs(change).max())
        inverse = linalg.cho_solve(factor, jnp.eye(len(owner)))
        squares = jax.ops.segment_sum(x**2, owner, len(blocks))
        free = sizes - jax.ops.segment_sum(jnp.diag(inverse), owner, len(blocks)) / variance
        moved = (squares + weight * start) / (jnp.maximum(free, 0.0) + weight)
        late = index >= 4
        variance = jnp.where(fixed | ~late, variance, moved)
        used = jnp.einsum("ij,bij->b", inverse, found.information)
        dispersion = jnp.where(late, _dispersion(found, data.seen, used), dispersion)
        return x, variance, dispersion, jnp.abs(change).max()

    begin = (jnp.zeros(len(owner)), start, jnp.ones(2), jnp.array(jnp.inf))
    x, variance, dispersion, size = jax.lax.fori_loop(0, STEPS, step, begin)
    found = _normal(data, designs, x, dispersion)
    root = jnp.linalg.cholesky(found.information.sum(0) + jnp.diag(1.0 / variance[owner]))
    return Fit(x, root, variance, dispersion, data.offset + (designs[1] @ x[designs[0].shape[1] :]).T, size)
