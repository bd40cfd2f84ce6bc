"""Overdispersed counts with a log-density that costs a few logarithms.

A gradient of these models is mostly log-gamma functions. NumPyro's laws call the general one; here the argument is
raised by eight through the recurrence and Stirling's series does the rest, to 1e-13, with a derivative that is a
logarithm too. The laws are NumPyro's in every other way, but that replicates are drawn by NumPy (`draw`): JAX would
spend a minute compiling what NumPy does in a second.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro import distributions as dist

RAISED = 8
STIRLING = (1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0)
HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))


def log_gamma(x: Any) -> Float[Array, "..."]:
    """Log of the gamma function for arrays x > 0, absolute error below 1e-12 up to x of 1e6.

    Source: Abramowitz & Stegun (1964), 6.1.15 and 6.1.41.

    Example:
        >>> round(float(log_gamma(jnp.array(5.0))), 4)
        3.1781
    """
    pair = x * (x + (RAISED - 1.0))  # x + i and x + 7 - i together: x (x + 7) + i (7 - i)
    rise = pair * (pair + 6.0) * (pair + 10.0) * (pair + 12.0)
    y = x + RAISED
    inverse = 1.0 / y
    square = inverse * inverse
    series = jnp.zeros_like(y)
    for coefficient in reversed(STIRLING):
        series = series * square + coefficient
    return (y - 0.5) * jnp.log(y) - y + HALF_LOG_2PI + series * inverse - jnp.log(rise)


def log_factorial(counts: Any) -> Float[Array, "..."]:
    """Log of counts' factorials; of counts that are known while a program is compiled, once and for all."""
    with jax.ensure_compile_time_eval():
        return log_gamma(counts + 1.0)


class NegativeBinomial(dist.GammaPoisson):
    """NB2 counts by mean and concentration: variance = mean + mean² / concentration."""

    def __init__(self, mean: Float[Array, "..."], concentration: Float[Array, "..."], *, validate_args: bool | None = None) -> None:
        super().__init__(concentration, concentration / mean, validate_args=validate_args)

    def chance(self) -> dict[str, Array]:
        """The arrays that `draw` needs."""
        concentration = jnp.broadcast_to(self.concentration, self.batch_shape)
        return {"concentration": concentration, "rate": jnp.broadcast_to(self.rate, self.batch_shape)}

    @staticmethod
    def draw(rng: np.random.Generator, concentration: np.ndarray, rate: np.ndarray) -> np.ndarray:
        """Counts: a gamma-distributed mean, then Poisson."""
        return rng.poisson(rng.standard_gamma(concentration) / rate).astype(np.int32)

    def log_prob(self, value: Array) -> Float[Array, "..."]:
        """Log probability of the counts."""
        k, mean = self.concentration, self.concentration / self.rate
        rising = log_gamma(value + k) - log_gamma(k) - log_factorial(value)
        return rising + value * jnp.log(mean) + k * jnp.log(k) - (value + k) * jnp.log(mean + k)


class DirichletMultinomial(dist.DirichletMultinomial):
    """Category counts whose shares vary about their expectation."""

    def chance(self) -> dict[str, Array]:
        """The arrays that `draw` needs."""
        shape = self.batch_shape
        concentration = jnp.broadcast_to(self.concentration, (*shape, *self.event_shape))
        return {"concentration": concentration, "total": jnp.broadcast_to(self.total_count, shape)}

    @staticmethod
    def draw(rng: np.random.Generator, concentration: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Counts by category: shares, then a multinomial of the total."""
        gamma = rng.standard_gamma(concentration)
        return rng.multinomial(total, gamma / gamma.sum(-1, keepdims=True)).astype(np.int32)

    def log_prob(self, value: Array) -> Float[Array, "..."]:
        """Log probability of the counts; the category axis is the last."""
        alpha, total = self.concentration, self.concentration.sum(-1)
        counted = value.sum(-1)
        categories = (log_gamma(value + alpha) - log_gamma(alpha) - log_factorial(value)).sum(-1)
        return categories + log_factorial(counted) + log_gamma(total) - log_gamma(counted + total)


def agreement(counts: np.ndarray, seen: np.ndarray) -> float:
    """Moment estimate of a Dirichlet-multinomial's concentration from repeated counts of units.

    Args:
        counts: (time, unit, category) counts; a pattern over time that all units share is taken out first,
            in proportion to their usual shares (exact to first order in the pattern).
        seen: (time, unit) mask.

    Returns:
        Concentration, between 1 and 1e6.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> drawn = DirichletMultinomial.draw(rng, np.full((60, 40, 3), 100.0), np.full((60, 40), 10_000))
        >>> 280.0 < agreement(drawn, np.ones((60, 40), bool)) < 320.0
        True
    """
    total = np.where(seen, counts.sum(-1), 0)
    units, times = seen.any(0), seen.any(1)
    share = counts / np.maximum(total, 1)[..., None]

    def mean(values: np.ndarray, axis: int) -> np.ndarray:
        held = np.where(seen[..., None], values, 0.0).sum(axis, keepdims=True)
        return held / np.maximum(seen.sum(axis, keepdims=True), 1)[..., None]

    usual = mean(share, 0)
    pattern = mean(share, 1) / np.maximum(mean(np.broadcast_to(usual, share.shape), 1), 1e-12)
    apart = np.where(seen[..., None], share - usual * pattern, 0.0)
    free = max(seen.sum() - units.sum() - times.sum() + 1, 1)  # what unit means and common patterns leave free
    binomial = (usual * (1.0 - usual)).sum(-1)[0][units].mean()
    beyond = float((apart**2).sum()) / free / binomial - float((1.0 / np.maximum(total[seen], 1)).mean())
    return float(np.clip(1.0 / max(beyond, 1e-6) - 1.0, 1.0, 1e6))
