"""Appointments, durations and staff in general practice, from what NHS England publishes."""

from typing import Any

from bayestwin.twin.priors import PriorTable
from bayestwin.twin.twin import Definition, Design, Simulation

from .changes import CHANGES
from .describe import DIMS, EQUATIONS, LIMITS, OBSERVED, QUANTITIES, arrays, constants, counted, groups
from .finer import finer
from .future import draw_span, future, observed, per_draw
from .model import model
from .pilot import pilot
from .priors import PRIORS
from .publish import invent, place, publish
from .workload import EXPOSURES, STREAMS, Workload, prepare


def second(data: Workload, priors: PriorTable) -> Any:
    """The model in PyMC, which takes seconds to import."""
    from .second import second as made

    return made(data, priors)


MODEL = Definition(
    priors=PRIORS,
    streams=STREAMS,
    exposures=frozenset(EXPOSURES),
    equations=EQUATIONS,
    limits=LIMITS,
    unit="area",
    whole="national",
    names="area_name",
    quantities=QUANTITIES,
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
    selection={"durations": "null_slope", "staff_mix": "unknown_staff_slope"},
    measured=("appointments",),
    shown=("region",),
    categorical=("durations", "staff_mix"),
    changes=CHANGES,
    second=second,
    simulation=Simulation(place=place, invent=invent, publish=publish, design=Design(units=24, groups=6, weeks=26)),
)
