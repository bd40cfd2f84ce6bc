"""Draws of what is still to be reported, given a fit.

Coefficients are drawn from their posterior and carried on over the report periods to come: the drift goes on, report
days have fresh noise. Cells not yet known are then drawn, in runs of delays: the sum of a run's negative binomial
cells is drawn from the negative binomial with the same mean and variance. What is known stays as it is.
"""

from functools import partial

import jax
import jax.numpy as jnp
import jax.scipy.linalg as linalg
import numpy as np
from jaxtyping import Array, Float

from bayestwin.laws.hazard import log_probability
from bayestwin.nowcast.fit import Data, Fit, band_of
from bayestwin.nowcast.model import Model, ahead_sizes, extended, log_rate, logits, split

LEAST = 1e-12


@partial(jax.jit, static_argnums=(0, 1, 2))
def cell_means(
    model: Model, draws: int, last: int, key: Array, data: Data, fitted: Fit, offset: Float[Array, "#draw time delay"]
) -> tuple[Float[Array, "draw time delay"], Float[Array, "draw time delay"]]:
    """Draws of the expected counts of the last event periods' cells.

    Args:
        model: of the series.
        draws: number of draws.
        last: event periods wanted.
        key: random key.
        data: that the series was fitted to.
        fitted: its posterior.
        offset: (draw or 1, last, delay) logit hazards to which the coefficients add.

    Returns:
        Expected counts, and logit hazards.
    """
    shape = model.shape
    size = sum(block.size for _, block in model.trend)
    sd = dict(zip((name for name, _ in model.blocks), jnp.sqrt(fitted.variance), strict=True))
    keys = jax.random.split(key, 4)
    z = jax.random.normal(keys[0], (fitted.mean.size, draws))
    x = fitted.mean + linalg.solve_triangular(fitted.root, z, lower=True, trans=1).T
    ahead = {
        name: sd[name] * jax.random.normal(one, (draws, count))
        for one, (name, count) in zip(keys[1:], ahead_sizes(shape).items(), strict=True)
    }

    def one(x: Array, ahead: dict[str, Array]) -> tuple[Array, Array]:
        rate = log_rate(shape, split(model.trend, x[:size]), data.kinds)[shape.times - last :]
        return data.level + rate, logits(shape, extended(split(model.hazards, x[size:]), ahead), data.kinds, shape.times - last)

    rate, added = jax.vmap(one)(x, ahead)
    logit = offset + added
    return jnp.exp(rate[..., None] + log_probability(logit)), logit


def remaining(rng: np.random.Generator, means: np.ndarray, known: np.ndarray, dispersion: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Draws of the reports still to come, by run of delays.

    Args:
        rng: random generator.
        means: (draw, time, delay) expected counts.
        known: (time, delay) cells already known.
        dispersion: (2,) of early and late cells, ≥ 1.
        starts: first delay of each run, beginning with 0.

    Returns:
        (draw, time, run) counts, ≥ 0.
    """
    coming = np.where(known, 0.0, means)
    mean = np.add.reduceat(coming, starts, axis=-1)
    beyond = np.add.reduceat(coming * (dispersion[band_of(means.shape[-1])] - 1.0), starts, axis=-1)
    scale = np.maximum(beyond, LEAST) / np.maximum(mean, LEAST)  # of the gamma law of the runs' means: variance beyond Poisson over mean
    return rng.poisson(np.where(scale > 1e-6, rng.standard_gamma(np.maximum(mean, LEAST) / np.maximum(scale, 1e-6)) * scale, mean))
