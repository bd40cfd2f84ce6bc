"""Coverage: only a part of the events is in the extract, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability, need
from bayestwin.barriers.grid import Grid

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts

Share = Annotated[float, Field(gt=0, le=1)]


class Coverage(AbstractChannel):
    """Each event is in the extract with a chance that is known, or known up to a stated sd; chart review by chance is one case.

    The chance is stated (`fraction`), or two streams hold the sizes of the covered part and of the whole. NB2 counts
    that are thinned stay NB2 with their concentration, exactly.

    Attributes:
        fraction: share of events that is captured; by label of `by`, or one for all.
        by: dim along which it differs.
        covered, population: streams that hold the two sizes, in place of `fraction`.
        logit_sd: sd of the share's log-odds where it is not known exactly.
        shared: name of a factor that uncertain shares have in common, across streams.
        correlation: correlation of the log-odds with all others of that name, 0 to 1.

    Example:
        >>> from bayestwin.laws.expected import Counts
        >>> Coverage(fraction=0.8).expect(Counts(np.array([10.0])), Grid(), {}).mean.tolist()
        [8.0]
    """

    kind: Literal["coverage"] = "coverage"
    fraction: Share | dict[str, Share] | None = None
    by: str | None = None
    covered: str | None = None
    population: str | None = None
    logit_sd: Annotated[float, Field(ge=0)] = 0.0
    shared: str | None = None
    correlation: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        streams = self.covered is not None and self.population is not None
        if (self.covered is None) != (self.population is None) or streams == (self.fraction is not None):
            raise ValueError("state either fraction, or the streams covered and population")
        if isinstance(self.fraction, dict) != (self.by is not None):
            raise ValueError("a fraction by label needs the dim `by`, and `by` a fraction for each of its labels")
        if (self.shared is None) != (self.correlation == 0.0):
            raise ValueError("a shared factor needs a correlation above zero, and the other way round")
        if self.logit_sd and self.fraction in (1, 1.0):
            raise ValueError("a share of exactly 1 cannot be uncertain; state a smaller one")
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        if self.fraction is None:
            return (
                f"Counts cover the {self.covered} among the {self.population}; rates are per covered person, "
                "and quantities are those that the publication will count."
            )
        part = "a stated part" if isinstance(self.fraction, dict) else f"{100 * self.fraction:g} %"
        doubt = f", up to an sd of {self.logit_sd:g} on the log-odds" if self.logit_sd else ""
        return f"Captures {part} of the events{doubt}; the likelihood is that of the captured part, nothing is scaled up."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        if self.fraction is None or self.logit_sd == 0.0:
            return {}
        shape = (len(grid.coords[self.by]),) if self.by else ()
        own: dict[str, dist.Distribution] = {"z": dist.Normal(0.0, 1.0).expand(shape)}
        return own | ({f"~{self.shared}": dist.Normal(0.0, 1.0)} if self.shared else {})

    def out(self, grid: Grid) -> Grid:
        if self.by is not None and isinstance(self.fraction, dict):
            labels = set(map(str, grid.coords[self.by])) if self.by in grid.coords else set()
            need(
                labels == set(self.fraction),
                f"{self.title}: fractions are stated for {sorted(self.fraction)}; {self.by!r} has {sorted(labels)}",
            )
        return grid

    def share(self, grid: Grid, given: Given) -> Array | np.ndarray:
        """The captured share, broadcast against the grid.

        Args:
            grid: the cells.
            given: `fraction` where two streams hold it; `z` (and the shared factor) where it is uncertain.
        """
        if self.fraction is None:
            need("fraction" in given, f"{self.title}: the share of {self.covered} among {self.population} is not given")
            return given["fraction"]
        stated = (
            np.array([self.fraction[str(c)] for c in grid.coords[str(self.by)]])
            if isinstance(self.fraction, dict)
            else np.asarray(self.fraction)
        )
        if self.logit_sd == 0.0:
            return grid.along(self.by, stated)
        import jax

        z = np.sqrt(1.0 - self.correlation) * given["z"]
        if self.shared:
            z = z + np.sqrt(self.correlation) * given[f"~{self.shared}"]
        share = jax.nn.sigmoid(np.log(stated / (1.0 - stated)) + self.logit_sd * z)
        return grid.along(self.by, share)

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        return counts._replace(mean=counts.mean * self.share(grid, given))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        return rng.binomial(counts, np.broadcast_to(np.asarray(self.share(grid, given)), counts.shape))
