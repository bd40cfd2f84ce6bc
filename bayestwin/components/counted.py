"""What overdispersed counts say of the log rates behind them, as looks for `hierarchy`, `random_walk`, `season` and `smooth`."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from bayestwin.components.basis import Along, seen_along
from bayestwin.components.hierarchy import Sites
from bayestwin.components.informed import Evidence, Look
from bayestwin.components.product import product
from bayestwin.components.trend import cosine_basis


class CountLooks(NamedTuple):
    """Looks that counts give.

    Attributes:
        units: at the units' mean log rates, (unit, ...).
        coefficients: at the cosine coefficients of what they share, (time - 1, ...).
        along: at the coefficients (..., function) of any functions of time that they share.
    """

    units: Look
    coefficients: Look
    along: Along


def count_looks(
    counts: Int[Array, "time unit ..."], seen: Bool[Array, "time unit ..."], concentration: Callable[[Sites], Array | float]
) -> CountLooks:
    """First looks at counts of units over time.

    A count of mean m tells its log rate with the precision m / (1 + m / concentration). A unit that is never seen is silent.

    Args:
        counts: what was counted; anything where not seen.
        seen: which cells were.
        concentration: of NB2 counts (...), from the sites sampled before; a typical one costs speed.

    Example:
        >>> import numpy as np
        >>> looks = count_looks(np.full((8, 2), 20), np.array([[True, False]] * 8), lambda sites: 10.0)
        >>> value, information, _ = looks.units({})
        >>> value.round(2).tolist(), information.astype(int).tolist()
        ([3.0, 0.0], [53, 0])
    """
    with jax.ensure_compile_time_eval():
        known = jnp.asarray(seen, float)
        held, total = known.sum(0), (counts * known).sum(0)
        mean = (total + 0.5) / jnp.maximum(held, 1.0)
        level = jnp.where(held > 0, jnp.log(mean), 0.0)
        departure = jnp.log(((counts * known).sum(1) + 0.5) / ((mean * known).sum(1) + 0.5))
        coefficient = product(cosine_basis(len(known))[0], departure)

    def units(sites: Sites) -> Evidence:
        return Evidence(level, held * mean / (1.0 + mean / concentration(sites)))

    def coefficients(sites: Sites) -> Evidence:
        told = units(sites).information.sum(0) / len(known)
        return Evidence(coefficient, jnp.broadcast_to(told, coefficient.shape))

    def by_time(sites: Sites) -> Array:
        return (known * (mean / (1.0 + mean / concentration(sites)))).sum(1)

    return CountLooks(units, coefficients, seen_along(departure, (known * mean).sum(1), by_time))
