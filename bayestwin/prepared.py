"""A study brought to its model: extracts read, priors settled, data on the model's grid."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from bayestwin.barriers import Unknown
from bayestwin.barriers.selection import Sensitivity
from bayestwin.errors import ExtractError, Fault, StudyError
from bayestwin.extracts.held_out import HeldOut, without
from bayestwin.infer.nesting import Nesting
from bayestwin.study import Study, ledger, read_hierarchy, read_observations, withheld
from bayestwin.twin.priors import Prior, PriorTable
from bayestwin.twin.twin import Twin, load_twin


@dataclass(frozen=True)
class Prepared:
    """A study brought to its model.

    Attributes:
        study, twin: what is asked, of which model.
        priors: the model's priors, the study's in their place.
        units: number of units by level.
        data: the model's data.
        ledger: the access ledger as plain rows.
        provenance: where each stream came from.
        withheld: streams of the model that no extract feeds.
    """

    study: Study
    twin: Twin
    priors: PriorTable
    units: dict[str, int]
    data: Any
    ledger: list[dict[str, Any]]
    provenance: list[dict[str, Any]]
    withheld: list[str]

    @property
    def model(self) -> Callable[[], None]:
        """The NumPyro model without arguments."""
        return self._of(self.twin.definition.model)

    @property
    def finer(self) -> Callable[[], None]:
        """The model with all that lifting a barrier would show."""
        return self._of(self.twin.definition.finer or self.twin.definition.model)

    def _of(self, model: Callable[..., None]) -> Callable[[], None]:
        return partial(model, self.data, {name: row.build() for name, row in self.priors.items()})

    @property
    def nesting(self) -> Nesting | None:
        """How the model's unknowns belong to units and to the groups of the first level; None where it is not to be whitened."""
        definition = self.twin.definition
        if not definition.whiten:
            return None
        level, (_, group_of) = next(iter(definition.groups(self.data, definition.fitted(self.data, self.study.calendar)).items()))
        of_units, of_groups = (
            {name: dims.index(dim) for name, dims in definition.dims.items() if dim in dims} for dim in (definition.unit, level)
        )
        return Nesting(of_units, {name: axis for name, axis in of_groups.items() if name not in of_units}, group_of)

    @property
    def labels(self) -> dict[str, list[str]]:
        """Labels by level, and by any other dim with labels, that a scenario may name."""
        return {dim: list(map(str, coord)) for dim, coord in self.data.coords.items() if coord.dtype.kind in "UO"}


def prepare(study: Study, held: HeldOut | None = None) -> Prepared:
    """Read a study's extracts as of its date and bring them to its model.

    Args:
        study: the study.
        held: places whose extracts are put aside; their exposures stay known.

    Raises:
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault.
    """
    twin = load_twin(study.model, study.folder)
    stated = [Prior(p.name, p.distribution, p.parameters, p.unit, p.source, "") for p in study.priors]
    faults: list[Fault] = []
    try:
        priors = twin.definition.priors.override([*_selection_priors(study, twin), *stated], "study.toml")
    except StudyError as error:
        faults += error.faults
    try:
        hierarchy = read_hierarchy(study)
        observations = read_observations(study, hierarchy, twin.definition.streams, twin.definition.optional)
    except ExtractError as error:
        raise ExtractError([*faults, *error.faults]) from error
    if faults:
        raise StudyError(faults)
    exposed = twin.definition.exposures
    seen = {s: o if held is None or s in exposed else without(o, hierarchy, held) for s, o in observations.items()}
    return Prepared(
        study=study,
        twin=twin,
        priors=priors,
        units={level: len(codes) for level, codes in hierarchy.codes.items()},
        data=twin.definition.prepare(study, hierarchy, seen),
        ledger=[row.as_row() for row in ledger(study, observations)],
        provenance=[asdict(o.provenance) for o in observations.values()],
        withheld=withheld(study, twin.definition.streams),
    )


class Selection(NamedTuple):
    """An unknown selection, and the stream that comes through it."""

    stream: str
    barrier: Sensitivity


def selections(study: Study, twin: Twin) -> dict[str, Selection]:
    """The study's unknown selections by the model's parameter that stands for each."""
    return {
        twin.definition.selection[extract.stream]: Selection(extract.stream, barrier)
        for extract in study.extracts
        for barrier in extract.barriers
        if isinstance(barrier, Unknown) and extract.stream in twin.definition.selection
    }


def informed_selections(study: Study, sites: Container) -> dict[str, Selection]:
    """The unknown selections whose slopes barriers bring into the model themselves, by site: who is in tells the data a little.

    Args:
        study: the study.
        sites: sites of the posterior.
    """
    found = [(extract.stream, barrier) for extract in study.extracts for barrier in extract.barriers]
    each = {f"{stream}_{barrier.title}_slope": Selection(stream, barrier) for stream, barrier in found if isinstance(barrier, Sensitivity)}
    return {name: selection for name, selection in each.items() if name in sites}


def _selection_priors(study: Study, twin: Twin) -> list[Prior]:
    """Priors of selection parameters whose barrier states another sd than the model's own."""
    own = twin.definition.priors
    return [
        replace(own[name], parameters=(0.0, barrier.slope_sd), source="slope_sd of the study's barrier")
        for name, (_, barrier) in selections(study, twin).items()
        if own[name].parameters != (0.0, barrier.slope_sd)
    ]
