"""Differential privacy: noise of a known law is added to each count."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.barrier import Ignorability, Randomised

if TYPE_CHECKING:
    from jaxtyping import Array

MECHANISMS = ("discrete_laplace", "discrete_gaussian", "gaussian")
NEGLIGIBLE = 1e-13
LEAST_SPREAD, LARGEST_SPREAD = 1e-9, 1e5  # beyond the larger one no window over the true count is short enough to be summed over


class DPNoise(Randomised):
    """Counts are published with noise; the likelihood sums the true count out.

    Clamping at zero and rounding are barriers of their own, stated after this one.

    Attributes:
        mechanism: discrete Laplace (Ghosh et al. 2012), discrete Gaussian (Canonne et al. 2020), or Gaussian.
        sensitivity: by how much one person can change a count (L1 for Laplace, L2 for Gaussian), > 0.
        epsilon: ε of the release, > 0.
        delta: δ of a Gaussian release that is stated by ε, in (0, 1).
        rho: ρ of zero-concentrated privacy, in place of ε and δ.
        scale: the law's scale itself (Laplace scale, Gaussian sd), in place of all of these.

    Example:
        >>> round(DPNoise(mechanism="discrete_gaussian", rho=0.1).spread, 2)
        2.24
    """

    kind: Literal["dp_noise"] = "dp_noise"
    mechanism: Literal["discrete_laplace", "discrete_gaussian", "gaussian"] | None = None
    sensitivity: Annotated[float, Field(gt=0)] = 1.0
    epsilon: Annotated[float, Field(ge=1e-9)] | None = None
    delta: Annotated[float, Field(ge=1e-300, lt=1)] | None = None
    rho: Annotated[float, Field(ge=1e-18)] | None = None
    scale: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _names_its_noise(self) -> Self:
        if self.mechanism is None:
            raise ValueError(
                f"a privacy claim without its mechanism: noise of an unknown law cannot be conditioned on; ask for the mechanism "
                f"(one of {', '.join(MECHANISMS)}) and its ε or ρ, or for its scale"
            )
        stated = [name for name in ("epsilon", "rho", "scale") if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(f"state the noise by one of epsilon, rho or scale; found {stated or 'none'}")
        if self.mechanism == "discrete_laplace" and (self.rho is not None or self.delta is not None):
            raise ValueError("a Laplace release is stated by epsilon (or scale): rho and delta belong to Gaussian noise")
        if self.mechanism != "discrete_laplace" and (self.epsilon is not None) != (self.delta is not None):
            raise ValueError("a Gaussian release by epsilon needs delta too (and delta needs epsilon); or state rho")
        if not LEAST_SPREAD <= self.spread <= LARGEST_SPREAD:
            raise ValueError(
                f"noise of spread {self.spread:.3g} cannot be summed out: it must lie from {LEAST_SPREAD:g} to {LARGEST_SPREAD:g}"
            )
        return self

    @property
    def spread(self) -> float:
        """Scale of the Laplace law, or sd of the Gaussian one.

        Source: Bun & Steinke (2016), Lemma 3.5 and Proposition 1.3, for ρ from (ε, δ).
        """
        if self.scale is not None:
            return self.scale
        if self.mechanism == "discrete_laplace":
            return self.sensitivity / float(self.epsilon or 0.0)
        return self.sensitivity / float(np.sqrt(2.0 * self.zcdp))

    @property
    def zcdp(self) -> float:
        """ρ of a Gaussian release."""
        if self.rho is not None or self.epsilon is None or self.delta is None:
            return self.rho or 0.5 * (self.sensitivity / self.spread) ** 2
        log = np.log(1.0 / self.delta)
        return float((np.sqrt(log + self.epsilon) - np.sqrt(log)) ** 2)

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        what = "scale" if self.mechanism == "discrete_laplace" else "sd"
        return f"Published with {str(self.mechanism).replace('_', ' ')} noise ({what} {self.spread:.3g}); the likelihood sums the true count out."

    @property
    def published(self) -> str:
        return "whole numbers" if self.whole else "any number"

    @property
    def whole(self) -> bool:
        return self.mechanism != "gaussian"

    @property
    def offsets(self) -> tuple[int, int]:
        fall = -np.log(NEGLIGIBLE)
        reach = int(np.ceil(self.spread * (fall if self.mechanism == "discrete_laplace" else np.sqrt(2.0 * fall)))) + 1
        return reach, reach

    def possible(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.ceil(low) <= np.floor(high) if self.whole else low <= high

    def draw(self, rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        """Values with noise from a cryptographic source: `rng` cannot reproduce it, nor may it."""
        import opendp.prelude as dp

        dp.enable_features("contrib")
        if self.mechanism == "discrete_laplace":
            make = dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int), self.spread)
        elif self.mechanism == "discrete_gaussian":
            make = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float), self.spread)
        else:
            make = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.l2_distance(T=float), self.spread)
        number = int if self.whole else float
        return np.array(make([number(v) for v in np.ravel(values)]), float).reshape(np.shape(values))

    def log_kernel(self, low: Array, high: Array, value: Array) -> Array:
        import jax.numpy as jnp

        from bayestwin.laws.expected import Measure

        if self.mechanism == "gaussian":
            return Measure(jnp.asarray(value, float), jnp.asarray(self.spread)).log_mass(low, high)
        first, last = jnp.ceil(low - value), jnp.floor(high - value)
        flip = first > 0  # the tables are of the lower tail, which has no cancellation
        first, last = jnp.where(flip, -last, first), jnp.where(flip, -first, last)
        from_first, to_last = self._log_below(first - 1.0), self._log_below(last)
        difference = jnp.minimum(from_first - to_last, -1e-15)
        mass = to_last + jnp.log(-jnp.expm1(difference))
        return jnp.where(first > last, -jnp.inf, jnp.where(first == last, self._log_pmf(first), mass))

    def _log_pmf(self, k: Array) -> Array:
        import jax.numpy as jnp

        if self.mechanism == "discrete_laplace":
            return jnp.log(jnp.tanh(0.5 / self.spread)) - jnp.abs(k) / self.spread
        return -0.5 * jnp.square(k / self.spread) - self._log_normaliser

    def _log_below(self, k: Array) -> Array:
        """Log P(noise ≤ k)."""
        import jax.numpy as jnp

        if self.mechanism == "discrete_laplace":
            tail = -jnp.abs(jnp.where(k < 0, k, k + 1.0)) / self.spread - jnp.log1p(jnp.exp(-1.0 / self.spread))
            return jnp.where(k < 0, tail, jnp.log1p(-jnp.exp(jnp.where(k < 0, -1.0, tail))))
        reach = 3 * self.offsets[0]
        return jnp.asarray(self._log_cumulated)[jnp.clip(jnp.nan_to_num(k, posinf=reach, neginf=-reach), -reach, reach).astype(int) + reach]

    @cached_property
    def _log_normaliser(self) -> float:
        k = np.arange(-20 - int(40 * self.spread), 21 + int(40 * self.spread))
        return float(np.log(np.exp(-0.5 * np.square(k / self.spread)).sum()))

    @cached_property
    def _log_cumulated(self) -> np.ndarray:
        reach = 3 * self.offsets[0]
        k = np.arange(-reach, reach + 1)
        return np.logaddexp.accumulate(-0.5 * np.square(k / self.spread) - self._log_normaliser)
