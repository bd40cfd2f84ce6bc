"""A twin: equations, priors and the reading of its streams, as one value that the rest of the product uses."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bayestwin.errors import Fault, ModelError
from bayestwin.library import find_model
from bayestwin.twin.priors import PriorTable
from bayestwin.twin.scenario import Change


@dataclass(frozen=True)
class Equation:
    """One line of the model.

    Attributes:
        name: what it is about.
        text: the equation in plain Unicode.
        meaning: what it says, in words.
    """

    name: str
    text: str
    meaning: str


@dataclass(frozen=True)
class Quantity:
    """One thing that a model answers for.

    Attributes:
        name: the key that `draw` returns.
        unit: its unit, such as "hours a week".
        words: what a reader calls it.
        headline: whether it is on the first screen, in the panels and the variance shares.
        rated: whether it is also given per 1,000 of the span's `people`.
        better: which change a what-if counts as a help; None if neither.
        mean: whether a group shows the mean over its units (a score, a share) and not their sum.

    Example:
        >>> Quantity("task_load", "points of 100", "task load", better="lower", mean=True).over
        'mean'
    """

    name: str
    unit: str
    words: str
    headline: bool = False
    rated: bool = False
    better: Literal["lower", "higher"] | None = None
    mean: bool = False

    def __post_init__(self) -> None:
        if self.rated and self.mean:
            raise ValueError(f"{self.name}: a mean over units has no rate per 1,000 people")

    @property
    def over(self) -> Literal["mean", "sum"]:
        """How the values of units make that of a group."""
        return "mean" if self.mean else "sum"


@dataclass(frozen=True)
class Ridge:
    """Parameters that the data can hold to one combination only.

    Attributes:
        name: what it is called.
        seen: weight of each site in the combination that the data see.
        unseen: weight of each site in a combination that they do not see.
        words: the sentence that a report prints when it is found.
        logs: whether the weights are of the logarithms of the sites; vectors count by their mean.

    Example:
        >>> Ridge("rate or minutes", {"rate": 1, "minutes": 1}, {"rate": 1, "minutes": -1}, "only rate × minutes is seen").logs
        True
    """

    name: str
    seen: Mapping[str, float]
    unseen: Mapping[str, float]
    words: str
    logs: bool = True


@dataclass(frozen=True)
class Design:
    """Size of a simulated study.

    Attributes:
        units: leaf units, ≥ 2.
        groups: units of the next level, ≥ 1 and ≤ units.
        weeks: observed weeks.

    Example:
        >>> Design(units=12, groups=3, weeks=20).groups
        3
    """

    units: int
    groups: int
    weeks: int


@dataclass(frozen=True)
class Simulation:
    """How a model invents a study and publishes what it drew.

    Attributes:
        place: () -> the calendar of holidays that the invented places keep.
        invent: (design, seed) -> data without counts.
        publish: (folder, data, one prior draw, model, priors, generator) -> data with counts; writes the extracts
            and study.toml into the folder.
        design: the size of a study where none is asked for.
    """

    place: Callable[[], Any]
    invent: Callable[..., Any]
    publish: Callable[..., Any]
    design: Design


@dataclass(frozen=True)
class Definition:
    """What a model folder's `__init__.py` must offer under the name `MODEL`.

    A span, from `future` or `fitted`, offers `weeks` (Mondays), `units` (codes; a scenario may add units that the
    posterior does not have) and `people` (week, unit), which rated quantities are given per 1,000 of.

    Attributes:
        priors: the prior table.
        streams: streams that it is fed by.
        equations: the model, line by line, for people.
        limits: what it must not be used for, sentences.
        unit: the leaf level, also its dim.
        whole: the level that holds everything.
        names: which of the `constants` holds the readable names of the units.
        quantities: what it answers for, the first to be ranked by first.
        dims: dims of each site of the posterior, chain and draw left out.
        observed: dims of each observed site; the last is "end", low and high, where an observation is what is known of a cell.
        prepare: (study, hierarchy, observations) -> data, with `coords`.
        model: (data, priors) -> None, a NumPyro model.
        pilot: data -> Pilot.
        arrays: data -> observed arrays by observed site; a withheld stream has none.
        constants: data -> {name: (dims, array)} worth keeping beside the posterior; a mask `<site>_seen` says which cells were observed.
        groups: (data, span) -> {level: (codes, index of each unit of the span)}, the whole among them.
        future: (data, weeks, scenario, place) -> span of the weeks ahead.
        fitted: (data, place) -> span of the observed weeks.
        per_draw: (data, posterior sites, span) -> arrays by draw.
        draw: (data, span, one draw, generator, inner) -> {quantity: (inner, week, unit)}. What it takes from the generator should not
            hang on what a scenario changes, so that the same generator gives the same chance with and without.
        counted: (data) -> {quantity: (published values (week, unit), mask)} of those quantities that are published.
        measured: those of `counted` whose published numbers are the quantity itself, cell by cell: no clock, definition or hidden cell between.
            Forecasts of these can be scored against what came.
        shown: levels that get panels beside the whole.
        categorical: observed sites whose last dim is a category: checked by category, the others by randomised PIT.
        optional: streams that a study may leave out; `prepare` then gets no observations of them.
        exposures: streams that say who is there and when, such as lists and schedules: known of a place that gives nothing else.
        changes: what a scenario may change.
        ridges: combinations of parameters that the data may not tell apart.
        discrepancy: sites of what stands for the model's slow departure from the data: the coefficients, zero where there is none,
            first; then what belongs to them alone, such as their spread. The report shows parameters with and without it.
        selection: the parameter that stands for the unknown selection of a stream's `Unknown` barrier, by stream; it must
            have a normal prior about zero and no data may inform it.
        expectations: sites that are what is expected given the data, not what happened: no part of a simulated study's truth.
        whiten: whether a unit's unknowns depend on other units' only through those of their group on the first level of `groups` and
            those that belong to no group of it, in the pilot's coordinates too: the sampler then whitens by the posterior's curvature.
        finer: (data, priors) -> None, the model for an analysis of access: with what could be asked for beside its extracts, as sites through an
            access that shows nothing, and with laws that are given what would be shown together with them. None where the model does as it is.
            Cells that say nothing through any access are marked by the `infer` of their site (`barriers.released.idle`).
        reads: (site, ends of published numbers) -> ends as the model takes them, where a number says something of its own, such as a zero.
        second: (data, prior table) -> the same model in PyMC, its unknowns under the same names, for a second engine; None where it is not written.
        simulation: how to draw a study, or None.
    """

    priors: PriorTable
    streams: tuple[str, ...]
    equations: tuple[Equation, ...]
    limits: tuple[str, ...]
    unit: str
    whole: str
    names: str
    quantities: tuple[Quantity, ...]
    dims: Mapping[str, tuple[str, ...]]
    observed: Mapping[str, tuple[str, ...]]
    prepare: Callable[..., Any]
    model: Callable[..., None]
    pilot: Callable[..., Any]
    arrays: Callable[..., Mapping[str, Any]]
    constants: Callable[..., Mapping[str, tuple[tuple[str, ...], Any]]]
    groups: Callable[..., Mapping[str, tuple[Any, Any]]]
    future: Callable[..., Any]
    fitted: Callable[..., Any]
    per_draw: Callable[..., Mapping[str, Any]]
    draw: Callable[..., Mapping[str, Any]]
    counted: Callable[..., Mapping[str, tuple[Any, Any]]]
    measured: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    exposures: frozenset[str] = frozenset()
    changes: tuple[type[Change], ...] = ()
    ridges: tuple[Ridge, ...] = ()
    discrepancy: tuple[str, ...] = ()
    selection: Mapping[str, str] = field(default_factory=dict)
    expectations: frozenset[str] = frozenset()
    whiten: bool = False
    finer: Callable[..., None] | None = None
    reads: Callable[[str, Any], Any] = lambda site, ends: ends
    second: Callable[..., Any] | None = None
    simulation: Simulation | None = None


@dataclass(frozen=True)
class Twin:
    """A model loaded from its folder.

    Attributes:
        name: name of the folder.
        folder: where it lies.
        sha256: hash of its Python files.
        definition: what the folder offers.
    """

    name: str
    folder: Path
    sha256: str
    definition: Definition


def load_twin(name: str, base: Path | None = None) -> Twin:
    """Load a model by library name or path.

    Args:
        name: bare name or path with a separator.
        base: folder that a relative path starts from.

    Raises:
        ModelError: if there is no such model, or its folder offers no `MODEL`.

    Example:
        >>> load_twin("gp_appointments").definition.streams[0]
        'durations'
    """
    folder = find_model(name, base).resolve()
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    package = f"bayestwin_model_{folder.name}_{digest.hexdigest()[:12]}"
    module = sys.modules.get(package) or _import(package, folder)
    definition = getattr(module, "MODEL", None)
    if not isinstance(definition, Definition):
        raise ModelError([Fault(str(folder / "__init__.py"), "offers no MODEL", expected="a bayestwin.twin.twin.Definition named MODEL")])
    return Twin(folder.name, folder, digest.hexdigest(), definition)


def _import(package: str, folder: Path) -> Any:
    """Import a folder as a package under a name of its own, so that two models never meet."""
    spec = importlib.util.spec_from_file_location(package, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ModelError([Fault(str(folder), "cannot be imported", expected="a Python package")])
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    with ExitStack() as stack:
        stack.callback(sys.modules.pop, package)  # a model that fails to load leaves nothing behind
        spec.loader.exec_module(module)
        stack.pop_all()
    return module
