"""Rounding to multiples of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from bayestwin.barriers.barrier import Coarsening, Ignorability, Randomised, array_module
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from jaxtyping import Array


class Round(Coarsening):
    """Numbers are published as multiples of a base; the likelihood is that of all values which round alike.

    Attributes:
        base: the base, in the unit of the values; halves go up.
        direction: to the nearest multiple, always up, or always down.

    Example:
        >>> ends = Round(base=5).preimage(np.array([10.0]), np.array([10.0]), whole=True)
        >>> [float(end[0]) for end in ends]
        [8.0, 12.0]
    """

    kind: Literal["round"] = "round"
    base: Annotated[int, Field(ge=1)]
    direction: Literal["nearest", "up", "down"] = "nearest"

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        where = "to the nearest multiple" if self.direction == "nearest" else f"{self.direction} to a multiple"
        return f"Rounded {where} of {self.base}; the likelihood adds up the values that round alike."

    @property
    def published(self) -> str:
        return f"multiples of {self.base}"

    @property
    def widths(self) -> Widths:
        return Widths(few=self.base)

    def publish(self, values: np.ndarray) -> np.ndarray:
        shift = {"nearest": 0.5, "down": 0.0}.get(self.direction)
        return self.base * (np.ceil(values / self.base) if shift is None else np.floor(values / self.base + shift))

    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        xp = array_module(low)
        below, above = {"nearest": (0.5, 0.5), "up": (1.0, 0.0), "down": (0.0, 1.0)}[self.direction]
        first, last = self.base * xp.ceil(low / self.base), self.base * xp.floor(high / self.base)
        ends = first - below * self.base, last + above * self.base
        if not whole:
            return xp.where(first > last, xp.inf, ends[0]), xp.where(first > last, -xp.inf, ends[1])
        if self.direction == "up":
            return ends[0] + 1.0, ends[1]
        return xp.ceil(ends[0]), xp.ceil(ends[1]) - 1.0


class RandomRound(Randomised):
    """Each number goes to one of its two neighbouring multiples at random, so that it is right on average.

    Attributes:
        base: the base; multiples of it stay as they are.

    Source: Nargundkar & Saveland (1972), "Random rounding to prevent statistical disclosures".
    """

    kind: Literal["random_round"] = "random_round"
    base: Annotated[int, Field(ge=1)]

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Rounded at random to one of the two neighbouring multiples of {self.base}, without bias; the likelihood weighs the values that may have led there."

    @property
    def published(self) -> str:
        return f"multiples of {self.base}"

    @property
    def offsets(self) -> tuple[int, int]:
        return self.base - 1, self.base - 1

    def possible(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.ceil(low / self.base) <= np.floor(high / self.base)

    def draw(self, rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        down = values // self.base * self.base
        return down + self.base * (rng.random(np.shape(values)) * self.base < values - down)

    def log_kernel(self, low: Array, high: Array, value: Array) -> Array:
        import jax.numpy as jnp

        down = jnp.floor(value / self.base) * self.base
        up = (value - down) / self.base
        chance = jnp.where((low <= down) & (down <= high), 1.0 - up, 0.0) + jnp.where(
            (low <= down + self.base) & (down + self.base <= high), up, 0.0
        )
        return jnp.where(chance > 0, jnp.log(jnp.where(chance > 0, chance, 1.0)), -jnp.inf)
