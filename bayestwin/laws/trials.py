"""Counts that cannot exceed a known number: visits attended of slots offered."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc
from jaxtyping import Array, Float

from bayestwin.laws.between import Between, between
from bayestwin.laws.counts import log_factorial
from bayestwin.laws.expected import FEW, picked
from bayestwin.laws.widths import Widths

IMPOSSIBLE = -1e30  # log probability of what cannot be, where a gradient must stay finite
TINY = 1e-300  # least probability whose logarithm is taken


class Trials(NamedTuple):
    """Binomial counts, independent cell by cell.

    Attributes:
        number: trials, whole numbers ≥ 0.
        probability: chance of each, in (0, 1).

    Example:
        >>> two = Trials(np.array([2.0]), jnp.array([0.5]))
        >>> [round(float(x), 4) for x in jnp.exp(two.log_mass(np.array([1.0]), np.array([2.0])))]
        [0.75]
    """

    number: np.ndarray
    probability: Float[Array, "..."]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cells."""
        return jnp.broadcast_shapes(jnp.shape(self.number), jnp.shape(self.probability))

    @property
    def mean(self) -> Array:
        """Expected count."""
        return jnp.asarray(self.number) * self.probability

    @property
    def variance(self) -> Array:
        """Variance of the count."""
        return self.mean * (1.0 - self.probability)

    def log_pmf(self, n: Any) -> Array:
        """Log probability of whole numbers ≥ 0; far below zero beyond the number of trials."""
        xp = n.__array_namespace__()
        inside = n <= self.number
        n, left = xp.where(inside, n, 0.0), xp.where(inside, self.number - n, 0.0)
        ways = log_factorial(self.number) - log_factorial(n) - log_factorial(left)
        return jnp.where(inside, ways + n * jnp.log(self.probability) + left * jnp.log1p(-self.probability), IMPOSSIBLE)

    def at(self, shape: tuple[int, ...], cells: np.ndarray) -> "Trials":
        """The law of some cells, by flat index, of an array of a shape."""
        return Trials(np.broadcast_to(np.asarray(self.number), shape).ravel()[cells], picked(self.probability, shape, cells))

    def log_mass(self, low: Any, high: Any, widths: Widths | None = None) -> Float[Array, "..."]:
        """Log probability of a count in low..high, both included; -∞ where no possible count lies there.

        Args:
            low: lower end.
            high: upper end.
            widths: how far apart they can be; only needed where the ends are not known while a program is compiled.
        """
        if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
            return self._traced(jnp.ceil(jnp.maximum(low, 0.0)), jnp.minimum(jnp.floor(high), self.number), widths or Widths(FEW))
        number = np.asarray(self.number)
        low, high = np.ceil(np.maximum(np.asarray(low), 0.0)), np.minimum(np.floor(np.asarray(high)), number)
        shape = np.broadcast_shapes(low.shape, high.shape, self.shape)
        low, high = np.broadcast_to(low, shape).ravel(), np.broadcast_to(high, shape).ravel()
        everything = (low == 0) & (high == np.broadcast_to(number, shape).ravel())
        answer = jnp.where(everything, 0.0, -jnp.inf) * jnp.ones(low.size)
        for kind in (~everything & (low == high), ~everything & (low < high)):
            cells = np.flatnonzero(kind)
            if cells.size:
                answer = answer.at[cells].set(self.at(shape, cells)._summed(low[cells], high[cells]))
        return answer.reshape(shape)

    def _traced(self, low: Array, high: Array, widths: Widths) -> Array:
        everything, empty = (low <= 0) & (high >= self.number), low > high
        low, high = (jnp.where(everything | empty, 0.0, end) for end in (low, high))  # a gradient must not meet what is not there
        narrow = high - low < widths.few
        answer = self._summed(low, jnp.where(narrow, high, low), widths.few - 1)
        if widths.wide:
            ends = jnp.where(narrow, 0.0, low), jnp.where(narrow, self.number, high)
            answer = jnp.where(narrow, answer, jnp.log(jnp.maximum(self._up_to(ends[1]) - self._up_to(ends[0] - 1.0), TINY)))
        return jnp.where(everything, 0.0, jnp.where(empty, -jnp.inf, answer))

    def _up_to(self, n: Array) -> Array:
        """Probability of a count up to n."""
        left = self.number - n
        inside = (n >= 0) & (left > 0)
        tail = betainc(jnp.where(inside, left, 1.0), jnp.where(inside, n + 1.0, 1.0), 1.0 - self.probability)
        return jnp.where(inside, tail, jnp.where(n < 0, 0.0, 1.0))

    def _summed(self, low: Any, high: Any, most: int | None = None) -> Array:
        return self.log_pmf(low) + self.between(low, high, most).log_total

    def between(self, low: Any, high: Any, most: int | None = None) -> Between:
        """What a count between two ends, `most` apart or less, is."""
        odds, number = self.probability / (1.0 - self.probability), self.number
        most = int((high - low).max()) if most is None else most
        return between(lambda n: odds * (jnp.maximum(number - n, 0.0) / (n + 1.0)), low, high, most)

    def over(self, shape: tuple[int, ...]) -> "Trials":
        """The same law with an entry for every cell."""
        return Trials(np.broadcast_to(np.asarray(self.number), shape), jnp.broadcast_to(self.probability, shape))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Counts, of the law's own shape or another."""
        return rng.binomial(np.asarray(self.number, int), np.asarray(self.probability, float), shape or self.shape)
