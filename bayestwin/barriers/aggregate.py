"""Aggregation: only sums over periods, groups of units or categories are released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability, array_module, need
from bayestwin.barriers.grid import Grid
from bayestwin.periods import RESOLUTIONS, period_start

if TYPE_CHECKING:
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts


class Aggregate(AbstractChannel):
    """Sums over a period and, where stated, over the units of a higher level or over categories.

    Periods may be of unequal length and seen in part: a sum is that of the cells which are there.

    Attributes:
        period: resolution of the sums: week, month or year.
        level: level of the hierarchy whose groups of units are added up.
        categories: for one further dim, new labels and the old ones that each adds up: {"age": {"0-17": ["0-4", "5-17"]}}.
        exact: stream whose counts, added up, equal these sums exactly; then the sums say nothing that it does not.

    Example:
        >>> days = np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")
        >>> Aggregate(period="week").total(np.ones(14), Grid({"day": days})).tolist()
        [7.0, 7.0]
    """

    kind: Literal["aggregate"] = "aggregate"
    period: Literal["week", "month", "year"] | None = None
    level: str | None = None
    categories: dict[str, dict[str, tuple[str, ...]]] = Field(default={})
    exact: str | None = None

    @model_validator(mode="after")
    def _adds_something_up(self) -> Self:
        if not (self.period or self.level or self.categories):
            raise ValueError("nothing is added up: give period, level or categories")
        for dim, groups in self.categories.items():
            added = [label for labels in groups.values() for label in labels]
            if len(set(added)) < len(added):
                raise ValueError(f"categories of {dim!r} add up {sorted(added)}: each belongs to one group")
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        over = [self.period, self.level, *self.categories]
        known = f"; they equal the sums of {self.exact} exactly" if self.exact else ""
        return f"Released as sums by {' and '.join(part for part in over if part)}; the likelihood is that of the sum{known}."

    def out(self, grid: Grid) -> Grid:
        for dim, name, coord, _ in self._steps(grid):
            grid = grid.replaced(dim, name, coord)
        return grid

    def _steps(self, grid: Grid) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
        """Each summed dim, the name and coordinates of what takes its place, and the sum that each of its cells goes to."""
        steps: list[tuple[str, str, np.ndarray, np.ndarray]] = []
        if self.period:
            time = grid.resolution
            finer = time is not None and RESOLUTIONS.index(time) < RESOLUTIONS.index(self.period)
            need(finer, f"{self.title}: sums by {self.period} need a finer time dim; the dims here are {list(grid.dims)}")
            need(
                (time, self.period) != ("week", "month") and (time, self.period) != ("week", "year"),
                f"{self.title}: weeks do not divide into {self.period}s; keep days",
            )
            starts, index = np.unique(period_start(grid.coords[str(time)], self.period), return_inverse=True)
            steps.append((str(time), self.period, starts, index))
        if self.level:
            dim = next((dim for dim, level in grid.above if level == self.level), None)
            have = sorted(level for _, level in grid.above)
            need(
                dim is not None,
                f"{self.title}: sums by {self.level} need to know which units belong to which {self.level}; the levels here are {have}",
            )
            codes, index = np.unique(grid.above[str(dim), self.level], return_inverse=True)
            steps.append((str(dim), self.level, codes, index))
        for dim, groups in self.categories.items():
            of = {old: new for new, olds in groups.items() for old in olds}
            need(dim in grid.coords, f"{self.title}: there is no dim {dim!r} here: {list(grid.dims)}")
            there = grid.coords[dim]
            need(
                set(of) == set(map(str, there)),
                f"{self.title}: categories of {dim!r} add up {sorted(of)}; there are {sorted(map(str, there))}",
            )
            labels = np.array(list(groups))
            steps.append((dim, dim, labels, np.array([list(groups).index(of[str(old)]) for old in there])))
        return steps

    def total(self, values: Any, grid: Grid) -> Any:
        """Sums of an array on the grid; a quantity that is not linear in the counts is worked out before it is summed.

        Args:
            values: (..., cells) with the grid's axes last, NumPy's or JAX's.
            grid: its cells.
        """
        xp = array_module(values)
        for dim, name, coord, index in self._steps(grid):
            axis = grid.axis(dim) - len(grid.dims)
            member = xp.asarray(index == np.arange(len(coord))[:, None], float)
            values = xp.moveaxis(xp.tensordot(values, member, axes=((values.ndim + axis,), (1,))), -1, axis)
            grid = grid.replaced(dim, name, coord)
        return values

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        import jax.numpy as jnp

        mean = jnp.broadcast_to(counts.mean, grid.shape)
        return counts._replace(mean=self.total(mean, grid), concentration=summed_concentration(counts, mean, lambda x: self.total(x, grid)))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        return np.rint(self.total(counts.astype(float), grid)).astype(int)


def summed_concentration(counts: Counts, parts: Array, total: Any) -> Array | None:
    """Concentration of sums of independent NB2 counts, by their variance; exact where mean / k is the same in all parts.

    Args:
        counts: law of the parts.
        parts: means of the parts as they enter the sums.
        total: the sum.
    """
    if counts.concentration is None:
        return None
    import jax.numpy as jnp

    return jnp.square(total(parts)) / total(jnp.square(parts) / counts.concentration)
