"""Weeks without work, of which a metric of it says nothing: no visits to write up, no messages to answer, no scheduled time to work them off.

What a vendor shows of such a week is a zero, or the trace of something that the model has no place for, such as notes that were finished on leave.
Minutes that are expected to be none would seem to tell the vendor's clock exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bayestwin.barriers.barrier import Randomised

from .workload import MESSAGES, METRICS, MODES, TURNAROUND, Stream, Workload


def without_idle_weeks(data: Workload) -> Workload:
    """The data without what metrics show of weeks of no such work, which are marked."""
    idle = idle_weeks(data)
    marked = {name: _marked(data.streams[name], weeks) for name, weeks in idle.items() if name in data.streams}
    return replace(data, streams={**data.streams, **marked})


def idle_weeks(data: Workload) -> dict[str, np.ndarray]:
    """Weeks that are known to hold no work of the kind that a metric measures, (week, provider), by metric."""
    by_week, plan = data.span.by_week, data.schedule
    messages = sum(_most(data.streams, name, np.ones_like(plan.minutes)) for name in MESSAGES)
    visits = sum(_most(data.streams, name, np.round(slots)) for name, slots in zip(MODES, plan.slots, strict=True))
    inbox, documentation, scheduled = (by_week(work) == 0 for work in (messages, visits, plan.minutes))
    return dict(zip(METRICS[:3], (inbox, documentation, inbox & documentation & scheduled), strict=True)) | {TURNAROUND: scheduled}


def _most(streams: Mapping[str, Stream], name: str, otherwise: np.ndarray) -> np.ndarray:
    """The most that there can be of a count, (step, provider); reports that are still to come, and noise, leave it open."""
    stream = streams.get(name)
    if stream is None or stream.access.channels or any(isinstance(release, Randomised) for release in stream.access.releases):
        return otherwise
    return np.minimum(stream.ends[..., 1], otherwise)


def _marked(stream: Stream, idle: np.ndarray) -> Stream:
    return replace(stream, ends=np.where(idle[..., None], [-np.inf, np.inf], stream.ends), idle=idle)
