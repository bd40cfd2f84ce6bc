"""The natural logarithm in operations that a processor does several of at once.

Densities are mostly logarithms, and XLA calls the C library's for one double at a time. Here the exponent is read from the bits and the
rest is a polynomial: less than half the time. Each is some forty operations to compile, so they are for what is computed of every cell.
"""

from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

ROOT_HALF = int(np.sqrt(np.array(0.5)).view(np.int64))  # what is left of a number without its exponent lies in [√½, √2)
MANTISSA = 52  # bits
EXACT_LOG_2 = Decimal("0.693147180559945309417232121458")
LOG_2 = round(float(EXACT_LOG_2) * 2**32) / 2**32  # of so few bits that multiples of it are exact
LOG_2_REST = float(EXACT_LOG_2 - Decimal(LOG_2))
ODD = tuple(2.0 / (2 * k + 1) for k in range(1, 11))  # of log((1 + s) / (1 - s)) - 2 s by odd powers of s
SMALLEST = float(np.finfo(float).smallest_normal)


@jax.custom_jvp
def log(x: Any) -> Float[Array, "..."]:
    """Natural logarithm, to one unit in the last place.

    Args:
        x: of any shape; zero and subnormal numbers give minus infinity, negative ones what is not a number.

    Source: Cody & Waite (1980), "Software Manual for the Elementary Functions", §5, for log 2 in two parts; log(1 + f) as f less a remainder, so
        that f is rounded last, is K. C. Ng's (fdlibm, 1993).

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
def log1p(x: Any) -> Float[Array, "..."]:
    """Natural logarithm of 1 + x, to two units in the last place.

    Args:
        x: of any shape, however small; minus one gives minus infinity, less what is not a number.

    Example:
        >>> float(log1p(jnp.array(1e-20)))
        1e-20
    """
    whole = 1.0 + jnp.asarray(x)
    lost = x - (whole - 1.0)  # what rounding took is given back to first order
    return log(whole) + jnp.where(jnp.isfinite(whole) & (whole > 0), lost / whole, 0.0)


@log1p.defjvp
def _slope_beyond_one(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return log1p(*primals), tangents[0] / (1.0 + primals[0])


def _of_doubles(x: Array) -> Array:
    """With x = 2^exponent (1 + rest) and s = rest / (2 + rest), log(1 + rest) = log((1 + s) / (1 - s))."""
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
    remainder = half - s * (half + series) - power * LOG_2_REST
    answer = power * LOG_2 + (rest - remainder)
    edge = jnp.where(x >= 0, jnp.where(x > 1, jnp.inf, -jnp.inf), jnp.nan)
    return jnp.where((x >= SMALLEST) & (x < jnp.inf), answer, edge)
