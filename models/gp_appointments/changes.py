"""What a scenario may change in general practice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.twin.scenario import Change, Scenario


class _Factor(Change):
    labels: ClassVar[Mapping[str, str]] = {"areas": "area"}

    factor: Annotated[float, Field(gt=0, le=100)]
    areas: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None

    @model_validator(mode="after")
    def _runs_forwards(self) -> Self:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"it runs from {self.start} to {self.end}: give the earlier day first")
        return self


class ListGrowth(_Factor):
    """Registered patients multiplied by a factor."""

    kind: Literal["list_growth"]


class Demand(_Factor):
    """Appointments per patient multiplied by a factor."""

    kind: Literal["demand"]


class Duration(_Factor):
    """Minutes per appointment multiplied by a factor."""

    kind: Literal["duration"]


class WorkingDay(Change):
    """A public holiday that is worked."""

    kind: Literal["working_day"]
    date: date


CHANGES: tuple[type[Change], ...] = (ListGrowth, Demand, Duration, WorkingDay)


def factor(scenario: Scenario, kind: type[_Factor], weeks: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Product of a scenario's factors of one kind, shape (week, area).

    Args:
        scenario: its changes; one holds in the weeks whose Monday lies in its span.
        kind: which factors.
        weeks: Monday of each week.
        areas: area codes.

    Example:
        >>> halved = Scenario(change=(Demand(kind="demand", factor=0.5, areas=("A1",)),))
        >>> factor(halved, Demand, np.array(["2024-01-01"], "datetime64[D]"), np.array(["A1", "A2"])).tolist()
        [[0.5, 1.0]]
    """
    product = np.ones((len(weeks), len(areas)))
    for change in _of(scenario, kind):
        product[np.ix_(_within(weeks, change), _chosen(areas, change))] *= change.factor
    return product


def opened(scenario: Scenario) -> np.ndarray:
    """Public holidays that are worked, datetime64[D]."""
    return np.array([change.date for change in _of(scenario, WorkingDay)], dtype="datetime64[D]")


def _of[C: Change](scenario: Scenario, kind: type[C]) -> Iterable[C]:
    return (change for change in scenario.change if isinstance(change, kind))


def _within(weeks: np.ndarray, change: _Factor) -> np.ndarray:
    after = weeks >= np.datetime64(change.start) if change.start else np.ones(len(weeks), bool)
    before = weeks <= np.datetime64(change.end) if change.end else np.ones(len(weeks), bool)
    return after & before


def _chosen(areas: np.ndarray, change: _Factor) -> np.ndarray:
    return np.isin(areas, change.areas) if change.areas else np.ones(len(areas), bool)
