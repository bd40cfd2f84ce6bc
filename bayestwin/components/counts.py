"""Overdispersed counts with a log-density that costs a few logarithms.

A gradient of these models is mostly log-gamma functions. NumPyro's laws call the general one; here the argument is
raised by eight through the recurrence and Stirling's series does the rest, to 1e-13, with a derivative that is a
logarithm too. The laws are NumPyro's in every other way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float

RAISED = 8
STIRLING = (1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0)
HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))


def log_gamma(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the gamma function for x > 0, absolute error below 1e-12 up to x of 1e6.

    Source: Abramowitz & Stegun (1964), 6.1.15 and 6.1.41.

    Example:
        >>> round(float(log_gamma(jnp.array(5.0))), 4)
        3.1781
    """
    rise = x
    for i in range(1, RAISED):
        rise = rise * (x + i)
    y = x + RAISED
    inverse = 1.0 / y
    square = inverse * inverse
    series = jnp.zeros_like(y)
    for coefficient in reversed(STIRLING):
        series = series * square + coefficient
    return (y - 0.5) * jnp.log(y) - y + HALF_LOG_2PI + series * inverse - jnp.log(rise)


class NegativeBinomial(dist.GammaPoisson):
    """NB2 counts by mean and concentration: variance = mean + mean² / concentration."""

    def __init__(self, mean: Float[Array, "..."], concentration: Float[Array, "..."], *, validate_args: bool | None = None) -> None:
        super().__init__(concentration, concentration / mean, validate_args=validate_args)

    def log_prob(self, value: Array) -> Float[Array, "..."]:
        """Log probability of the counts."""
        k, mean = self.concentration, self.concentration / self.rate
        rising = log_gamma(value + k) - log_gamma(k) - log_gamma(value + 1.0)
        return rising + value * jnp.log(mean) + k * jnp.log(k) - (value + k) * jnp.log(mean + k)


class DirichletMultinomial(dist.DirichletMultinomial):
    """Category counts whose shares vary about their expectation."""

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw shares, then categories one by one: no cost grows with the total."""
        share_key, count_key = jax.random.split(key)
        alpha = jnp.broadcast_to(self.concentration, (*sample_shape, *self.batch_shape, *self.event_shape))
        share = jax.random.dirichlet(share_key, alpha)
        left = jnp.broadcast_to(self.total_count, share.shape[:-1]).astype(share.dtype)
        rest = jnp.flip(jnp.cumsum(jnp.flip(share, -1), -1), -1)
        counts = []
        for k, sub in enumerate(jax.random.split(count_key, share.shape[-1] - 1)):
            chance = jnp.clip(share[..., k] / jnp.maximum(rest[..., k], 1e-300), 0.0, 1.0)
            counts.append(jax.random.binomial(sub, left, chance))
            left = left - counts[-1]
        return jnp.stack([*counts, left], axis=-1)

    def log_prob(self, value: Array) -> Float[Array, "..."]:
        """Log probability of the counts; the category axis is the last."""
        alpha, total = self.concentration, self.concentration.sum(-1)
        counted = value.sum(-1)
        categories = (log_gamma(value + alpha) - log_gamma(alpha) - log_gamma(value + 1.0)).sum(-1)
        return categories + log_gamma(counted + 1.0) + log_gamma(total) - log_gamma(counted + total)

