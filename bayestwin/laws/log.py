"""The natural logarithm in operations that a processor does several of at once.

Densities are mostly logarithms, and XLA calls the C library's for one double at a time. Here the exponent is read from the bits and the
rest is a polynomial: less than half the time, within one unit in the last place.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

ROOT_HALF = 0x3FE6A09E667F3BCD  # bits of √½: what is left of a number without its exponent lies in [√½, √2)
MANTISSA = 52  # bits
LOG_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # high part, of few bits, and the rest
ODD = tuple(2.0 / (2 * k + 1) for k in range(1, 11))  # of log((1 + s) / (1 - s)) - 2 s by odd powers of s
SMALLEST = 2.2250738585072014e-308  # normal number


@jax.custom_jvp
def log(x: Any) -> Float[Array, ...]:
    """Natural logarithm of arrays; minus infinity at zero and of subnormal numbers, not a number below.

    Example:
        >>> log(jnp.array([1.0, 0.0])).tolist()
        [0.0, -inf]
    """
    x = jnp.asarray(x)
    return _of_doubles(x) if x.dtype == jnp.float64 else jnp.log(x)


@log.defjvp
def _slope(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return log(*primals), tangents[0] / primals[0]


@jax.custom_jvp
def log1p(x: Any) -> Float[Array, ...]:
    """Natural logarithm of 1 + x, for x of any size.

    Example:
        >>> float(log1p(jnp.array(1e-20)))
        1e-20
    """
    # What rounding takes from 1 + x is given back to first order: Higham (2002), Accuracy and Stability, §1.14, for the trick's kin.
    whole = 1.0 + jnp.asarray(x)
    lost = x - (whole - 1.0)
    return log(whole) + jnp.where(jnp.isfinite(whole) & (whole > 0), lost / whole, 0.0)


@log1p.defjvp
def _slope_beyond_one(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return log1p(*primals), tangents[0] / (1.0 + primals[0])


def _of_doubles(x: Array) -> Array:
    """Cody & Waite (1980): exponent times log 2, in two parts, and an odd series of what is left."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    exponent = (bits - ROOT_HALF) >> MANTISSA
    rest = jax.lax.bitcast_convert_type(bits - (exponent << MANTISSA), jnp.float64) - 1.0  # exact
    s = rest / (rest + 2.0)
    square = s * s
    series = jnp.zeros_like(x)
    for coefficient in reversed(ODD):
        series = (series + coefficient) * square
    half = 0.5 * rest * rest
    power = exponent.astype(jnp.float64)
    answer = power * LOG_2[0] - ((half - (s * (half + series) + power * LOG_2[1])) - rest)
    edge = jnp.where(x >= 0, jnp.where(x > 1, jnp.inf, -jnp.inf), jnp.nan)
    return jnp.where((x >= SMALLEST) & (x < jnp.inf), answer, edge)
