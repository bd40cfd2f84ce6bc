"""Providers in clinics in organisations: messages, visits, minutes, after-hours work and perceived load."""

from typing import Any

from bayestwin.twin.priors import PriorTable
from bayestwin.twin.twin import Definition, Design, Simulation

from .changes import CHANGES
from .describe import DIMS, EQUATIONS, EXPECTATIONS, LIMITS, OBSERVED, QUANTITIES, RIDGES, arrays, constants, counted, groups
from .finer import finer
from .future import draw_span, per_draw
from .model import model
from .pilot import pilot
from .priors import PRIORS
from .publish import invent, place, publish
from .span import future, observed
from .workload import EXPOSURES, OPTIONAL, STREAMS, Workload, prepare, zeros_read


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
