"""The model as it would condition if absent clinics and withheld metrics were shown, for an analysis of access.

Visits are conditioned on bookings, minutes on counts, and metrics on one another, where these are known. If lifting a barrier shows them together, what the later ones tell
is what they tell beyond the earlier. Cells that no access shows are taken for about what the others are; an analysis of access asks how
laws follow the unknowns there, not for the numbers themselves.
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
    streams = dict(data.streams)
    for mode, name in enumerate(BOOKINGS):
        if name in streams:
            streams[name] = shown(streams[name], np.round(FILLED * np.round(data.schedule.slots[mode])))
    for name in METRICS:
        if name in streams:
            streams[name] = shown(streams[name], usual(streams[name]))
    for name in (*MESSAGES, *MODES):
        if name in streams:
            streams[name] = replace(streams[name], as_expected=True)
    model(replace(data, streams=streams), priors)


def usual(stream: Stream) -> np.ndarray:
    """The mean of the numbers that are known, of each week where there are any."""
    known = np.where(stream.exact, stream.ends[..., 0], np.nan)
    whole = np.nanmean(known) if stream.exact.any() else 1.0
    by_week = np.array([np.nanmean(week) if np.isfinite(week).any() else whole for week in known])
    return np.broadcast_to(by_week[:, None], known.shape)


def shown(stream: Stream, value: np.ndarray) -> Stream:
    """The stream with a value where its access shows nothing."""
    absent = ~stream.access.present(stream.grid)
    return replace(stream, ends=np.where(absent[..., None], value[..., None], stream.ends))
