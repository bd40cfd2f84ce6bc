"""What every access barrier has in common, and the three kinds that there are.

A barrier is one mechanism between the system and the analyst. It is stated in `study.toml`, so it is a frozen pydantic
model; it knows its ignorability and the sentence that a report says about it.

- A *channel* acts on the expected counts and may change their dims: `expect` is the map of the law, `draw` its random
  counterpart for counts that are already there.
- A *release* acts on each published number. A `Coarsening` is a rule, so an observation is the set of values that it
  publishes alike; a `Randomised` release adds chance.
- An *absence* is a mask: the latent quantity stays in the model, no observation of it does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from bayestwin.barriers.grid import AccessError, Grid

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts, Expected
    from bayestwin.laws.widths import Widths

Given = Mapping[str, "Array"]
"""A barrier's parameters by their own names, such as {"fraction": …}."""


class Ignorability(StrEnum):
    """How far the mechanism lets itself be corrected (Rubin 1976; only the first two may be)."""

    CALENDAR = "calendar-ignorable"
    KNOWN_RULE = "known-rule"
    UNKNOWN_SELECTION = "unknown-selection"


class AbstractBarrier(BaseModel, ABC):
    """One mechanism between the system and the analyst; concrete barriers add `kind` and fields.

    Attributes:
        name: what to call it where an access has two of a kind; the kind if absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str | None = None

    @property
    def title(self) -> str:
        """The name by which an access knows it."""
        return self.name or str(getattr(self, "kind"))  # noqa: B009 (every concrete barrier has the field)

    @property
    @abstractmethod
    def label(self) -> Ignorability:
        """Whether the mechanism is fixed by the calendar, a published rule, or unknown selection."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What a report says about the barrier."""

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        """Laws of the parameters that are not known, by name.

        Args:
            grid: the cells that come in.
        """
        return {}


class AbstractChannel(AbstractBarrier):
    """Acts on expected counts, and may change their dims."""

    def out(self, grid: Grid) -> Grid:
        """The cells that come out of these.

        Raises:
            AccessError: if the channel cannot act on them.
        """
        return grid

    @abstractmethod
    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        """The law of what comes out, cell by cell.

        Args:
            counts: the law of what comes in.
            grid: the cells that come in.
            given: the barrier's parameters.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        """What comes out of counts that are there.

        Args:
            rng: random generator.
            counts: whole numbers on the grid.
            grid: their cells.
            given: the barrier's parameters.
        """

    def joint(self, counts: Counts, grid: Grid, given: Given) -> Expected | None:
        """The law of all that comes out, where cells depend on one another beyond their expectation; None if they do not.

        Args:
            counts: the law of what comes in.
            grid: the cells that come in.
            given: the barrier's parameters.
        """
        return None


class AbstractRelease(AbstractBarrier):
    """Acts on each number as it is published."""

    @property
    @abstractmethod
    def published(self) -> str:
        """Which numbers it publishes, for messages: "multiples of 5"."""


class Coarsening(AbstractRelease):
    """A rule that publishes sets of values alike; larger values are never published as smaller ones."""

    @property
    @abstractmethod
    def widths(self) -> Widths:
        """How many whole numbers are published alike."""

    @abstractmethod
    def publish(self, values: np.ndarray) -> np.ndarray:
        """The published number; values that are hidden pass unchanged."""

    @abstractmethod
    def preimage(self, low: Array, high: Array, whole: bool) -> tuple[Array, Array]:
        """Ends of the values that are published between two ends; the first above the second where none is.

        Args:
            low: the smallest published number, included.
            high: the largest, included.
            whole: whether the values are whole numbers.
        """

    def hides(self, values: np.ndarray) -> np.ndarray:
        """Which values are published as a symbol that says only that they are hidden."""
        return np.zeros(np.shape(values), bool)

    @property
    def hidden(self) -> tuple[float, float] | None:
        """Ends of the hidden values, or None where the rule hides none."""
        return None


class Randomised(AbstractRelease):
    """A release that adds chance to a whole number."""

    @property
    def whole(self) -> bool:
        """Whether it publishes whole numbers."""
        return True

    @abstractmethod
    def draw(self, rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        """Published numbers of whole numbers."""

    @abstractmethod
    def log_kernel(self, low: Array, high: Array, value: Array) -> Array:
        """Log probability (density, where published numbers are not whole and the ends are one) of publishing low..high.

        Args:
            low: the smallest published number, included.
            high: the largest, included.
            value: the whole number that it was made of.
        """

    @property
    @abstractmethod
    def offsets(self) -> tuple[int, int]:
        """How far the whole number can lie below and above what is published, up to a chance of 1e-13."""

    def possible(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Which published numbers, between two ends, the release can make at all."""
        return np.ceil(low) <= np.floor(high)


class AbstractAbsence(AbstractBarrier):
    """Cells of which nothing is released; what they would show stays in the model."""

    @abstractmethod
    def present(self, grid: Grid) -> np.ndarray:
        """Which cells are released, shaped like the grid.

        Raises:
            AccessError: if the absence names what the grid does not have.
        """


def need(condition: bool, message: str) -> None:
    """Refuse barriers that do not fit.

    Raises:
        AccessError: if the condition does not hold.
    """
    if not condition:
        raise AccessError(message)


def array_module(values: Array) -> Any:
    """NumPy for arrays that are known while a program is compiled, JAX's for the others."""
    import jax.numpy as jnp

    return np if isinstance(values, np.ndarray | np.generic) else jnp
