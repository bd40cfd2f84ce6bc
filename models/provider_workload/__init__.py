"""Providers in clinics in organisations: messages, visits, minutes, after-hours work and perceived load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bayestwin.twin.priors import PriorTable
from bayestwin.twin.twin import Definition, Design, Simulation

from .changes import CHANGES
from .describe import DIMS, EQUATIONS, EXPECTATIONS, LIMITS, OBSERVED, QUANTITIES, RIDGES, arrays, constants, counted, groups
from .finer import finer
from .future import draw_span, per_draw
from .idle import without_idle_weeks
from .model import model
from .pilot import pilot
from .priors import PRIORS
from .publish import invent, place, publish
from .span import future, observed
from .workload import EXPOSURES, OPTIONAL, STREAMS, Workload, observed_workload, zeros_read

if TYPE_CHECKING:
    from bayestwin.extracts.hierarchy import Hierarchy
    from bayestwin.extracts.observations import Observations
    from bayestwin.study import Study


def prepare(study: Study, hierarchy: Hierarchy, observations: Mapping[str, Observations]) -> Workload:
    """A study's observations on the model's dims, without what metrics show of weeks of no work."""
    return without_idle_weeks(observed_workload(study, hierarchy, observations))


def second(data: Workload, priors: PriorTable) -> Any:
    """The model in PyMC, which takes seconds to import."""
    from .second import second as made

    return made(data, priors)


MODEL = Definition(
    priors=PRIORS,
    streams=STREAMS,
    exposures=frozenset(EXPOSURES),
    optional=OPTIONAL,
    equations=EQUATIONS,
    limits=LIMITS,
    unit="provider",
    names="provider_name",
    whole="all",
    shown=("clinic",),
    categorical=(),
    quantities=QUANTITIES,
    ridges=RIDGES,
    discrepancy=("drift_coefficient", "sd_drift"),
    changes=CHANGES,
    dims=DIMS,
    observed=OBSERVED,
    prepare=prepare,
    model=model,
    finer=finer,
    pilot=pilot,
    arrays=arrays,
    constants=constants,
    groups=groups,
    future=future,
    fitted=observed,
    per_draw=per_draw,
    draw=draw_span,
    counted=counted,
    expectations=EXPECTATIONS,
    whiten=True,
    reads=zeros_read,
    second=second,
    simulation=Simulation(place=place, invent=invent, publish=publish, design=Design(units=24, groups=4, weeks=26)),
)
