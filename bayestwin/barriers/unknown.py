"""Unknown: a category that hides a value for reasons that depend on the value.

Part of it is structural (values outside the released range are always hidden), part is a null field, whose
chance may depend on the value in a way that the data cannot show. That slope has a prior, and a range over
which results must be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from bayestwin.barriers.barrier import AbstractChannel, Given
from bayestwin.barriers.grid import Grid
from bayestwin.barriers.selection import Sensitivity

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array, Float

    from bayestwin.laws.expected import Counts


class Unknown(AbstractChannel, Sensitivity):
    """Values released as a category that says nothing, by a partly unknown selection.

    As a channel it acts on counts by category, the last dim: a count of category j is hidden with log-odds ν + δ x_j, where
    x_j are the categories' positions about their mean, and the category that hides comes last. What is shown and what is hidden
    of one NB2 count are taken to be independent given their means, as those of a Poisson count are.

    Attributes:
        category: the released label that hides the value.
        structural: True when values outside the released bands are always hidden; then the first and last category are those.
        slope_sd: prior sd of δ, the log-odds of a null per unit of log value (close to zero: nulls are at random).
        slope_range: values of that slope for which results are to be shown.
        null: share of nulls at the middle, where it is known; None where the model estimates it.

    Example:
        >>> Unknown(category="Unknown").label.value
        'unknown-selection'
    """

    kind: Literal["unknown"] = "unknown"
    category: str
    structural: bool = False
    slope_sd: Annotated[float, Field(gt=0)] = 0.25
    slope_range: tuple[float, float] = (-0.5, 0.5)
    null: Annotated[float, Field(ge=0, lt=1)] | None = None

    @property
    def sentence(self) -> str:
        hidden = "values outside the bands and null fields" if self.structural else "null fields"
        return f"{self.category!r} hides {hidden}; how far a null depends on the value is not in the data: {self.stands_in('on the log-odds')}."

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        return {"slope": dist.Normal(0.0, self.slope_sd)}

    def observed(
        self,
        masses: Float[Array, "... mass"],
        null_logit: Float[
            Array,
            (
                ...  # mass
            ),
        ],
    ) -> Float[Array, "... category"]:
        """Probabilities (or means) of the released categories, the hiding one last.

        Args:
            masses: true probabilities; with `structural`, the first and last are the always hidden tails.
            null_logit: log-odds of a null, broadcast against `masses`.
        """
        import jax
        import jax.numpy as jnp

        shown = masses * jax.nn.sigmoid(-null_logit)
        if self.structural:
            shown = shown[..., 1:-1]
        return jnp.concatenate([shown, masses.sum(-1, keepdims=True) - shown.sum(-1, keepdims=True)], axis=-1)

    def out(self, grid: Grid) -> Grid:
        dim = grid.dims[-1]
        labels = grid.coords[dim][1:-1] if self.structural else grid.coords[dim]
        return grid.replaced(dim, dim, np.append(labels.astype(object), self.category).astype(str))

    def _null_logit(self, grid: Grid, given: Given) -> Array:
        import jax.numpy as jnp

        if self.null == 0.0:
            return jnp.full(grid.shape[-1], -jnp.inf)
        level = given["null_logit"] if self.null is None else np.log(self.null / (1.0 - self.null))
        position = np.arange(grid.shape[-1]) - 0.5 * (grid.shape[-1] - 1)
        return level + given["slope"] * position

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        import jax.numpy as jnp

        mean = jnp.broadcast_to(counts.mean, grid.shape)
        released = self.observed(mean, self._null_logit(grid, given))
        if counts.concentration is None:
            return counts._replace(mean=released)
        k = jnp.broadcast_to(counts.concentration, grid.shape)
        parts = mean - jnp.pad(released[..., :-1], [(0, 0)] * (mean.ndim - 1) + [(1, 1)] if self.structural else [(0, 0)] * mean.ndim)
        hidden = jnp.square(released[..., -1:]) / (jnp.square(parts) / k).sum(-1, keepdims=True)
        return counts._replace(mean=released, concentration=jnp.concatenate([k[..., 1:-1] if self.structural else k, hidden], axis=-1))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        null = 1.0 / (1.0 + np.exp(-np.asarray(self._null_logit(grid, given))))
        shown = rng.binomial(counts, np.broadcast_to(1.0 - null, counts.shape))
        if self.structural:
            shown = shown[..., 1:-1]
        return np.concatenate([shown, counts.sum(-1, keepdims=True) - shown.sum(-1, keepdims=True)], axis=-1)
