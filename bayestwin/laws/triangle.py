"""The joint law of a reporting triangle whose counts are overdispersed."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bayestwin.laws.counts import log_factorial
from bayestwin.laws.expected import Counts
from bayestwin.laws.widths import Widths


@dataclass(frozen=True)
class Triangle:
    """NB2 counts of event periods, divided over delays: the delays of one period share what made it large or small.

    What is reported so far is NB2 with the counts' concentration, and given that divides in proportion to its delays.

    Attributes:
        mean, concentration: law of the counts by event period.
        probability: of each delay, last axis.
    """

    mean: Array
    concentration: Array
    probability: Array

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability of the reported cells of each event period; those with open ends are not there yet."""
        there = jnp.isfinite(high)
        n, p = jnp.where(there, low, 0.0), jnp.where(there, self.probability, 0.0)
        total, share = n.sum(-1), p.sum(-1)
        some = share > 0
        whole = Counts(self.mean * jnp.where(some, share, 1.0), self.concentration).log_pmf(total)
        split = jnp.where(there & (p > 0), n * jnp.log(jnp.where(p > 0, p, 1.0)) - log_factorial(n), 0.0)
        impossible = (there & (p == 0) & (n > 0)).any(-1)
        answer = whole + split.sum(-1) + log_factorial(total) - total * jnp.log(jnp.where(some, share, 1.0))
        return jnp.where(impossible, -jnp.inf, jnp.where(some, answer, 0.0))


def to_come(
    rng: np.random.Generator,
    cells: Float[np.ndarray, "... delay"],
    concentration: Float[np.ndarray, "..."] | None,
    reported: Float[np.ndarray, "..."],
    there: Bool[np.ndarray, "... delay"],
) -> Float[np.ndarray, "..."]:
    """Draws of what is still to be reported of each event period, given what is.

    What made a period's NB2 count large or small is a gamma variate, which reports so far tell of: Γ(k + reported, k + mean of these).

    Args:
        rng: random generator.
        cells: means of the triangle's cells.
        concentration: k of the counts by event period; None where they are Poisson.
        reported: events reported so far.
        there: cells that are reported.

    Example:
        >>> there = np.array([True, False])
        >>> drawn = to_come(np.random.default_rng(0), np.full((4000, 2), 10.0), np.full(4000, 5.0), np.full(4000, 25.0), there)
        >>> bool(abs(drawn.mean() - 10.0 * (5.0 + 25.0) / (5.0 + 10.0)) < 0.5)
        True
    """
    seen, rest = np.where(there, cells, 0.0).sum(-1), np.where(there, 0.0, cells).sum(-1)
    size = 1.0 if concentration is None else rng.gamma(concentration + reported, 1.0 / (concentration + seen))
    return rng.poisson(size * rest).astype(float)
