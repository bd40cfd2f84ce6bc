"""The model as it would condition if absent clinics and withheld metrics were shown, for an analysis of access.

Visits are conditioned on bookings, minutes on counts, and metrics on one another, where these are known. If lifting a barrier shows them together, what the later ones tell
is what they tell beyond the earlier. Numbers that no access shows are taken for what is expected of them, bookings for about what others are; an analysis of
access asks how laws follow the unknowns there, not for the numbers themselves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpyro import distributions as dist

from .model import model
from .workload import BOOKINGS, MESSAGES, METRICS, MODES, Stream, Workload

FILLED = 0.85  # share of slots that are booked, about


def finer(data: Workload, priors: dict[str, dist.Distribution]) -> None:
    """The model with absent bookings, counts and metrics about where they would lie."""
    expected = {name: replace(data.streams[name], as_expected=True) for name in (*MESSAGES, *MODES, *METRICS) if name in data.streams}
    booked = {
        name: booked_as_usual(data.streams[name], np.round(slots))
        for name, slots in zip(BOOKINGS, data.schedule.slots, strict=True)
        if name in data.streams
    }
    model(replace(data, streams={**data.streams, **expected, **booked}), priors)


def booked_as_usual(stream: Stream, slots: np.ndarray) -> Stream:
    """The bookings with about as many as usual where their access shows none."""
    absent = ~stream.access.present(stream.grid)
    return replace(stream, ends=np.where(absent[..., None], np.round(FILLED * slots)[..., None], stream.ends))
