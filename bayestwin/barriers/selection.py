"""Selection that no data show: who is in, and how what is missing differs.

The part that covariates explain is estimated. The rest is a slope (or shift) with a prior, and a range over which results
must be shown: it is never silently taken to be zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from bayestwin.barriers.barrier import AbstractAbsence, AbstractBarrier, AbstractChannel, Given, Ignorability, need
from bayestwin.barriers.grid import Grid

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts


class Sensitivity(AbstractBarrier):
    """What stands in for a selection that the data do not show.

    Attributes:
        slope_sd: prior sd of the slope.
        slope_range: slopes for which results are to be shown, lower end first.
    """

    slope_sd: Annotated[float, Field(gt=0)] = 0.5
    slope_range: tuple[float, float] = (-1.0, 1.0)

    @property
    def label(self) -> Ignorability:
        return Ignorability.UNKNOWN_SELECTION

    @field_validator("slope_range")
    @classmethod
    def _runs_upwards(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not ends[0] <= ends[1]:
            raise ValueError(f"slope_range runs from {ends[0]} to {ends[1]}: give the lower end first")
        return ends

    def stands_in(self, unit: str) -> str:
        """The clause of a report's sentence."""
        low, high = self.slope_range
        return f"a prior (sd {self.slope_sd:g} {unit}) and a sensitivity range {low:g} to {high:g} stand in for it"


class SiteSelection(AbstractAbsence, Sensitivity):
    """Sites that gave no access, perhaps because of what they are: logit P(takes part) = α + β z + γ u.

    z is a known covariate of the site and u its standardised effect in the model; γ is not in the data.

    Attributes:
        dim: dim of the sites.
        absent: labels of those that took no part.
        slope_sd, slope_range: of γ, per sd of the site effects.

    Source: Petersen et al. (2012) for sites that took part being unlike the others.
    """

    kind: Literal["site_selection"] = "site_selection"
    dim: str
    absent: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def sentence(self) -> str:
        return f"{len(self.absent)} of the {self.dim}s gave no access; how far that depends on their workload is not in the data: {self.stands_in('per sd of site effects')}."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        return {"intercept": dist.Normal(0.0, 1.5), "covariate": dist.Normal(0.0, 1.0), "slope": dist.Normal(0.0, self.slope_sd)}

    def present(self, grid: Grid) -> np.ndarray:
        return present_but(grid, self.dim, self.absent, self.title)

    def takes_part(self, grid: Grid, given: Given, effect: Array, covariate: Array | float = 0.0) -> dist.Distribution:
        """Law of who took part, for `numpyro.sample(..., obs=barrier.took_part(grid))`.

        Args:
            grid: cells with the sites' dim.
            given: intercept, covariate, slope.
            effect: standardised site effects u, (site,).
            covariate: z, (site,).
        """
        import numpyro.distributions as dist

        return dist.Bernoulli(logits=given["intercept"] + given["covariate"] * covariate + given["slope"] * effect)

    def took_part(self, grid: Grid) -> np.ndarray:
        """1 for each site that took part, (site,)."""
        return (~np.isin(grid.coords[self.dim].astype(str), self.absent)).astype(int)


class Consent(AbstractChannel, Sensitivity):
    """Records of those who consent; consent may go with the rate at which they make work.

    With log rates of sd σ between persons and a slope γ of the log-odds of consent per sd, events are weighed towards persons
    of high rates, whose u is σ above: of the events a share Φ = E[logit⁻¹(α + γ σ + γ u)] comes from those who consent, where
    φ = E[logit⁻¹(α + γ u)] of the persons do. Both means are taken by MacKay's approximation, which is right within 1 %.

    Attributes:
        fraction: share φ that consents.
        spread: σ, sd of the log rate between persons.
        slope_sd, slope_range: of γ, per sd.

    Source: Kho et al. (2009), BMJ 338:b866, for consenters differing in either direction; MacKay (1992), "The evidence
    framework applied to classification networks", eq. 10, for the mean of a logistic function of a normal variable.
    """

    kind: Literal["consent"] = "consent"
    fraction: Annotated[float, Field(gt=0, le=1)]
    spread: Annotated[float, Field(gt=0)] = 0.5

    @property
    def sentence(self) -> str:
        return f"Holds the {100 * self.fraction:g} % who consent; how far consent goes with their rate is not in the data: {self.stands_in('on the log-odds per sd')}."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        return {"slope": dist.Normal(0.0, self.slope_sd)} if self.fraction < 1 else {}

    def share(self, given: Given) -> Any:
        """Events of those who consent over all events."""
        import jax
        import jax.numpy as jnp

        if self.fraction == 1:
            return jnp.ones(())
        slope = given["slope"]
        level = np.log(self.fraction / (1.0 - self.fraction))
        return jax.nn.sigmoid(level + slope * self.spread / jnp.sqrt(1.0 + np.pi * jnp.square(slope) / 8.0))

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        return counts._replace(mean=counts.mean * self.share(given))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        return rng.binomial(counts, float(self.share(given)))


class NonResponse(AbstractChannel, Sensitivity):
    """Mean scores of those who answer a survey; the others differ by a shift that no data show (pattern mixture).

    Attributes:
        response: share φ that answers.
        slope_sd, slope_range: of the shift δ of those who do not answer, in points of the score.

    Source: Little (1993), "Pattern-mixture models for multivariate incomplete data", JASA 88.
    """

    kind: Literal["non_response"] = "non_response"
    response: Annotated[float, Field(gt=0, le=1)]
    slope_sd: Annotated[float, Field(gt=0)] = 5.0
    slope_range: tuple[float, float] = (-10.0, 10.0)

    @property
    def sentence(self) -> str:
        return f"Answered by {100 * self.response:g} %; how far the others differ is not in the data: {self.stands_in('points')}."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        return {"slope": dist.Normal(0.0, self.slope_sd)} if self.response < 1 else {}

    def _shift(self, given: Given) -> Any:
        return (1.0 - self.response) * given["slope"] if self.response < 1 else 0.0

    def expect(self, counts: Any, grid: Grid, given: Given) -> Any:
        """The law of the answers, of scores whose mean is that of all."""
        return counts._replace(loc=counts.loc - self._shift(given))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        return counts - np.asarray(self._shift(given))


def present_but(grid: Grid, dim: str, absent: tuple[str, ...], title: str) -> np.ndarray:
    """All cells but those of some labels along a dim."""
    need(dim in grid.coords, f"{title}: there is no dim {dim!r} here: {list(grid.dims)}")
    labels = grid.coords[dim].astype(str)
    unknown = [label for label in absent if label not in labels]
    need(not unknown, f"{title}: {unknown} are not among the {dim}s: {list(labels)}")
    return np.broadcast_to(grid.along(dim, ~np.isin(labels, absent)), grid.shape)
