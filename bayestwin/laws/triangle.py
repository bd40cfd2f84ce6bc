"""The joint law of a reporting triangle whose counts are overdispersed."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array

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
