"""Top- and bottom-coding: everything beyond a limit is published as the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from bayestwin.barriers.barrier import Coarsening, Ignorability, array_module
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from jaxtyping import Array


class TopCode(Coarsening):
    """Values from `limit` on are published as `limit`; their likelihood is the tail from there.

    Attributes:
        limit: the largest number that is published.
    """

    kind: Literal["topcode"] = "topcode"
    limit: float

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Values from {self.limit:g} on are published as {self.limit:g}; the likelihood of those is the tail from there."

    @property
    def published(self) -> str:
        return f"numbers up to {self.limit:g}"

    @property
    def widths(self) -> Widths:
        return Widths(wide=True)

    def publish(self, values: np.ndarray) -> np.ndarray:
        return np.minimum(values, self.limit)

    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        xp = array_module(low)
        above = low > self.limit
        return xp.where(above, xp.inf, low), xp.where(above, -xp.inf, xp.where(high >= self.limit, xp.inf, high))


class Clamp(Coarsening):
    """Values below `limit` are published as `limit`, such as noised counts that are set to zero where negative.

    Attributes:
        limit: the smallest number that is published.
    """

    kind: Literal["clamp"] = "clamp"
    limit: float = 0.0

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"Values below {self.limit:g} are published as {self.limit:g}; the likelihood of those is the tail up to there."

    @property
    def published(self) -> str:
        return f"numbers from {self.limit:g} on"

    @property
    def widths(self) -> Widths:
        return Widths(wide=True)

    def publish(self, values: np.ndarray) -> np.ndarray:
        return np.maximum(values, self.limit)

    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        xp = array_module(low)
        below = high < self.limit
        return xp.where(below, xp.inf, xp.where(low <= self.limit, -xp.inf, low)), xp.where(below, -xp.inf, high)
