"""Date shifting: events are moved by random numbers of days, so that dates cannot identify anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.aggregate import summed_concentration
from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability, need
from bayestwin.barriers.grid import Grid
from bayestwin.periods import DAY

if TYPE_CHECKING:
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts
    from bayestwin.laws.shifted import ShiftedAsOne


class DateShift(AbstractChannel):
    """Days are moved by a uniform number of days; the published span is longer at its ends by the largest shift.

    Days moved as one have a joint law while this is the last channel and nothing randomises the numbers after it; otherwise,
    and for records that are moved each by itself, cells are independent given their means.

    Attributes:
        days: the largest shift, K ≥ 0.
        direction: both ways (-K … K), or onwards only (1 … K).
        keeps_weekday: shifts are multiples of seven days, K whole weeks among them.
        each: what is moved as one: every record by itself, or all records of a unit (a person) by one shift.

    Example:
        >>> DateShift(days=14, keeps_weekday=True).shifts.tolist()
        [-14, -7, 0, 7, 14]
    """

    kind: Literal["date_shift"] = "date_shift"
    days: Annotated[int, Field(ge=0, le=730)]
    direction: Literal["both", "onwards"] = "both"
    keeps_weekday: bool = False
    each: Literal["record", "unit"] = "record"

    @model_validator(mode="after")
    def _moves_at_all(self) -> Self:
        if self.shifts.size == 0:
            raise ValueError(
                f"no shift is left: onwards by at most {self.days} days{' in whole weeks' if self.keeps_weekday else ''}; raise `days`"
            )
        return self

    @property
    def shifts(self) -> np.ndarray:
        """The shifts, in days, all equally likely."""
        step = 7 if self.keeps_weekday else 1
        last = self.days // step
        return step * np.arange(-last if self.direction == "both" else 1, last + 1)

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        how = f"{self.shifts[0]} to {self.shifts[-1]} days{', whole weeks' if self.keeps_weekday else ''}"
        return (
            f"Dates of each {self.each} are shifted by {how}; the likelihood sums over the shifts, patterns that they blur stay uncertain."
        )

    def out(self, grid: Grid) -> Grid:
        need(
            grid.resolution == "day",
            f"{self.title}: dates are shifted by days; the dims here are {list(grid.dims)}, state the shift before sums over periods",
        )
        days = grid.coords["day"]
        before, after = min(int(self.shifts[0]), 0), max(int(self.shifts[-1]), 0)
        return grid.replaced("day", "day", np.arange(days[0] + before * DAY, days[-1] + (after + 1) * DAY, DAY))

    def _moved(self, values: Array, grid: Grid, shift: int) -> Array:
        """An array on the grid, on the published days if all of it is moved by one shift."""
        import jax.numpy as jnp

        axis = grid.axis("day")
        before, after = min(int(self.shifts[0]), 0), max(int(self.shifts[-1]), 0)
        pad = [(shift - before, after - shift) if i == axis else (0, 0) for i in range(len(grid.dims))]
        return jnp.pad(values, pad)

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        import jax.numpy as jnp

        mean = jnp.broadcast_to(counts.mean, grid.shape) / self.shifts.size

        def total(parts: Array) -> Array:
            return sum((self._moved(parts, grid, int(s)) for s in self.shifts), start=jnp.zeros(()))

        blurred = (
            counts if counts.concentration is None else counts._replace(concentration=jnp.broadcast_to(counts.concentration, grid.shape))
        )
        return counts._replace(mean=total(mean), concentration=summed_concentration(blurred, mean, total))

    def joint(self, counts: Counts, grid: Grid, given: Given) -> ShiftedAsOne | None:
        if self.each == "record" or len(self.shifts) == 1:
            return None
        import jax.numpy as jnp

        from bayestwin.laws.shifted import ShiftedAsOne

        mean = jnp.broadcast_to(counts.mean, grid.shape)
        k = None if counts.concentration is None else jnp.broadcast_to(counts.concentration, grid.shape)
        means = jnp.stack([self._moved(mean, grid, int(s)) for s in self.shifts])
        ks = (
            None
            if k is None
            else jnp.stack([jnp.where(means[i] > 0, self._moved(k, grid, int(s)), 1.0) for i, s in enumerate(self.shifts)])
        )
        return ShiftedAsOne(means, ks, grid.axis("day"))

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        where = self.shifts - min(int(self.shifts[0]), 0)
        axis, long = grid.axis("day"), self.out(grid).shape
        if self.each == "unit":
            shape = [1 if i == axis else n for i, n in enumerate(grid.shape)]
            chosen = rng.integers(len(self.shifts), size=[n if i == 1 else 1 for i, n in enumerate(shape)])
            parts = [np.where(chosen == j, counts, 0) for j in range(len(self.shifts))]
        else:
            parts = list(np.moveaxis(rng.multinomial(counts, np.full(self.shifts.size, 1.0 / self.shifts.size)), -1, 0))
        moved = np.zeros(long, int)
        for start, part in zip(where, parts, strict=True):
            index = tuple(slice(start, start + n) if i == axis else slice(None) for i, n in enumerate(grid.shape))
            moved[index] += part
        return moved
