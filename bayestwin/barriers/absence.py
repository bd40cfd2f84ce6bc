"""Absences: cells of which nothing is released for reasons that have nothing to do with their values."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from bayestwin.barriers.barrier import AbstractAbsence, Ignorability, need
from bayestwin.barriers.grid import Grid
from bayestwin.barriers.selection import present_but
from bayestwin.periods import period_end


class SiteAbsence(AbstractAbsence):
    """Units whose data were not granted, or not before a day; nothing older is delivered afterwards.

    Attributes:
        dim: dim of the units.
        absent: their labels.
        until: first day from which they are released; never if absent.
    """

    kind: Literal["site_absence"] = "site_absence"
    dim: str
    absent: tuple[str, ...]
    until: date | None = None

    @property
    def label(self) -> Ignorability:
        return Ignorability.CALENDAR

    @property
    def sentence(self) -> str:
        when = f" before {self.until}" if self.until else ""
        return f"Not granted{when}: {', '.join(self.absent)}. They are drawn from the hierarchy, as wide as it is."

    def present(self, grid: Grid) -> np.ndarray:
        granted = present_but(grid, self.dim, self.absent, self.title)
        if self.until is None:
            return granted
        time = grid.resolution
        need(time is not None, f"{self.title}: a day of grant needs a time dim; the dims here are {list(grid.dims)}")
        later = grid.coords[str(time)] >= np.datetime64(self.until)
        return granted | np.broadcast_to(grid.along(str(time), later), grid.shape)


class Embargo(AbstractAbsence):
    """A span of days that is not released.

    Attributes:
        start, end: first and last day that are withheld; periods that touch them are withheld whole.
    """

    kind: Literal["embargo"] = "embargo"
    start: date
    end: date

    @model_validator(mode="after")
    def _runs_forwards(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"embargo runs from {self.start} to {self.end}: give the earlier day first")
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.CALENDAR

    @property
    def sentence(self) -> str:
        return f"Embargoed from {self.start} to {self.end}; the state keeps moving through the gap."

    def present(self, grid: Grid) -> np.ndarray:
        time = grid.resolution
        need(time is not None, f"{self.title}: an embargo needs a time dim; the dims here are {list(grid.dims)}")
        starts = grid.coords[str(time)]
        ends = period_end(starts, str(time))
        free = (ends < np.datetime64(self.start)) | (starts > np.datetime64(self.end))
        return np.broadcast_to(grid.along(str(time), free), grid.shape)


class Withheld(AbstractAbsence):
    """A field that exists and is not released; its latent quantity stays in the model and is informed by its prior.

    Attributes:
        field: what is withheld, in words.
        dim, labels: the cells that are: those of these labels along a dim; all if absent.
        here: False where the field is one that the extract does not hold anyway, so that no cell of it is affected.
    """

    kind: Literal["withheld"] = "withheld"
    field: str
    dim: str | None = None
    labels: tuple[str, ...] = ()
    here: bool = True

    @property
    def label(self) -> Ignorability:
        return Ignorability.CALENDAR

    @property
    def sentence(self) -> str:
        return f"Not released: {self.field}. What depends on it alone keeps its prior width."

    def present(self, grid: Grid) -> np.ndarray:
        if not self.here:
            return np.ones(grid.shape, bool)
        return present_but(grid, self.dim, self.labels, self.title) if self.dim else np.zeros(grid.shape, bool)
