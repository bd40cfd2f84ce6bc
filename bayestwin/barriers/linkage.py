"""Linkage error: events that were not linked, and events of others that were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability
from bayestwin.barriers.grid import Grid

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayestwin.laws.expected import Counts


class Linkage(AbstractChannel):
    """A share of events is missed, and false matches come in at a rate of their own.

    Attributes:
        missed: share of events that find no match, in [0, 1).
        false: expected false matches in a cell, ≥ 0.
        missed_sd, false_sd: sd of the log-odds of `missed` and of the log of `false`, where they are not known exactly.
        by: dim along which the uncertain parts differ, such as the site that links.

    Source: Harron et al. (2014), BMC Medical Research Methodology 14:36, for the size of the bias where errors differ by site.
    """

    kind: Literal["linkage"] = "linkage"
    missed: Annotated[float, Field(ge=0, lt=1)] = 0.0
    false: Annotated[float, Field(ge=0)] = 0.0
    missed_sd: Annotated[float, Field(ge=0)] = 0.0
    false_sd: Annotated[float, Field(ge=0)] = 0.0
    by: str | None = None

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Linkage misses {100 * self.missed:g} % of events and adds {self.false:g} false matches a cell; the likelihood is that of linked counts."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        shape = (len(grid.coords[self.by]),) if self.by else ()
        uncertain = {"missed_z": self.missed * self.missed_sd, "false_z": self.false * self.false_sd}
        return {name: dist.Normal(0.0, 1.0).expand(shape) for name, size in uncertain.items() if size > 0}

    def _rates(self, grid: Grid, given: Given) -> tuple:
        import jax
        import jax.numpy as jnp

        missed, false = jnp.asarray(self.missed), jnp.asarray(self.false)
        if "missed_z" in given:
            missed = jax.nn.sigmoid(np.log(self.missed / (1.0 - self.missed)) + self.missed_sd * given["missed_z"])
        if "false_z" in given:
            false = self.false * jnp.exp(self.false_sd * given["false_z"])
        return tuple(grid.along(self.by if rate.ndim else None, rate) for rate in (missed, false))

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        missed, false = self._rates(grid, given)
        true = (1.0 - missed) * counts.mean
        if counts.concentration is None or self.false == 0.0:
            return counts._replace(mean=true + false)
        return counts._replace(mean=true + false, concentration=counts.concentration * ((true + false) / true) ** 2)

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        missed, false = (np.broadcast_to(np.asarray(rate), counts.shape) for rate in self._rates(grid, given))
        return rng.binomial(counts, 1.0 - missed) + rng.poisson(false)
