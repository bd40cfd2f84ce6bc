"""Published margins: a total stands beside its parts, and binds the hidden ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from bayestwin.barriers.aggregate import summed_concentration
from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability, need
from bayestwin.barriers.grid import Grid

if TYPE_CHECKING:
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts
    from bayestwin.laws.protected import Protected
    from bayestwin.laws.with_total import WithTotal


class Margin(AbstractChannel):
    """The sum over the last dim is published too, as a further label, through the same releases as its parts.

    Parts that are hidden or rounded and their total are then one event: the likelihood is the chance that all parts and
    their sum lie where they were published, by convolution over the values that the parts can take.

    Attributes:
        dim: the dim that is added up; the last one.
        total: label of the sum.
    """

    kind: Literal["margin"] = "margin"
    dim: str
    total: str = "Total"

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Totals over {self.dim} are published beside their parts; hidden parts are conditioned on the sums."

    def out(self, grid: Grid) -> Grid:
        need(grid.dims[-1:] == (self.dim,), f"{self.title}: {self.dim!r} must be the last dim; the dims here are {list(grid.dims)}")
        labels = grid.coords[self.dim].astype(str)
        need(self.total not in labels, f"{self.title}: {self.total!r} is a label of {self.dim!r} already: {list(labels)}")
        return grid.replaced(self.dim, self.dim, np.append(labels.astype(object), self.total).astype(str))

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        import jax.numpy as jnp

        def with_total(parts: Array) -> Array:
            return parts.sum(-1, keepdims=True)

        mean = jnp.broadcast_to(counts.mean, grid.shape)
        k = summed_concentration(counts, mean, with_total)
        joined = None
        if counts.concentration is not None and k is not None:
            joined = jnp.concatenate([jnp.broadcast_to(counts.concentration, grid.shape), k], axis=-1)
        return counts._replace(mean=jnp.concatenate([mean, with_total(mean)], axis=-1), concentration=joined)

    def joint(self, counts: Counts, grid: Grid, given: Given) -> WithTotal:
        from bayestwin.laws.with_total import WithTotal

        return WithTotal(counts.over(grid.shape))

    def protected(self, counts: Counts, grid: Grid, lowest: int, below: int) -> Protected:
        """The joint law where a second part is hidden to protect a single one.

        Args:
            counts: law of the parts.
            grid: their cells.
            lowest: smallest count that the primary rule hides.
            below: its threshold.
        """
        from bayestwin.laws.protected import Protected

        return Protected(counts.over(grid.shape), lowest, below)

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        return np.concatenate([counts, counts.sum(-1, keepdims=True)], axis=-1)
