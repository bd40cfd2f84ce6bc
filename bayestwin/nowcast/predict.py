"""Draws of what is still to be reported, given a fit.

Coefficients are drawn from their posterior and carried on over the report days to come: the drift goes on as a random
walk, report days have fresh noise. Cells not yet known are then drawn, in runs of delays: the sum of a run's negative
binomial cells is drawn from the negative binomial with the same mean and variance. What is known stays as it is.
"""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import jax.scipy.linalg as linalg
import numpy as np
from jaxtyping import Array, Float

from bayestwin.nowcast.fit import Data, Fit, band_of
from bayestwin.laws.hazard import log_probability
from bayestwin.nowcast.model import Block, Shape, ahead_sizes, extended, log_rate, logits, split


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def cell_means(
    shape: Shape, trend: tuple[tuple[str, Block], ...], hazards: tuple[tuple[str, Block], ...], draws: int, last: int,
    key: Array, data: Data, fitted: Fit, offset: Float[Array, "#draw time delay"],
) -> tuple[Float[Array, "draw time delay"], Float[Array, "draw time delay"]]:  # fmt: skip
    """Draws of the expected counts of the last event periods' cells.

    Args:
        shape, trend, hazards, data, fitted: of the fit.
        draws: number of draws.
        last: event periods wanted.
        key: random key.
        offset: (draw or 1, last, delay) logit hazards to which the coefficients add.

    Returns:
        Expected counts, and logit hazards, which a series that leans on this one takes as its offset.
    """
    names = [name for name, _ in (*trend, *hazards)]
    size = sum(block.size for _, block in trend)
    keys = jax.random.split(key)
    z = jax.random.normal(keys[0], (fitted.mean.size, draws))
    x = fitted.mean + linalg.solve_triangular(fitted.root, z, lower=True, trans=1).T
    sd = dict(zip(names, jnp.sqrt(fitted.variance), strict=True))
    ahead = {
        name: sd[name] * jax.random.normal(jax.random.fold_in(keys[1], i), (draws, size))
        for i, (name, size) in enumerate(ahead_sizes(shape).items())
    }

    def one(x: Array, ahead: dict[str, Array]) -> tuple[Array, Array]:
        parts = extended(split(dict(hazards), x[size:]), ahead)
        rate = log_rate(shape, split(dict(trend), x[:size]), data.kinds)[shape.times - last :]
        return data.level + rate, logits(shape, parts, data.kinds, shape.times - last)

    rate, added = jax.vmap(one)(x, ahead)
    logit = offset + added
    return jnp.exp(rate[..., None] + log_probability(logit)), logit


def remaining(
    rng: np.random.Generator, means: np.ndarray, seen: np.ndarray, dispersion: np.ndarray, cuts: tuple[int, ...]
) -> np.ndarray:
    """Draws of the reports still to come, by run of delays.

    Args:
        rng: random generator.
        means: (draw, time, delay) expected counts.
        seen: (time, delay) cells already known.
        dispersion: (2,) of early and late cells.
        cuts: first delay of each run, beginning with 0.

    Returns:
        (draw, time, run) counts.
    """
    open_means = np.where(seen, 0.0, means)
    mean = np.add.reduceat(open_means, cuts, axis=-1)
    excess = np.add.reduceat(open_means * (dispersion[band_of(means.shape[-1])] - 1.0), cuts, axis=-1)
    ratio = np.maximum(excess, 1e-9 * mean + 1e-12) / np.maximum(mean, 1e-12)
    return rng.poisson(rng.standard_gamma(np.maximum(mean, 1e-12) / ratio) * ratio)


def blocks_items(blocks: Mapping[str, Block]) -> tuple[tuple[str, Block], ...]:
    """Blocks as a hashable value, which compiled programs are remembered by."""
    return tuple(blocks.items())
