"""Suppression: small numbers are published as a symbol, and a second part where a total would give a single one away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from bayestwin.barriers.barrier import Coarsening, Ignorability, array_module
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from jaxtyping import Array


class Suppress(Coarsening):
    """Counts below a threshold are hidden behind a symbol; the likelihood of the symbol is the chance of all that it hides.

    Attributes:
        below: the threshold; counts from it on are shown.
        zero: whether a count of zero is shown.
        symbol: what stands in the place of a hidden count.
        complementary: where a total stands beside its parts (a margin) and one part alone is hidden, the next smallest is hidden too.

    Example:
        >>> Suppress(below=8).hidden  # hospital episodes in England since 2018
        (1.0, 7.0)
    """

    kind: Literal["suppress"] = "suppress"
    below: Annotated[int, Field(ge=1)]
    zero: Literal["shown", "hidden"] = "shown"
    symbol: str = "*"
    complementary: bool = False

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        lowest = 1 if self.zero == "shown" else 0
        second = ", and a second part where a total would give one away" if self.complementary else ""
        return (
            f"Counts {lowest} to {self.below - 1} are hidden as {self.symbol!r}{second}; the likelihood of the symbol is the chance "
            "of all that it may hide, none is dropped or filled in."
        )

    @property
    def published(self) -> str:
        zero = "0 and numbers" if self.zero == "shown" else "numbers"
        return f"{zero} from {self.below} on, or {self.symbol!r}"

    @property
    def widths(self) -> Widths:
        return Widths(few=max(self.below, 1))

    @property
    def hidden(self) -> tuple[float, float] | None:
        lowest = 1.0 if self.zero == "shown" else 0.0
        return (lowest, self.below - 1.0) if lowest < self.below else None

    def hides(self, values: np.ndarray) -> np.ndarray:
        low, high = self.hidden or (1.0, 0.0)
        return (values >= low) & (values <= high)

    def publish(self, values: np.ndarray) -> np.ndarray:
        return values

    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        xp = array_module(low)
        shows_zero = (low <= 0) & (high >= 0) & (self.zero == "shown")
        large = high >= self.below
        first = xp.where(shows_zero, 0.0, xp.maximum(low, float(self.below)))
        return xp.where(shows_zero | large, first, xp.inf), xp.where(large, high, xp.where(shows_zero, 0.0, -xp.inf))


def hide_second(values: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Hide the smallest shown part, zeros aside, wherever just one part is hidden and the total is shown.

    Args:
        values: (..., part and total) counts, the total last.
        hidden: which of them the primary rule hides.
    """
    parts, alone = values[..., :-1], (hidden[..., :-1].sum(-1) == 1) & ~hidden[..., -1]
    eligible = ~hidden[..., :-1] & (parts > 0)
    smallest = np.argmin(np.where(eligible, parts, np.inf), axis=-1)
    second = (np.arange(parts.shape[-1]) == smallest[..., None]) & eligible & alone[..., None]
    return hidden | np.concatenate([second, np.zeros_like(hidden[..., -1:])], axis=-1)


def second_top(values: np.ndarray, hidden: np.ndarray, top: float) -> np.ndarray:
    """The largest count that a hidden part can have: more than below the threshold where it may be hidden second.

    Args:
        values: (..., part and total) published numbers.
        hidden: which are published as a symbol.
        top: the largest count that the primary rule hides.
    """
    pair = (hidden[..., :-1].sum(-1, keepdims=True) == 2) & ~hidden[..., -1:]
    shown = np.where(hidden | (values <= 0), np.inf, values)[..., :-1].min(-1, keepdims=True)
    return np.where(pair, np.maximum(np.where(np.isinf(shown), values[..., -1:], shown), top), top)
