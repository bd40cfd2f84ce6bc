"""A twin: equations, priors and the reading of its streams, as one value that the rest of the product uses."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayestwin.errors import Fault, ModelError
from bayestwin.library import find_model
from bayestwin.twin.priors import PriorTable


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
class Simulation:
    """How a model invents a study and publishes what it drew.

    Attributes:
        place: () -> the calendar of holidays that the invented places keep.
        invent: (design, seed) -> data without counts.
        publish: (folder, data, one prior draw, model, priors, generator) -> data with counts; writes the extracts
            and study.toml into the folder.
    """

    place: Callable[[], Any]
    invent: Callable[..., Any]
    publish: Callable[..., Any]


@dataclass(frozen=True)
class Definition:
    """What a model folder's `__init__.py` must offer under the name `MODEL`.

    Attributes:
        priors: the prior table.
        streams: streams that it is fed by.
        equations: the model, line by line, for people.
        limits: what it must not be used for, sentences.
        dims: dims of each site of the posterior, chain and draw left out.
        observed: dims of each observed site.
        prepare: (study, hierarchy, observations) -> data, with `coords`.
        model: (data, priors) -> None, a NumPyro model.
        pilot: data -> Pilot.
        arrays: data -> observed arrays by observed site.
        constants: data -> {name: (dims, array)} worth keeping beside the posterior.
        groups: data -> {level: (codes, index of each unit)} for totals.
        future: (data, weeks, scenario, place) -> span of the weeks ahead.
        fitted: (data, place) -> span of the observed weeks.
        per_draw: (data, posterior sites, span) -> arrays by draw.
        draw: (data, span, one draw, generator, inner) -> {quantity: (inner, week, unit)}.
        counted: (data) -> published counts (week, unit) and mask, for plots.
        selection: the parameter that stands for the unknown selection of a stream's `Unknown` barrier, by stream; it must
            have a normal prior about zero and no data may inform it.
        rated: quantities that are also given per 1,000 of the span's `patients`.
        simulation: how to draw a study, or None.
    """

    priors: PriorTable
    streams: tuple[str, ...]
    equations: tuple[Equation, ...]
    limits: tuple[str, ...]
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
    counted: Callable[..., tuple[Any, Any]]
    selection: Mapping[str, str] = field(default_factory=dict)
    rated: tuple[str, ...] = ()
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
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
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
