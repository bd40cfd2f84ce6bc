"""Draw a study from a model: parameters from the prior, data through the access, the truth beside them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bayestwin.errors import Fault, ModelError
from bayestwin.netcdf import write_netcdf
from bayestwin.new_study import new_study
from bayestwin.runs import TRUTH
from bayestwin.study import Study, read_study
from bayestwin.twin.priors import PriorTable
from bayestwin.twin.twin import Definition, Design, Simulation, Twin, load_twin

FUTURE_WEEKS = 8


def design_of(model: str, units: int | None = None, groups: int | None = None, weeks: int | None = None) -> Design:
    """Size of a simulated study: what is asked for, the model's own otherwise.

    Args:
        model: model to draw from.
        units: leaf units.
        groups: units of the level above.
        weeks: observed weeks.

    Raises:
        ModelError: if the model cannot be simulated, or there would be groups without units.

    Example:
        >>> design_of("gp_appointments", units=12).units
        12
    """
    asked = {"units": units, "groups": groups, "weeks": weeks}
    design = replace(_simulated(load_twin(model)).design, **{name: size for name, size in asked.items() if size is not None})
    if design.groups > design.units:
        raise ModelError(
            [Fault(model, "has more groups than units", "groups", value=str(design.groups), expected=f"at most {design.units}")]
        )
    return design


def simulate_study(
    out: str | Path, study: str | Path | None = None, model: str = "gp_appointments", design: Design | None = None, seed: int = 1
) -> Study:
    """Draw a study folder: study.toml, extracts as they would be published, truth.nc.

    Parameters come from the model's prior (a study's own priors where one is given), counts from the model, releases
    from the barriers. The next weeks are drawn too and kept with the truth, so that forecasts can be scored.

    Args:
        out: new folder; it must not exist, or be empty.
        study: a study whose places and calendar are kept; places are invented if None.
        model: model to draw from where no study is given.
        design: size, where no study is given; the model's own if None.
        seed: seed of everything.

    Returns:
        The study, read back.

    Raises:
        StudyError: if the folder is not empty.
        ModelError: if the model cannot be simulated.
        WriteError: if the disk is full, or the folder may not be written to.
    """
    from bayestwin.infer.device import prepare_device

    with new_study(Path(out), "--out") as staged:
        prepare_device()
        definition, data, priors, place = _skeleton(study, model, design, seed)
        truth = _draw(definition, data, priors, place, seed, staged)
        write_netcdf(staged / TRUTH, truth)
    return read_study(out)


def _skeleton(study: str | Path | None, model: str, design: Design | None, seed: int) -> tuple[Definition, Any, PriorTable, Any]:
    from bayestwin.prepared import prepare

    if study is not None:
        prepared = prepare(read_study(study))
        _simulated(prepared.twin)
        return prepared.twin.definition, prepared.data, prepared.priors, prepared.study.calendar
    twin = load_twin(model)
    simulation = _simulated(twin)
    return twin.definition, simulation.invent(design or simulation.design, seed), twin.definition.priors, simulation.place()


def _simulated(twin: Twin) -> Simulation:
    if twin.definition.simulation is None:
        raise ModelError([Fault(twin.name, "cannot be simulated", expected="a model with a `simulation`")])
    return twin.definition.simulation


def _draw(definition: Definition, data: Any, priors: PriorTable, place: Any, seed: int, folder: Path) -> Any:
    """Draw parameters, data and the weeks ahead; publish; return the truth."""
    import numpy as np

    from bayestwin.infer.posterior import dataset
    from bayestwin.infer.predictive import prior_draws
    from bayestwin.twin.scenario import Scenario

    rng = np.random.default_rng(seed)
    model = partial(definition.model, data, {name: row.build() for name, row in priors.items()})
    drawn = prior_draws(model, rng, 1)
    assert definition.simulation is not None
    data = definition.simulation.publish(folder, data, drawn, definition.model, priors, rng)
    truth = dataset(
        {name: value[0] for name, value in drawn.items() if name not in definition.expectations},
        definition.dims,
        data.coords,
        sampled=False,
    )
    span = definition.future(data, FUTURE_WEEKS, Scenario(), place)
    arrays = {name: value[0] for name, value in definition.per_draw(data, drawn, span).items()}
    ahead = definition.draw(data, span, arrays, rng, 1)
    dims = ("future_week", definition.unit)
    future = {f"future_{quantity.name}": (dims, ahead[quantity.name][0]) for quantity in definition.quantities}
    return truth.assign(future).assign_coords({"future_week": span.weeks.astype("datetime64[ns]"), definition.unit: span.units})
