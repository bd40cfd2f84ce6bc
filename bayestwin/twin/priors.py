"""Priors as a typed table: each has a distribution, a unit, a source and a meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayestwin.errors import Fault, StudyError

if TYPE_CHECKING:
    import numpyro.distributions as dist

Family = Literal["Normal", "LogNormal", "HalfNormal", "Beta", "Gamma"]
PARAMETERS: dict[str, int] = {"Normal": 2, "LogNormal": 2, "HalfNormal": 1, "Beta": 2, "Gamma": 2}


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
            StudyError: if a name is not in the table or a family has the wrong number of parameters.
        """
        rows = list(rows)
        faults = [fault for row in rows if (fault := self._fault(row, file)) is not None]
        if faults:
            raise StudyError(faults)
        new = {row.name: replace(row, meaning=self[row.name].meaning, overridden=True) for row in rows}
        return PriorTable({**self._rows, **new}.values())

    def _fault(self, row: Prior, file: str) -> Fault | None:
        if row.name not in self:
            near = get_close_matches(row.name, self, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `bayestwin models show` for the names"
            return Fault(file, "unknown prior", "prior.name", value=row.name, expected="a parameter of the model", remedy=hint)
        expected = PARAMETERS[row.distribution]
        if len(row.parameters) != expected:
            return Fault(
                file,
                f"prior {row.name!r} has the wrong number of parameters",
                "prior.parameters",
                value=str(list(row.parameters)),
                expected=f"{expected} for {row.distribution}",
                remedy="state them in NumPyro's order",
            )
        return None
