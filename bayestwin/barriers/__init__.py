"""Access barriers: what stands between the system and the analyst.

A barrier is one file and one line of the union `Barrier`; its laws are tested over that registry.
"""

from typing import Annotated

from pydantic import Field

from bayestwin.barriers.absence import Embargo, SiteAbsence, Withheld
from bayestwin.barriers.access import Access, Degraded
from bayestwin.barriers.aggregate import Aggregate
from bayestwin.barriers.band import Band, BandInterval
from bayestwin.barriers.barrier import (
    AbstractAbsence,
    AbstractBarrier,
    AbstractChannel,
    AbstractRelease,
    Coarsening,
    Ignorability,
    Randomised,
)
from bayestwin.barriers.chart_sample import ChartSample
from bayestwin.barriers.coverage import Coverage
from bayestwin.barriers.date_shift import DateShift
from bayestwin.barriers.delay import Delay
from bayestwin.barriers.dp_noise import DPNoise
from bayestwin.barriers.grid import AccessError, Grid
from bayestwin.barriers.linkage import Linkage
from bayestwin.barriers.margin import Margin
from bayestwin.barriers.revision import Revision
from bayestwin.barriers.round import RandomRound, Round
from bayestwin.barriers.selection import Consent, NonResponse, SiteSelection
from bayestwin.barriers.suppress import Suppress
from bayestwin.barriers.topcode import Clamp, TopCode
from bayestwin.barriers.unknown import Unknown

Barrier = Annotated[
    Aggregate
    | Band
    | ChartSample
    | Clamp
    | Consent
    | Coverage
    | DateShift
    | Delay
    | DPNoise
    | Embargo
    | Linkage
    | Margin
    | NonResponse
    | RandomRound
    | Revision
    | Round
    | SiteAbsence
    | SiteSelection
    | Suppress
    | TopCode
    | Unknown
    | Withheld,
    Field(discriminator="kind"),
]
"""Any barrier, told by its `kind`."""

__all__ = [
    "AbstractAbsence",
    "AbstractBarrier",
    "AbstractChannel",
    "AbstractRelease",
    "Access",
    "AccessError",
    "Aggregate",
    "Band",
    "BandInterval",
    "Barrier",
    "ChartSample",
    "Clamp",
    "Coarsening",
    "Consent",
    "Coverage",
    "DPNoise",
    "DateShift",
    "Degraded",
    "Delay",
    "Embargo",
    "Grid",
    "Ignorability",
    "Linkage",
    "Margin",
    "NonResponse",
    "RandomRound",
    "Randomised",
    "Revision",
    "Round",
    "SiteAbsence",
    "SiteSelection",
    "Suppress",
    "TopCode",
    "Unknown",
    "Withheld",
]
