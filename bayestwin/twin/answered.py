"""What a run needs to remember of its model, so that its report can be written without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bayestwin.twin.twin import Definition, Quantity, load_twin

PER_1000 = "_per_1000"


@dataclass(frozen=True)
class Answered:
    """Names of what a model answers for.

    Attributes:
        unit: the leaf level.
        whole: the level that holds everything.
        shown: levels that get panels beside the whole.
        names: which constant holds the readable names of the units.
        categorical: observed sites checked by category.
        quantities: what is answered.
        discrepancy: sites of the model's discrepancy, its coefficients first; none if it has none.
        measured: quantities whose published numbers are the quantity itself.
    """

    unit: str
    whole: str
    shown: tuple[str, ...]
    names: str
    categorical: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    discrepancy: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The quantities of the first screen."""
        return tuple(quantity for quantity in self.quantities if quantity.headline)

    @property
    def ranking(self) -> Quantity:
        """The quantity that units are ranked by: the first of the headline."""
        return (*self.headline, *self.quantities)[0]

    def words(self, name: str) -> str:
        """A quantity's name as a reader would say it: with "per 1,000 people", and with the unit of what is no sum.

        Example:
            >>> known = Answered("site", "all", (), "site_name", (), (Quantity("gp_hours", "hours a week", "GP hours", rated=True),))
            >>> known.words("gp_hours_per_1000")
            'GP hours per 1,000 people'
        """
        said = {q.name: f"{q.words} ({q.unit})" if q.mean else q.words for q in self.quantities}
        bare = name.removesuffix(PER_1000)
        return said.get(bare, bare.replace("_", " ")) + (" per 1,000 people" if bare != name else "")

    def as_row(self) -> dict[str, Any]:
        """The names as plain values, for a manifest."""
        return asdict(self)


def answered(definition: Definition) -> Answered:
    """What a model answers for."""
    return Answered(**{field.name: getattr(definition, field.name) for field in fields(Answered)})


def answered_by_run(manifest: Mapping[str, Any]) -> Answered:
    """What a run answers for; a run from before manifests said so is taken to be of the library's model of that name.

    Args:
        manifest: of the run.

    Raises:
        ModelError: if the manifest does not say and the library has no such model.
    """
    if "answers" not in manifest:
        return answered(load_twin(manifest["model"]["name"]).definition)
    row: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in manifest["answers"].items()}
    return Answered(**row | {"quantities": tuple(Quantity(**quantity) for quantity in row["quantities"])})
