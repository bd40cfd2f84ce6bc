"""Banding: a quantity is released only as the interval that it fell in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bayestwin.barriers.barrier import Coarsening, Ignorability, array_module
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from jaxtyping import Array, Float


class BandInterval(BaseModel):
    """One released interval, `low <= value < high`, in the unit of its barrier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    low: float
    high: float

    @model_validator(mode="after")
    def _runs_upwards(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"band {self.label!r} runs from {self.low} to {self.high}: low must be below high")
        return self


class Band(Coarsening):
    """Values are released as bands; the likelihood of a band is a difference of distribution functions.

    The published number of a band is its lower end; what lies outside all bands counts as an open band at either end.

    Attributes:
        unit: unit of the values; `events` for counts.
        bands: the bands, upwards, each beginning where the one before ends.

    Example:
        >>> band = Band(unit="minutes", bands=[{"label": "short", "low": 0, "high": 10}])
        >>> band.edges.tolist()
        [0.0, 10.0]
    """

    kind: Literal["band"] = "band"
    unit: Literal["minutes", "hours", "days", "years", "events"]
    bands: Annotated[tuple[BandInterval, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _adjoin(self) -> Self:
        for left, right in zip(self.bands, self.bands[1:], strict=False):
            if left.high > right.low:
                raise ValueError(
                    f"bands overlap: {left.label!r} ends at {left.high}, {right.label!r} begins at {right.low}; "
                    "order the bands and let each begin where the one before ends"
                )
            if left.high < right.low:
                raise ValueError(
                    f"gap between bands: {left.label!r} ends at {left.high}, {right.label!r} begins at {right.low}; "
                    "values in the gap would have no band"
                )
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        first, last = self.bands[0], self.bands[-1]
        return (
            f"Released in {len(self.bands)} bands from {first.low:g} to {last.high:g} {self.unit}; "
            "the likelihood uses the probability of each band, no mid-points are filled in."
        )

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bands, shape (bands + 1,), in the barrier's unit."""
        return np.array([b.low for b in self.bands] + [self.bands[-1].high])

    @property
    def published(self) -> str:
        return f"lower ends of bands: {', '.join(f'{b.low:g}' for b in self.bands)}"

    @property
    def widths(self) -> Widths:
        return Widths(wide=True)

    def publish(self, values: np.ndarray) -> np.ndarray:
        edges = np.concatenate([[-np.inf], self.edges])
        return edges[np.searchsorted(self.edges, values, side="right")]

    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        xp = array_module(low)
        ends = xp.asarray(np.concatenate([[-np.inf], self.edges, [np.inf]]))
        first, last = xp.searchsorted(ends[:-1], low), xp.searchsorted(ends[:-1], high, side="right")
        lower, upper = ends[first], ends[last]
        if whole:
            lower, upper = xp.ceil(lower), xp.ceil(upper) - 1.0
        return xp.where(first < last, lower, xp.inf), xp.where(first < last, upper, -xp.inf)

    def masses(self, cdf: Callable[[Float[Array, " edge"]], Float[Array, "... edge"]]) -> Float[Array, "... mass"]:
        """Probability below the first band, in each band, and above the last.

        Args:
            cdf: distribution function; takes the edges, returns (..., bands + 1).

        Returns:
            Masses with last axis bands + 2; they sum to one.
        """
        import jax.numpy as jnp

        below = cdf(jnp.asarray(self.edges))
        ends = jnp.ones_like(below[..., :1])
        return jnp.diff(jnp.concatenate([0.0 * ends, below, ends], axis=-1), axis=-1)
