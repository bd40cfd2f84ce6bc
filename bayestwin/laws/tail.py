"""Tails of count laws, with gradients in every parameter and without underflow.

JAX's incomplete beta function has no derivative in its shapes, and a tail below 1e-308 has no logarithm. Both tails are
integrals of a log-concave function, of u = logit t for the negative binomial,

    P(N ≤ m) = ∫_{-∞}^{log(k/μ)} exp(-k log(1 + e^{-u}) - (m + 1) log(1 + e^u)) du / B(k, m + 1),

and of u = log t for the Poisson. The smaller one is summed by Gauss–Legendre over the span in which the integrand falls
by e^-45; the larger is what it leaves of one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import softplus
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from bayestwin.laws.counts import bounded_concentration

FALLS = (0.0, 0.1, 2.0, 10.0, 45.0)  # by how much the log integrand has fallen at the ends of the panels
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
SHORTEST, LONGEST = 1e-10, 1e8  # spans between which a panel's end is sought
HALVINGS = 30


def log_tails(m: Array | np.ndarray, mean: Float[Array, "..."], concentration: Float[Array, "..."] | None) -> tuple[Array, Array]:
    """Log P(N ≤ m) and log P(N > m).

    Args:
        m: whole numbers; below zero the first tail is empty.
        mean: mean of the counts, > 0.
        concentration: NB2 concentration k, > 0 (variance = mean + mean² / k); None for Poisson.

    Returns:
        Both logs; relative error of the tails below 1e-6 for k from 0.05 and `mean` from 1e-3, both to 1e6.

    Source: Abramowitz & Stegun (1964), 26.4.21 and 26.5.24, for the tails as integrals.

    Example:
        >>> lower, upper = log_tails(jnp.array(0.0), jnp.array(2.0), None)
        >>> round(float(lower), 6)
        -2.0
    """
    inside = m >= 0
    b = jnp.where(inside, m, 0.0) + 1.0
    if concentration is None:
        upper, lower = _log_sides(lambda u: b * u - jnp.exp(u), jnp.log(mean) + 0.0 * b, b - mean, gammaln(b))
    else:
        concentration = bounded_concentration(concentration)
        start = jnp.log(concentration) - jnp.log(mean) + 0.0 * b
        share = jax.nn.sigmoid(start)
        log_beta = gammaln(concentration) + gammaln(b) - gammaln(concentration + b)
        slope = concentration * (1.0 - share) - b * share
        lower, upper = _log_sides(lambda u: -concentration * softplus(-u) - b * softplus(u), start, slope, log_beta)
    return jnp.where(inside, lower, -jnp.inf), jnp.where(inside, upper, 0.0)


def _log_sides(exponent: Callable[[Array], Array], start: Array, slope: Array, log_total: Array) -> tuple[Array, Array]:
    """Logs of the shares of a log-concave function's integral to the left and to the right of `start`.

    Args:
        exponent: the concave logarithm of the function.
        start: where the sides meet.
        slope: derivative of the exponent there.
        log_total: log of the whole integral.
    """
    left_is_small = slope > 0
    side = jnp.where(left_is_small, -1.0, 1.0)
    top = exponent(start)
    ends = [jax.lax.stop_gradient(_reach(lambda x: top - exponent(start + side * x), fall, start)) for fall in FALLS[1:]]
    area = jnp.zeros_like(start)
    for left, right in zip([jnp.zeros_like(start), *ends[:-1]], ends, strict=True):
        half = 0.5 * (right - left)
        x = left + half * (1.0 + NODES.reshape(-1, *[1] * start.ndim))
        area += half * jnp.tensordot(WEIGHTS, jnp.exp(exponent(start + side * x) - top), 1)
    small = jnp.minimum(top + jnp.log(area) - log_total, -1e-15)
    large = jnp.log(-jnp.expm1(small))
    return jnp.where(left_is_small, small, large), jnp.where(left_is_small, large, small)


def _reach(fallen: Callable[[Array], Array], fall: float, like: Array) -> Array:
    """The span after which an increasing function reaches `fall`, by bisection of its logarithm."""

    def halve(ends: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = fallen(jnp.exp(middle)) > fall
        return (jnp.where(enough, low, middle), jnp.where(enough, middle, high)), None

    ends = (jnp.full_like(like, np.log(SHORTEST)), jnp.full_like(like, np.log(LONGEST)))
    return jnp.exp(jax.lax.scan(halve, ends, None, length=HALVINGS)[0][1])
