"""What overdispersed counts say of the log rates behind them, as looks for `hierarchy` and `random_walk`."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bayestwin.components.informed import Evidence, Look
from bayestwin.components.trend import cosine_basis


class CountLooks(NamedTuple):
    """Looks that counts give: at the units' mean log rates (unit, ...), and at the cosine coefficients of what they share (time - 1, ...)."""

    units: Look
    coefficients: Look


def count_looks(
    counts: Int[Array, "time unit ..."], seen: Bool[Array, "time unit ..."], concentration: Float[Array, "..."] | float
) -> CountLooks:
    """First looks at counts of units over time.

    A count of mean m tells its log rate with the precision m / (1 + m / concentration). A unit that is never seen is silent.

    Args:
        counts: what was counted; anything where not seen.
        seen: which cells were.
        concentration: typical NB2 concentration.

    Example:
        >>> import numpy as np
        >>> looks = count_looks(np.full((8, 2), 20), np.array([[True, False]] * 8), 10.0)
        >>> value, information, _ = looks.units({})
        >>> value.round(2).tolist(), information.astype(int).tolist()
        ([3.0, 0.0], [53, 0])
    """
    known = jnp.asarray(seen, float)
    held, total = known.sum(0), (counts * known).sum(0)
    mean = (total + 0.5) / jnp.maximum(held, 1.0)
    per_cell = mean / (1.0 + mean / concentration)
    units = Evidence(jnp.where(held > 0, jnp.log(jnp.maximum(total, 0.5) / jnp.maximum(held, 1.0)), 0.0), held * per_cell)
    departure = jnp.log(((counts * known).sum(1) + 0.5) / ((mean * known).sum(1) + 0.5))
    told = (per_cell * known).sum(1).mean(0)
    value = jnp.tensordot(cosine_basis(len(known))[0], departure, 1)
    shared = Evidence(value, jnp.broadcast_to(told, value.shape))
    return CountLooks(lambda sites: units, lambda sites: shared)
