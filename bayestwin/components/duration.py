"""Families of positive durations, by mean and sd of the logarithm.

Stating every family by the same two quantities keeps them comparable and nearly orthogonal to the shape.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import digamma, gammainc, gammaln, ndtr, polygamma
from jaxtyping import Array, Float


class LogNormal(NamedTuple):
    """Log duration is normal.

    Attributes:
        mean: mean of the log duration.
        sd: its standard deviation.
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]

    def cdf(self, x: Float[Array, " edge"]) -> Float[Array, "... edge"]:
        """P(duration < x), edges on the last axis."""
        return ndtr((jnp.log(x) - self.mean[..., None]) / self.sd[..., None])

    def partial_moment(self, x: Float[Array, " edge"], power: float) -> Float[Array, "... edge"]:
        """E[duration^power; duration < x]."""
        shifted = (jnp.log(x) - self.mean[..., None]) / self.sd[..., None] - power * self.sd[..., None]
        return self.moment(power)[..., None] * ndtr(shifted)

    def moment(self, power: float) -> Float[Array, "..."]:
        """E[duration^power]."""
        return jnp.exp(power * self.mean + 0.5 * (power * self.sd) ** 2)


class GeneralisedGamma(NamedTuple):
    """Log duration is a scaled log-gamma variable, skewed to the left; shape → ∞ is the log-normal.

    Attributes:
        mean: mean of the log duration.
        sd: its standard deviation.
        shape: shape of the gamma variable, > 0 (Stacy's d / p; Prentice's 1 / q²).

    Source: Prentice (1974), "A log gamma model and its maximum likelihood estimation", Biometrika 61.
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]
    shape: Float[Array, "..."]

    def _log_gamma(self, x: Float[Array, " edge"]) -> Float[Array, "... edge"]:
        z = (jnp.log(x) - self.mean[..., None]) / self.sd[..., None]
        return digamma(self.shape)[..., None] + jnp.sqrt(polygamma(1, self.shape))[..., None] * z

    def _power(self, power: float) -> Float[Array, "..."]:
        return power * self.sd / jnp.sqrt(polygamma(1, self.shape))

    def cdf(self, x: Float[Array, " edge"]) -> Float[Array, "... edge"]:
        """P(duration < x), edges on the last axis."""
        return self._lower(jnp.zeros_like(self.mean), x)

    def _lower(self, added: Float[Array, "..."], x: Float[Array, " edge"]) -> Float[Array, "... edge"]:
        argument = jnp.exp(self._log_gamma(x))
        return gammainc(jnp.broadcast_to((self.shape + added)[..., None], argument.shape), argument)

    def partial_moment(self, x: Float[Array, " edge"], power: float) -> Float[Array, "... edge"]:
        """E[duration^power; duration < x]."""
        return self.moment(power)[..., None] * self._lower(self._power(power), x)

    def moment(self, power: float) -> Float[Array, "..."]:
        """E[duration^power]."""
        added = self._power(power)
        return jnp.exp(power * self.mean - added * digamma(self.shape) + gammaln(self.shape + added) - gammaln(self.shape))
