"""The posterior of one series: Newton's method on the coefficients, variance components by their fixed point.

Given the blocks' sds and the dispersions the posterior of the coefficients is close to normal (Laplace). Each step is
one of Fisher scoring; after it, each block's variance moves to the value that its coefficients and their posterior
variances imply, and each dispersion to Pearson's statistic over its degrees of freedom. Shapes are fixed and all is
compiled once.

Source: Schall (1991), "Estimation in generalized linear models with random effects", Biometrika 78(4); Wood & Fasiolo
(2017), "A generalized Fellner-Schall method for smoothing parameter optimization", Biometrics 73(4).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as linalg
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from bayestwin.laws.hazard import directions, log_probability
from bayestwin.nowcast.model import Model, known_only, log_rate, logits, split

EARLY = 7  # delays below it have a dispersion of their own
BEFORE_SPREADS = 4  # steps of the coefficients alone
STEPS = (11, 40)  # at least, at most
TOLERANCE = 0.02  # of the largest change of a coefficient
LARGEST_STEP = 1.0
LEAST_MEAN = 1e-6  # of a cell, so that one that cannot have a report divides nothing by zero
PRIOR_CELLS = 50.0  # cells of dispersion one that the prior is worth


class Data(NamedTuple):
    """One series in fixed shapes.

    Attributes:
        counts: (time, delay) counts, 0 where not seen.
        seen: (time, delay) mask of the cells to be fitted.
        kinds: (period,) kinds of the event and report periods.
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


class Spreads(NamedTuple):
    """Prior variances and dispersions.

    Attributes:
        variance: (block,) prior variances.
        dispersion: (2,) of early and late cells.
    """

    variance: Float[Array, " block"]
    dispersion: Float[Array, " 2"]


class _Normal(NamedTuple):
    """Gradient and information of the likelihood, the latter by band of delay; means and residuals of the cells."""

    gradient: Float[Array, " coefficient"]
    information: Float[Array, "2 coefficient coefficient"]
    residual: Float[Array, "delay time"]
    mean: Float[Array, "delay time"]


def band_of(delays: int) -> np.ndarray:
    """0 for early delays, 1 for late ones."""
    return (np.arange(delays) >= EARLY).astype(int)


def designs(model: Model, kinds: Array) -> tuple[Float[Array, "time coefficient"], Float[Array, "delay time coefficient"]]:
    """Columns of log rate and of logit hazard; delays first is faster."""
    shape = model.shape

    def rate(x: Array) -> Array:
        return log_rate(shape, split(model.trend, x), kinds)

    def logit(x: Array) -> Array:
        return logits(shape, known_only(shape, split(model.hazards, x)), kinds).T

    sizes = [sum(block.size for _, block in blocks) for blocks in (model.trend, model.hazards)]
    return jax.vmap(rate, out_axes=-1)(jnp.eye(sizes[0])), jax.vmap(logit, out_axes=-1)(jnp.eye(sizes[1]))


def _normal(data: Data, columns: tuple[Array, Array], x: Array, dispersion: Array) -> _Normal:
    """Score and Fisher information of the seen cells at x."""
    rates, hazards = columns
    logit = data.offset.T + hazards @ x[rates.shape[1] :]
    mean = jnp.exp(data.level + rates @ x[: rates.shape[1]] + log_probability(logit.T).T)
    scale = jnp.where(data.seen.T, 1.0 / dispersion[band_of(mean.shape[0])][:, None], 0.0)
    score, weight = (data.counts.T - mean) * scale, mean * scale
    slope = directions(logit, hazards)
    gradient = jnp.concatenate([rates.T @ score.sum(0), score.ravel() @ slope.reshape(-1, slope.shape[-1])])
    pieces = [_information(rates, slope[band], weight[band]) for band in (slice(0, EARLY), slice(EARLY, None))]
    return _Normal(gradient, jnp.stack(pieces), data.counts.T - mean, mean)


