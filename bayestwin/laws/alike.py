"""NB2 counts that are hidden alike: small ones, of one concentration, between the same two ends in every cell.

Probabilities are then one list of coefficients times powers of each cell's odds, and the moments of what is hidden are also the
derivatives of its probability: all that a gradient needs comes out of one pass over the powers.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.laws.between import Between

SHORT = 16  # numbers after the lower end up to which coefficients and powers stay within what a float can hold


class Sums(NamedTuple):
    """Moments of the count above its lower end, and of its score h, the derivative of the log coefficient by concentration."""

    log_total: Array
    mean: Array
    variance: Array
    third: Array
    score: Array
    mean_score: Array
    variance_score: Array


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def between_alike(odds: Float[Array, "..."], concentration: Float[Array, ""], low: float, most: int) -> Between:
    """Sum up NB2 laws from a lower end on.

    Args:
        odds: mean / (mean + concentration) of each cell.
        concentration: of all cells.
        low: lower end.
        most: numbers after it, `SHORT` or fewer.

    Returns:
        Between: each shaped like the odds.

    Example:
        >>> geometric = between_alike(jnp.array([0.5]), jnp.array(1.0), 0.0, 1)
        >>> [round(float(x[0]), 4) for x in (jnp.exp(geometric.log_total), geometric.mean, geometric.variance)]
        [1.5, 0.3333, 0.2222]
    """
    sums = _sums(odds, concentration, low, most)
    return Between(sums.log_total, low + sums.mean, sums.variance)


@between_alike.defjvp
def _moved(low: float, most: int, primals: tuple, tangents: tuple) -> tuple[Between, Between]:
    """Cumulants are derivatives by the log odds; covariances with the score, by the concentration."""
    odds, concentration = primals
    by_odds, by_concentration = tangents[0] / odds, tangents[1]
    sums = _sums(odds, concentration, low, most)
    moved = Between(
        sums.mean * by_odds + sums.score * by_concentration,
        sums.variance * by_odds + sums.mean_score * by_concentration,
        sums.third * by_odds + sums.variance_score * by_concentration,
    )
    return Between(sums.log_total, low + sums.mean, sums.variance), moved


def _sums(odds: Array, concentration: Array, low: float, most: int) -> Sums:
    before = np.tri(most + 1, most, -1)
    n, j = low + np.arange(most), np.arange(most + 1.0)
    coefficient = jnp.exp(before @ (jnp.log(concentration + n) - np.log(n + 1.0)))
    scored = coefficient * (before @ (1.0 / (concentration + n)))
    weights = jnp.concatenate([coefficient * j ** np.arange(4)[:, None], scored * j ** np.arange(3)[:, None]])
    weights = weights.reshape(*weights.shape, *[1] * odds.ndim)
    sums = jnp.broadcast_to(weights[:, most], (len(weights), *odds.shape))
    for i in reversed(range(most)):  # Horner's scheme
        sums = sums * odds + weights[:, i]
    total, (first, second, third, h, first_h, second_h) = sums[0], sums[1:] / sums[0]
    variance = jnp.maximum(second - jnp.square(first), 0.0)
    return Sums(
        jnp.log(total),
        first,
        variance,
        third - 3.0 * first * second + 2.0 * first**3,
        h,
        first_h - first * h,
        second_h - 2.0 * first * first_h + (jnp.square(first) - variance) * h,
    )
