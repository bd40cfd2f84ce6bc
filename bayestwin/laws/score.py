"""Scores on a bounded scale: the logit of the score over its top is normal."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.laws.expected import Measure
from bayestwin.laws.widths import Widths


class Score(NamedTuple):
    """Logit-normal scores in 0..top, independent cell by cell.

    Attributes:
        loc, scale: mean and sd of logit(score / top).
        top: the largest score.

    Example:
        >>> half = Score(jnp.zeros(1), jnp.ones(1), 100.0)
        >>> [round(float(x), 4) for x in jnp.exp(half.log_mass(np.array([-np.inf]), np.array([50.0])))]
        [0.5]
    """

    loc: Float[Array, "..."]
    scale: Float[Array, "..."]
    top: Any = 100.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cells."""
        return jnp.broadcast_shapes(jnp.shape(self.loc), jnp.shape(self.scale))

    def log_mass(self, low: Array, high: Array, widths: Widths | None = None) -> Float[Array, "..."]:
        """Log probability of a score in low..high; the log density where both ends are one score.

        Args:
            low: lower end; from zero down it is open.
            high: upper end; from the top up it is open.
            widths: not needed.
        """
        with jax.ensure_compile_time_eval():  # of scores that are known while a program is compiled, once and for all
            share = jnp.clip(low / self.top, 1e-9, 1.0 - 1e-9)
            jacobian = jnp.where(low == high, -jnp.log(self.top * share * (1.0 - share)), 0.0)
            ends = self._logit(low), self._logit(high)
        return Measure(self.loc, self.scale).log_mass(*ends, widths) + jacobian

    def _logit(self, score: Array) -> Array:
        inside = (score > 0) & (score < self.top)
        share = jnp.where(inside, score / self.top, 0.5)
        return jnp.where(inside, jnp.log(share) - jnp.log1p(-share), jnp.where(score <= 0, -jnp.inf, jnp.inf))

    def over(self, shape: tuple[int, ...]) -> "Score":
        """The same law with an entry for every cell."""
        return Score(jnp.broadcast_to(self.loc, shape), jnp.broadcast_to(self.scale, shape), self.top)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Scores, of the law's own shape or another."""
        logit = rng.normal(np.asarray(self.loc, float), np.asarray(self.scale, float), shape or self.shape)
        return np.asarray(self.top) / (1.0 + np.exp(-logit))
