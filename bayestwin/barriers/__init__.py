"""Access barriers: what stands between the system and the analyst."""

from typing import Annotated

from pydantic import Field

from bayestwin.barriers.aggregate import Aggregate
from bayestwin.barriers.band import Band, BandInterval
from bayestwin.barriers.barrier import AbstractBarrier, Ignorability
from bayestwin.barriers.coverage import Coverage
from bayestwin.barriers.unknown import Unknown
from bayestwin.barriers.withheld import Withheld

Barrier = Annotated[Aggregate | Band | Coverage | Unknown | Withheld, Field(discriminator="kind")]

__all__ = [
    "AbstractBarrier",
    "Aggregate",
    "Band",
    "BandInterval",
    "Barrier",
    "Coverage",
    "Ignorability",
    "Unknown",
    "Withheld",
]
