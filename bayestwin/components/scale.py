"""Spreads near zero, sampled where their posterior is nearly normal.

The logarithm sends a spread that the data cannot tell from zero down a long tail. The quantile scale of the exponential
law, x = -t log(1 - Φ(z)), gives it the tail of a normal instead, and is close to linear in x about t.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.scipy.special import erfc, ndtri
from jaxtyping import Array
from numpyro import distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.transforms import Transform
from numpyro.infer.reparam import Reparam

from bayestwin.laws.counts import HALF_LOG_2PI


@jax.custom_jvp
def log_survival(y: Array) -> Array:
    """Log of 1 - Φ(y), for y below 37 where it is a number; a tenth of the operations of a function that holds further out."""
    beyond = 0.5 * erfc(jnp.abs(y) / np.sqrt(2.0))
    return jnp.where(y < 0, jnp.log1p(-beyond), jnp.log(beyond))


@log_survival.defjvp
def _hazard(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (y,), (moved,) = primals, tangents
    value = log_survival(y)
    return value, -jnp.exp(log_hazard(y, value)) * moved


def log_hazard(y: Array, survival: Array) -> Array:
    """Log of φ(y) / (1 - Φ(y)), given the log of 1 - Φ(y)."""
    return -0.5 * jnp.square(y) - HALF_LOG_2PI - survival


class NormalScore(Transform):
    """Normal scores of an exponential law whose median is `typical`.

    Args:
        typical: the value that is sent to zero, > 0.
    """

    domain = constraints.positive
    codomain = constraints.real

    def __init__(self, typical: np.ndarray | float) -> None:
        self.mean = jnp.asarray(typical) / np.log(2.0)

    def __call__(self, x: Array) -> Array:
        """Normal score."""
        return -ndtri(jnp.exp(-x / self.mean))

    def _inverse(self, y: Array) -> Array:
        return -self.mean * log_survival(y)

    def log_abs_det_jacobian(self, x: Array, y: Array, intermediates: None = None) -> Array:
        """Log derivative of the score."""
        return -jnp.log(self.mean) - log_hazard(y, log_survival(y))

    def tree_flatten(self) -> tuple:
        """For JAX."""
        return (self.mean,), (("mean",), {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NormalScore) and bool(jnp.array_equal(self.mean, other.mean))


class Scale(Reparam):
    """Sample a positive site by its normal score.

    Args:
        typical: about where it is expected, > 0; only speed depends on it.
        known: its value, where it is not to be sampled; the auxiliary site then is deterministic.
    """

    def __init__(self, typical: np.ndarray | float, known: Array | None = None) -> None:
        self.score, self.known = NormalScore(typical), known

    def __call__(self, name: str, fn: dist.Distribution, obs: object) -> tuple[None, Array]:
        """Replace the site by `<name>_z` and a deterministic site of its own name."""
        if obs is not None:
            raise ValueError(f"{name}: an observed site cannot be sampled by its score")
        if self.known is not None:
            numpyro.deterministic(f"{name}_z", self.score(self.known))
            return None, self.known
        z = numpyro.sample(f"{name}_z", dist.TransformedDistribution(fn, self.score))
        return None, self.score.inv(z)
