"""The joint law of parts and their published total: a convolution over the values that the parts can take."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayestwin.laws.expected import Counts
from bayestwin.laws.widths import Widths


@dataclass(frozen=True)
class WithTotal:
    """Parts, on the last axis, and their sum behind them.

    Attributes:
        parts: law of the parts.
    """

    parts: Counts

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability that every part and the sum lie between their ends; last axis parts and total.

        A part of which nothing is known is left out, and so is the sum beside it: it binds the others no more.

        Raises:
            ValueError: if a part can take more values than a convolution could hold.
        """
        if widths.wide:
            raise ValueError("parts without an upper end cannot be bound by their total")
        xp = np if isinstance(low, np.ndarray) and isinstance(high, np.ndarray) else jnp
        absent = xp.isinf(high[..., :-1])
        first = xp.where(absent, 0.0, xp.maximum(xp.ceil(low[..., :-1]), 0.0))
        last = xp.where(absent, 0.0, xp.floor(high[..., :-1]))
        few = max(int((last - first).max(initial=0.0)) + 1, 1) if xp is np else widths.few
        value = first[..., None] + np.arange(few)
        counts = Counts(self.parts.mean[..., None], None if self.parts.concentration is None else self.parts.concentration[..., None])
        log_p = jnp.where(absent[..., None], 0.0, counts.log_pmf(value))
        log_p = jnp.where(value <= last[..., None], log_p, -1e300)
        top = log_p.max(-1)
        sums = convolved(jnp.exp(log_p - top[..., None]))
        total = first.sum(-1, keepdims=True) + np.arange(sums.shape[-1])
        unbound = absent.any(-1, keepdims=True)
        inside = unbound | ((total >= low[..., -1:]) & (total <= high[..., -1:]))
        mass = jnp.where(inside, sums, 0.0).sum(-1)
        return jnp.where(mass > 0, jnp.log(jnp.where(mass > 0, mass, 1.0)) + top.sum(-1), -jnp.inf)


def convolved(masses: Array) -> Array:
    """Law of the sum of independent variables on 0, 1, 2 and so on.

    Args:
        masses: (..., variable, value).

    Returns:
        (..., sum), variables × (values - 1) + 1 long.
    """
    count, values = masses.shape[-2:]
    total = masses[..., 0, :]
    for i in range(1, count):
        parts = [jnp.pad(total * masses[..., i, j : j + 1], [(0, 0)] * (total.ndim - 1) + [(j, values - 1 - j)]) for j in range(values)]
        total = sum(parts[1:], start=parts[0])
    return total
