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
from numpyro.distributions.util import promote_shapes
from scipy.special import gammaln

from bayestwin.laws.log import log, log1p

RAISED = 8
NEARLY_POISSON = 1e8
STIRLING = (1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0)
HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))


def unfused(values: Array) -> Array:
    """The same values, computed before what is made of them.

    XLA does not vectorise long arithmetic that it fuses with the sum over its result.
    """
    return jax.lax.optimization_barrier(values)


@jax.custom_jvp
def log_gamma(x: Any) -> Float[Array, "..."]:
    """Log of the gamma function for arrays x > 0, absolute error below 1e-12 up to x of 1e6.

    Source: Abramowitz & Stegun (1964), 6.1.15 and 6.1.41.

    Example:
        >>> round(float(log_gamma(jnp.array(5.0))), 4)
        3.1781
    """
    return unfused(_log_gamma_and_slope(x)[0])


@log_gamma.defjvp
def _digamma(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    value, slope = _log_gamma_and_slope(*primals)
    return unfused(value), unfused(slope) * tangents[0]


def _log_gamma_and_slope(x: Array) -> tuple[Array, Array]:
    """Log of the gamma function and its derivative, which share most operations: found together they take half as long."""
    pair = x * (x + (RAISED - 1.0))  # x + i and x + 7 - i together: x (x + 7) + i (7 - i)
    second, third, fourth = pair + 6.0, pair + 10.0, pair + 12.0
    rise = pair * second * third * fourth
    rise_slope = (2.0 * x + (RAISED - 1.0)) * (second * third * fourth + pair * (second * third + fourth * (second + third)))
    y = x + RAISED
    inverse = 1.0 / y
    square = inverse * inverse
    series, series_slope = jnp.zeros_like(y), jnp.zeros_like(y)
    for power, coefficient in reversed(list(enumerate(STIRLING))):
        series = series * square + coefficient
        series_slope = series_slope * square - (2 * power + 1) * coefficient
    log_y = log(y)
    value = (y - 0.5) * log_y - y + HALF_LOG_2PI + series * inverse - log(rise)
    return value, log_y - 0.5 * inverse + series_slope * square - rise_slope / rise


def log_factorial(counts: Any) -> Float[Array, "..."]:
    """Log of counts' factorials; of counts that are known while a program is compiled, once and for all."""
    return log_gamma(counts + 1.0) if isinstance(counts, jax.core.Tracer) else jnp.asarray(gammaln(np.asarray(counts) + 1.0))


def bounded_concentration(concentration: Array) -> Array:
    """A concentration at which NB2 counts are as good as Poisson, where it is larger: differences of its log-gammas would be noise.

    At 1e8 the variance of a mean of 10,000 is 1.0001 times a Poisson's. A chain may stray beyond; the prior leads it back.
    """
    return jnp.minimum(concentration, NEARLY_POISSON)


def log_powers(counts: Any, mean: Any, k: Any) -> Float[Array, "..."]:
    """The part of NB2 counts' log probability that depends on the mean: counts · log(mean / (mean + k)) - k · log(1 + mean / k).

    Its derivatives in mean and k are by hand, with one logarithm between them: they take a third of the time that JAX's do. Counts are
    data, and it has no derivative in them.

    Args:
        counts: whole numbers ≥ 0; shapes broadcast.
        mean: > 0.
        k: concentration, > 0 and bounded (`bounded_concentration`).

    Example:
        >>> round(float(jnp.exp(log_powers(0.0, jnp.array(2.0), jnp.array(1.0)))), 6)
        0.333333
    """
    return _log_powers(counts, 1.0 * jnp.asarray(mean), 1.0 * jnp.asarray(k))


@jax.custom_jvp
def _log_powers(counts: Any, mean: Float[Array, "..."], k: Float[Array, "..."]) -> Float[Array, "..."]:
    return -(counts * log1p(k / mean) + k * log1p(mean / k))


def _along_concentration(along: Array, _: Array, counts: Any, mean: Array, k: Array) -> Array:
    return unfused((mean - counts) / (mean + k) - log1p(mean / k)) * along


_log_powers.defjvps(None, lambda along, _, counts, mean, k: k * (counts - mean) / (mean * (mean + k)) * along, _along_concentration)


class NegativeBinomial(dist.GammaPoisson):
    """NB2 counts by mean and concentration: variance = mean + mean² / concentration."""

    pytree_data_fields = ("expected",)

    def __init__(self, mean: Float[Array, "..."], concentration: Float[Array, "..."], *, validate_args: bool | None = None) -> None:
        k = bounded_concentration(concentration)
        self.expected, k = promote_shapes(mean, k)
        super().__init__(k, k / self.expected, validate_args=validate_args)

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
        k = self.concentration
        return log_gamma(value + k) - log_gamma(k) - log_factorial(value) + self.log_powers(value)

    def log_powers(self, value: Array) -> Float[Array, "..."]:
        """The part of the log probability that depends on the mean."""
        return log_powers(value, self.expected, self.concentration)


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
