"""Draw a study from a model: parameters from the prior, data through the access, the truth beside them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bayestwin.errors import Fault, ModelError, StudyError
from bayestwin.runs import TRUTH
from bayestwin.study import Study, read_study

FUTURE_WEEKS = 8


@dataclass(frozen=True)
class Design:
    """Size of a simulated study.

    Attributes:
        areas: leaf units, ≥ 2.
        boards: units above them, ≤ areas.
        weeks: observed weeks, ≥ 8.
    """

    areas: int = 24
    boards: int = 6
    weeks: int = 26


def simulate_study(
    out: str | Path, study: str | Path | None = None, model: str = "gp_appointments", design: Design = Design(), seed: int = 1
) -> Study:
    """Draw a study folder: study.toml, extracts as they would be published, truth.nc.

    Parameters come from the model's prior (a study's own priors where one is given), counts from the model, releases
    from the barriers. The next weeks are drawn too and kept with the truth, so that forecasts can be scored.

    Args:
        out: new folder; it must not exist, or be empty.
        study: a study whose places, calendar and list sizes are kept; places are invented if None.
        model: model to draw from where no study is given.
        design: size, where no study is given.
        seed: seed of everything.

    Returns:
        The study, read back.

    Raises:
        StudyError: if the folder is not empty.
        ModelError: if the model cannot be simulated.
    """
    from bayestwin.infer.device import prepare_device
    from bayestwin.infer.settings import Sampling

    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError([Fault(str(out), "is not empty", expected="a new or empty folder", remedy="choose another --out")])
    prepare_device(Sampling.chains)  # as a calibration in the same process will want it
    definition, data, priors, place = _skeleton(study, model, design, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        staged = Path(scratch) / "study"
        staged.mkdir()
        truth = _draw(definition, data, priors, place, seed, staged)
        truth.to_netcdf(staged / TRUTH, engine="h5netcdf")
        if out.exists():
            out.rmdir()
        os.replace(staged, out)
    return read_study(out)


def _skeleton(study: str | Path | None, model: str, design: Design, seed: int) -> tuple[Any, Any, Any, Any]:
    from bayestwin.prepared import prepare
    from bayestwin.twin.twin import load_twin

    if study is not None:
        prepared = prepare(read_study(study))
        return prepared.twin.definition, prepared.data, prepared.priors, prepared.study.calendar
    twin = load_twin(model)
    if twin.definition.simulation is None:
        raise ModelError([Fault(model, "cannot be simulated", expected="a model with a `simulation`")])
    return twin.definition, twin.definition.simulation.invent(design, seed), twin.definition.priors, twin.definition.simulation.place()


def _draw(definition: Any, data: Any, priors: Any, place: Any, seed: int, folder: Path) -> Any:
    """Draw parameters, data and the weeks ahead; publish; return the truth."""
    import numpy as np

    from bayestwin.infer.posterior import dataset
    from bayestwin.infer.predictive import prior_draws
    from bayestwin.twin.scenario import Scenario

    rng = np.random.default_rng(seed)
    model = partial(definition.model, data, {name: row.build() for name, row in priors.items()})
    drawn = prior_draws(model, rng, 1)
    data = definition.simulation.publish(folder, data, drawn, definition.model, priors, rng)
    truth = dataset({name: value[0] for name, value in drawn.items()}, definition.dims, data.coords, sampled=False)
    span = definition.future(data, FUTURE_WEEKS, Scenario(), place)
    arrays = {name: value[0] for name, value in definition.per_draw(data, drawn, span).items()}
    ahead = definition.draw(data, span, arrays, rng, 1)
    unit = definition.observed["appointments"][-1]
    future = {f"future_{name}": (("future_week", unit), value[0]) for name, value in ahead.items()}
    return truth.assign(future).assign_coords(future_week=span.weeks.astype("datetime64[ns]"))
