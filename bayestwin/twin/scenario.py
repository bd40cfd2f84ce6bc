"""What-if changes to a forecast, read from a TOML file of `[[change]]` tables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bayestwin.errors import Fault, ScenarioError


class _Change(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Factor(_Change):
    factor: Annotated[float, Field(gt=0, le=100)]
    areas: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None


class ListGrowth(_Factor):
    """Registered patients multiplied by a factor."""

    kind: Literal["list_growth"]


class Demand(_Factor):
    """Appointments per patient multiplied by a factor."""

    kind: Literal["demand"]


class Duration(_Factor):
    """Minutes per appointment multiplied by a factor."""

    kind: Literal["duration"]


class WorkingDay(_Change):
    """A public holiday that is worked."""

    kind: Literal["working_day"]
    date: date


class Scenario(BaseModel):
    """Named changes, applied together; no changes is the forecast as things stand.

    Example:
        >>> Scenario(change=[{"kind": "list_growth", "factor": 1.02}]).change[0].factor
        1.02
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "as things stand"
    change: tuple[Annotated[ListGrowth | Demand | Duration | WorkingDay, Field(discriminator="kind")], ...] = ()

    def factor(self, kind: str, weeks: np.ndarray, areas: Sequence[str]) -> np.ndarray:
        """Product of the factors of one kind, shape (week, area).

        Args:
            kind: "list_growth", "demand" or "duration".
            weeks: Monday of each week; a change holds in the weeks whose Monday lies in its span.
            areas: area codes.
        """
        product = np.ones((len(weeks), len(areas)))
        for change in self.change:
            if change.kind == kind and isinstance(change, _Factor):
                product[np.ix_(_within(weeks, change), _chosen(areas, change))] *= change.factor
        return product

    @property
    def opened(self) -> np.ndarray:
        """Public holidays that are worked, datetime64[D]."""
        return np.array([change.date for change in self.change if change.kind == "working_day"], dtype="datetime64[D]")


def _within(weeks: np.ndarray, change: _Factor) -> np.ndarray:
    after = weeks >= np.datetime64(change.start) if change.start else np.ones(len(weeks), bool)
    before = weeks <= np.datetime64(change.end) if change.end else np.ones(len(weeks), bool)
    return after & before


def _chosen(areas: Sequence[str], change: _Factor) -> np.ndarray:
    return np.isin(areas, change.areas) if change.areas else np.ones(len(areas), bool)


def read_scenario(path: str | Path, areas: Sequence[str]) -> Scenario:
    """Read a scenario file.

    Args:
        path: TOML file.
        areas: area codes that changes may name.

    Raises:
        ScenarioError: if the file is missing, is not TOML, has a key or value that is not of the schema, or names
            an unknown area.
    """
    path = Path(path)
    try:
        scenario = Scenario.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ScenarioError([Fault(str(path), f"cannot be read: {error.strerror}", remedy="check the path")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError([Fault(str(path), f"is not TOML: {error}", remedy="mend the syntax")]) from error
    except ValidationError as error:
        raise ScenarioError([_fault(path, dict(detail)) for detail in error.errors()]) from error
    unknown = [a for change in scenario.change for a in getattr(change, "areas", ()) if a not in set(areas)]
    if unknown:
        raise ScenarioError([Fault(str(path), "unknown area", "areas", value=a, expected="an area of the study") for a in unknown])
    return scenario


def _fault(path: Path, detail: Mapping[str, Any]) -> Fault:
    where = ".".join(str(part) for part in detail["loc"])
    return Fault(str(path), detail["msg"], where, value=str(detail.get("input"))[:80], remedy="see the scenario page of the docs")
