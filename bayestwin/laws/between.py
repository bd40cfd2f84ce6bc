"""Counts between two ends that are not far apart, from the ratio of each probability to the one before.

A small count that was hidden is a sum over all that it may be. The terms of the sum follow from one another by one
multiplication, so that a cell costs a few products and no exponentials, and its moments come along.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

STRIDE = 10  # terms after which sums are brought back to one, before they can overflow
STEEPEST = 1e28  # ratio of neighbouring probabilities that `STRIDE` terms in a row can bear; steeper ones count as this


class Between(NamedTuple):
    """What a count between two ends is, cell by cell.

    Attributes:
        log_total: log probability of the ends and all between, less that of the lower end.
        mean, variance: of the count, given that it lies there.
    """

    log_total: Float[Array, "..."]
    mean: Float[Array, "..."]
    variance: Float[Array, "..."]


def between(ratio: Callable[[Any], Any], low: Array | np.ndarray, high: Array | np.ndarray, most: int) -> Between:
    """Sum up a law of whole numbers from its lower to its upper end.

    Args:
        ratio: probability of n + 1 over that of n, at n.
        low: lower end, of positive probability.
        high: upper end, included.
        most: the most whole numbers after the lower end that there are in any cell; the program grows with it.

    Returns:
        Between: each shaped like the cells; a cell with one number has log total and variance zero.

    Source: Johnson, Kemp & Kotz (2005), Univariate Discrete Distributions, for families given by such ratios.

    Example:
        >>> poisson = between(lambda n: 2.0 / (n + 1.0), np.zeros(1), np.full(1, 30.0), 30)
        >>> [round(float(x[0]), 4) for x in (poisson.log_total, poisson.mean, poisson.variance)]
        [2.0, 2.0, 2.0]
    """
    alike = isinstance(low, np.ndarray) and isinstance(high, np.ndarray) and bool((low + most <= high).all())
    term = total = jnp.ones_like(ratio(low))
    first = second = log_total = jnp.zeros_like(total)
    for j in range(1, most + 1):
        step = jnp.minimum(ratio(low + (j - 1.0)), STEEPEST)
        term = term * (step if alike else jnp.where(low + j <= high, step, 0.0))
        total, first, second = total + term, first + j * term, second + j**2 * term
        if j % STRIDE == 0 or j == most:
            scale = jax.lax.stop_gradient(1.0 / total)  # any constant gives the same answer and the same gradient
            term, total, first, second = (scale * x for x in (term, total, first, second))
            log_total = log_total - jnp.log(scale)
    beyond = first / total
    return Between(log_total + jnp.log(total), jnp.asarray(low) + beyond, jnp.maximum(second / total - jnp.square(beyond), 0.0))