def _information(rates: Array, slope: Array, weight: Array) -> Array:
    """Information matrix of some delays: the trend's columns are the same for all delays of a time."""
    root = jnp.sqrt(weight)[..., None]
    scaled = root * slope
    flat = scaled.reshape(-1, slope.shape[-1])
    corner = rates.T @ (weight.sum(0)[:, None] * rates)
    side = rates.T @ (root * scaled).sum(0)
    return jnp.block([[corner, side], [side.T, flat.T @ flat]])


def _dispersion(found: _Normal, seen: Array, used: Array) -> Array:
    """Pearson's statistic over its degrees of freedom, after what a few cells of dispersion one would add.

    Source: Fletcher (2012), "Estimating overdispersion when fitting a generalized linear model to sparse data",
    Biometrika 99(1): a rare report in a cell of tiny mean would otherwise outweigh all others.
    """
    bands = jax.nn.one_hot(band_of(seen.shape[1]), 2)[:, None] * seen.T[..., None]
    cells = bands.sum((0, 1))
    mean = jnp.maximum(found.mean, LEAST_MEAN)
    rare = jnp.einsum("dt,dtb->b", found.residual / mean, bands) / (cells + PRIOR_CELLS)
    statistic = jnp.einsum("dt,dtb->b", found.residual**2 / mean, bands) / (1.0 + rare)
    return jnp.maximum((statistic + PRIOR_CELLS) / (jnp.maximum(cells - used, 1.0) + PRIOR_CELLS), 1.0)


@partial(jax.jit, static_argnums=0)
def fit(model: Model, data: Data, fixed: Spreads | None = None) -> Fit:
    """Posterior of a series' coefficients.

    Args:
        model: of the series.
        data: of the series.
        fixed: variances and dispersions, where they are not to be estimated.
    """
    blocks = [block for _, block in model.blocks]
    sizes = np.array([block.size for block in blocks])
    owner = np.repeat(np.arange(len(blocks)), sizes)
    start = jnp.array([block.sd**2 for block in blocks])
    free = np.array([block.weight is not None for block in blocks])
    weight = np.array([block.weight or 0.0 for block in blocks])
    columns = designs(model, data.kinds)

    def spreads(x: Array, found: _Normal, factor: tuple[Array, bool], variance: Array) -> Spreads:
        inverse = linalg.cho_solve(factor, jnp.eye(len(owner)))
        squares = jax.ops.segment_sum(x**2, owner, len(blocks))
        determined = sizes - jax.ops.segment_sum(jnp.diag(inverse), owner, len(blocks)) / variance
        moved = (squares + weight * start) / (jnp.maximum(determined, 0.0) + jnp.where(free, weight, 1.0))
        used = jnp.einsum("ij,bij->b", inverse, found.information)
        return Spreads(jnp.where(free, moved, variance), _dispersion(found, data.seen, used))

    def step(state: tuple[Array, Array, Spreads, Array]) -> tuple[Array, Array, Spreads, Array]:
        index, x, now, _ = state
        found = _normal(data, columns, x, now.dispersion)
        prior = 1.0 / now.variance[owner]
        factor = linalg.cho_factor(found.information.sum(0) + jnp.diag(prior), lower=True)
        change = linalg.cho_solve(factor, found.gradient - prior * x)
        x = x + change * jnp.minimum(1.0, LARGEST_STEP / jnp.abs(change).max())
        if fixed is None:
            now = jax.lax.cond(index >= BEFORE_SPREADS, lambda: spreads(x, found, factor, now.variance), lambda: now)
        return index + 1, x, now, jnp.abs(change).max()

    def unfinished(state: tuple[Array, Array, Spreads, Array]) -> Array:
        return (state[0] < STEPS[0]) | ((state[0] < STEPS[1]) & (state[3] > TOLERANCE))

    begin = (jnp.array(0), jnp.zeros(len(owner)), fixed or Spreads(start, jnp.ones(2)), jnp.array(jnp.inf))
    _, x, now, size = jax.lax.while_loop(unfinished, step, begin)
    found = _normal(data, columns, x, now.dispersion)
    root = jnp.linalg.cholesky(found.information.sum(0) + jnp.diag(1.0 / now.variance[owner]))
    return Fit(x, root, now.variance, now.dispersion, data.offset + (columns[1] @ x[columns[0].shape[1] :]).T, size)
