"""What counts are guessed to be, for a first look: what was released of them, and a rate of each provider's that explains it.

A hidden count is expected where its law, cut to what was released, puts it; the share of its variance that is left tells how much
less it says of the rate than a known one (Louis 1982, JRSS B 44, eq. 3.2, for one cell).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayestwin.laws.expected import Counts
from bayestwin.laws.trials import Trials
from bayestwin.laws.within import Moments, within

from .clinic import People, attendance
from .demand import usual_weights
from .model import attended
from .priors import first_parameter
from .workload import BOOKINGS, MESSAGES, MODES, STANDARD_PANEL, Workload

STEPS = 15  # of EM for rates, of scoring for requests
USUAL_CONCENTRATION, USUAL_NO_SHOW, USUALLY_FILLED = 10.0, 0.13, 0.8
USUAL_PRECISION = 4.0  # the prior precision that holds steps of scoring
NUDGE = 0.01  # of log requests, for the slope of a chance


class Guess(NamedTuple):
    """Counts of each stream as far as they are known.

    Attributes:
        log_rate: that explains them, (stream, provider); of a step at exposure one, or of requests on a working day.
        mean, variance: of each count given what was released, (stream, step, provider).
        score, told: slope of the log likelihood of what was released along the log rate, and its information, (stream, step, provider).
    """

    log_rate: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    score: np.ndarray
    told: np.ndarray

    @property
    def information(self) -> np.ndarray:
        """About the log rate, zero where nothing was released, (stream, provider)."""
        return self.told.sum(1)


def usual_rhythm(data: Workload) -> np.ndarray:
    """Log exposure of each step at the prior's calendar, less its weighted mean, (message, step)."""
    kinds = np.append(first_parameter("weekday_effect"), first_parameter("closed_effect"))[data.span.kind]
    calls = first_parameter("calls_monday") * (data.span.kind == 0)
    days = np.stack([kinds + (calls if name == "calls" else 0.0) for name in MESSAGES])
    steps = np.log(data.span.by_step(np.exp(days)))
    return steps - (steps @ usual_weights(data.span))[:, None]


def messages(data: Workload) -> Guess:
    """Messages by stream: rates by EM, the prior's for a provider of whom nothing was released."""
    ends = np.stack([_ends(data, name) for name in MESSAGES])
    exposure = np.exp(usual_rhythm(data))[:, :, None]
    some = np.isfinite(ends).all(-1)
    seen = (exposure * some).sum(1)
    level = np.exp(first_parameter("message_level"))[:, None] * data.panel / STANDARD_PANEL
    usual = level * data.span.open_days.sum() / exposure.sum(1)
    concentration = USUAL_CONCENTRATION * data.span.alike

    @jax.jit
    def given(rate: Array) -> Moments:
        return within(Counts(rate[:, None] * exposure, jnp.asarray(concentration)), ends)

    rate = usual
    for _ in range(STEPS):
        found = given(rate)
        rate = np.where(seen > 0, ((np.asarray(found.mean) * some).sum(1) + 0.5) / np.maximum(seen, 1e-9), usual)
    mean, variance = (np.asarray(part) for part in given(rate))
    expected = rate[:, None] * exposure
    whole = expected + np.square(expected) / concentration
    told = some * np.square(expected) / whole * np.clip(1.0 - variance / whole, 0.0, 1.0)
    return Guess(np.log(rate), mean, variance, some * (mean - expected) * expected / whole, told)


def visits(data: Workload, giving_up: float) -> Guess:
    """Attended visits by mode, and the requests of a working day that explain the bookings, or else the visits.

    Args:
        data: the observed workload.
        giving_up: share of those waiting who give up in a day: where slots are full it says what requests there are.
    """
    found = [_mode(data, mode, _queue(giving_up)) for mode in range(len(MODES))]
    return Guess(*(np.stack(part) for part in zip(*found, strict=True)))


def _queue(giving_up: float) -> People:
    """People of whom nothing but how they wait is asked."""
    none = np.zeros(1)
    return People(none, none, none, 0.0, 0.0, none, none, 0.0, 0.0, USUAL_NO_SHOW, giving_up)


def _mode(data: Workload, mode: int, people: People) -> Guess:
    """Requests by Fisher scoring through the booking queue: seen as far as slots stay empty, hardly where they are full."""
    slots, open_days = np.round(data.schedule.slots[mode]), data.span.open_days[:, None]
    by_booking = BOOKINGS[mode] in data.streams
    ends = _ends(data, BOOKINGS[mode] if by_booking else MODES[mode])
    some = np.isfinite(ends).all(-1) & (slots > 0)
    known = some.any(0)

    def chances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = attendance(people, np.exp(x) * open_days, slots, data.span.length, np.zeros(slots.shape[1]))
        return found.booked, found.comes

    def counted(x: np.ndarray) -> np.ndarray:
        booked, comes = chances(x)
        return np.clip(booked if by_booking else booked * comes, 1e-3, 1.0 - 1e-3)

    @jax.jit
    def given(chance: Array) -> Moments:
        return within(Trials(slots, chance), ends)

    x = np.log(np.maximum(USUALLY_FILLED * slots.sum(0) / open_days.sum(), 1e-3))
    score = told = np.zeros(slots.shape)
    for _ in range(STEPS):
        p = counted(x)
        slope = (counted(x + NUDGE) - p) / NUDGE / (p * (1.0 - p))
        mean, variance = (np.asarray(part) for part in given(p))
        whole = slots * p * (1.0 - p)
        left = np.where(some, np.clip(1.0 - variance / np.where(some, whole, 1.0), 0.0, 1.0), 0.0)
        score, told = some * (mean - slots * p) * slope, left * whole * np.square(slope)
        x = x + np.clip(score.sum(0) / (told.sum(0) + USUAL_PRECISION), -0.5, 0.5)
    booked, comes = chances(x)
    law = attended(slots, jnp.asarray(booked), jnp.asarray(comes), data.streams.get(BOOKINGS[mode]))
    mean, variance = (np.asarray(part) for part in within(law, _ends(data, MODES[mode])))
    return Guess(np.where(known, x, 0.0), mean, variance, score, told)


def _ends(data: Workload, name: str) -> np.ndarray:
    """Ends between which a stream's counts lie, (step, provider, 2): those of a stream that is withheld lie anywhere."""
    if name in data.streams:
        return data.streams[name].ends
    return np.broadcast_to(np.array([-np.inf, np.inf]), (*data.schedule.minutes.shape, 2))


def totals(data: Workload, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sum of a weekly metric by provider, and which weeks are in it, (week, provider)."""
    if name not in data.streams:
        return np.zeros(len(data.panel)), np.zeros((len(data.span.weeks), len(data.panel)), bool)
    stream = data.streams[name]
    known = stream.exact
    return np.where(known, stream.ends[..., 0], 0.0).sum(0), known
