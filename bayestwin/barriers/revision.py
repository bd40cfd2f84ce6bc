"""Revision: a published number is a version, and later versions differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability
from bayestwin.barriers.grid import Grid

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts

LEAST = 1e-6  # 1 / concentration of counts that pass for Poisson


class Revision(AbstractChannel):
    """The latest version known is not the last: its ratio to the final number has a normal logarithm.

    Versions are told apart when an extract is read: of each number only the last version known at the as-of date is seen,
    so that none counts twice. This barrier is what that version may still lack or have too much.

    Attributes:
        log_sd: sd of log(version / final) by label of `by`; 0 for numbers that are final.
        by: dim along which versions are revised together, such as the unit that delivers them.

    Example:
        >>> bool(np.isclose(Revision.from_versions(np.array([98.0, 103.0]), np.array([100.0, 100.0])).log_sd, 0.0254, atol=1e-4))
        True
    """

    kind: Literal["revision"] = "revision"
    log_sd: Annotated[float, Field(ge=0, lt=1)]
    by: str | None = None

    @model_validator(mode="after")
    def _is_finite(self) -> Self:
        if not np.isfinite(self.log_sd):
            raise ValueError("log_sd must be finite")
        return self

    @classmethod
    def from_versions(cls, earlier: np.ndarray, later: np.ndarray, by: str | None = None) -> Revision:
        """The barrier that two versions of the same numbers show.

        Args:
            earlier: numbers > 0 as first known.
            later: the same numbers as known later, same shape.
            by: dim along which they are revised together.
        """
        return cls(log_sd=float(np.sqrt(np.mean(np.square(np.log(np.asarray(earlier) / np.asarray(later)))))), by=by)

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Numbers are the last version known; their ratio to the final ones has an sd of {self.log_sd:.2g} on the log scale, which the likelihood carries."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        shape = (len(grid.coords[self.by]),) if self.by else ()
        return {"z": dist.Normal(0.0, 1.0).expand(shape)} if self.log_sd else {}

    def ratio(self, grid: Grid, given: Given) -> Array:
        """Version over final, broadcast against the grid."""
        import jax.numpy as jnp

        if self.log_sd == 0.0:
            return jnp.ones(())
        return grid.along(self.by, jnp.exp(self.log_sd * given["z"]))

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        """Too much is a random number of further events, so that such counts vary more; the law is that of matched moments."""
        import jax.numpy as jnp

        if self.log_sd == 0.0:
            return counts
        ratio = self.ratio(grid, given)
        own = 0.0 if counts.concentration is None else 1.0 / counts.concentration
        more = jnp.maximum(1.0 - 1.0 / jnp.square(ratio), 0.0) / counts.mean
        return counts._replace(mean=counts.mean * ratio, concentration=1.0 / jnp.maximum(own + more, LEAST))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        """Events that the version lacks are taken out at random; what it has too much are further counts like those there."""
        ratio = np.broadcast_to(np.asarray(self.ratio(grid, given)), counts.shape)
        return rng.binomial(counts, np.minimum(ratio, 1.0)) + rng.poisson(counts * np.maximum(ratio - 1.0, 0.0))
