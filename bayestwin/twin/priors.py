"""Priors as a typed table: each has a distribution, a unit, a source and a meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayestwin.errors import Fault, StudyError

if TYPE_CHECKING:
    import numpyro.distributions as dist

Family = Literal["Normal", "LogNormal", "HalfNormal", "Beta", "Gamma"]
PARAMETERS: dict[str, int] = {"Normal": 2, "LogNormal": 2, "HalfNormal": 1, "Beta": 2, "Gamma": 2}
SUPPORT: dict[str, tuple[float, float]] = {
    "Normal": (-inf, inf),
    "LogNormal": (0.0, inf),
    "HalfNormal": (0.0, inf),
    "Beta": (0.0, 1.0),
    "Gamma": (0.0, inf),
}
LOCATED = ("Normal", "LogNormal")  # their first parameter may be any number; all others are above zero


@dataclass(frozen=True)
class Prior:
    """One row of a prior table.

    Attributes:
        name: the parameter, as it is called in the posterior.
        distribution: family, in NumPyro's parameterisation (LogNormal by the log's mean and sd).
        parameters: the family's parameters; a list of lists' worth of numbers gives a vector prior.
        unit: unit of the parameter.
        source: where the numbers come from; "[E]" marks an elicited one without a published figure.
        meaning: what the parameter is.
        overridden: whether the study replaced the model's own prior.
    """

    name: str
    distribution: Family
    parameters: tuple[float | tuple[float, ...], ...]
    unit: str
    source: str
    meaning: str
    overridden: bool = False

    def build(self) -> dist.Distribution:
        """The NumPyro distribution.

        Example:
            >>> Prior("sd", "HalfNormal", (0.2,), "log", "[E]", "spread").build().scale.item()
            0.2
        """
        import numpyro.distributions as dist

        return getattr(dist, self.distribution)(*(np.asarray(p, float) for p in self.parameters))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter.

        Raises:
            ValueError: if vectors of parameters differ in length.
        """
        return np.broadcast_shapes(*(np.shape(p) for p in self.parameters))

    def as_row(self) -> dict[str, object]:
        """The row as plain values, for a manifest or a table."""
        row = asdict(self)
        row["description"] = row.pop("meaning")
        return row


class PriorTable(Mapping[str, Prior]):
    """Priors by name, in the order in which a reader should meet them."""

    def __init__(self, rows: Iterable[Prior]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Prior:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def override(self, rows: Iterable[Prior], file: str) -> PriorTable:
        """The table with a study's own priors in place of the model's.

        Args:
            rows: replacing priors; meaning is kept from the model.
            file: the file that states them, for the error.

        Raises:
            StudyError: if a name is not in the table, parameters are not those of the family or as many as the model's own, or a family
                reaches where the parameter cannot be.
        """
        rows = list(rows)
        faults = [fault for row in rows for fault in self._faults(row, file)]
        if faults:
            raise StudyError(faults)
        new = {row.name: replace(row, meaning=self[row.name].meaning, overridden=True) for row in rows}
        return PriorTable({**self._rows, **new}.values())

    def _faults(self, row: Prior, file: str) -> Iterator[Fault]:
        if row.name not in self:
            near = get_close_matches(row.name, self, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `bayestwin models show` for the names"
            yield Fault(file, "unknown prior", "prior.name", value=row.name, expected="a parameter of the model", remedy=hint)
            return
        own, stated, family = self[row.name], str(list(row.parameters)), row.distribution
        (low, high), (least, most) = SUPPORT[family], SUPPORT[own.distribution]
        if low < least or high > most:
            expected = f"a family from {least:g} to {most:g}, as the model's {own.distribution}"
            yield Fault(file, f"prior {row.name!r} reaches where it cannot be", "prior.distribution", value=family, expected=expected)
        count = PARAMETERS[family]
        if len(row.parameters) != count:
            problem, remedy = f"prior {row.name!r} has the wrong number of parameters", "state them in NumPyro's order"
            yield Fault(file, problem, "prior.parameters", value=stated, expected=f"{count} for {family}", remedy=remedy)
            return
        if any(np.any(np.asarray(part) <= 0.0) for part in row.parameters[family in LOCATED :]):
            what = "a spread above zero" if family in LOCATED or family == "HalfNormal" else "numbers above zero"
            yield Fault(file, f"prior {row.name!r} has a parameter that is not above zero", "prior.parameters", value=stated, expected=what)
        if not _fits(row, own.shape):
            expected = f"numbers, or lists of {own.shape[0]}" if own.shape else "numbers"
            expected += f", that make {own.shape[0]} values" if own.shape else ""
            yield Fault(file, f"prior {row.name!r} has the wrong shape", "prior.parameters", value=stated, expected=expected)


def _fits(row: Prior, shape: tuple[int, ...]) -> bool:
    try:
        return row.shape == shape
    except ValueError:
        return False
