"""Bookings, backlog and fatigue step by step, in PyMC: only what is carried on runs in a scan, the rest is of all steps at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from .flow import LEAST_CHANCE, LEAST_SD, NO_SHOW_DAYS, NO_SHOW_LIMIT
from .second_release import Moments
from .workload import Schedule


class Work(NamedTuple):
    """Minutes of inbox, documentation, other work, and all that comes in, each (step, provider)."""

    inbox: Moments
    documentation: Moments
    admin: Any
    load: Moments


class Habits(NamedTuple):
    """Usable share of scheduled time, and shares of the spill that are done after hours, on working days and others; what is left of fatigue."""

    usable: Any
    cleared: Any
    cleared_off: Any
    memory: Any


class Path(NamedTuple):
    """What happened, (step, provider).

    Attributes:
        over: load beyond capacity of a working day, before anything is cut off at zero.
        days: working days that share a step's load, one where there are none.
        spill: minutes that did not fit, of the step.
        chance: that any did.
        cleared: share of them that was done after hours.
        fatigue: at the end of the step.
        capacity: usable minutes.
    """

    over: Moments
    days: np.ndarray
    spill: Moments
    chance: Any
    cleared: Any
    fatigue: Any
    capacity: Any


def above_zero(of: Moments) -> tuple[Moments, Any]:
    """Mean and variance of max(X, 0) of a normal X, and the chance that it is positive."""
    sd = pt.sqrt(of.variance)
    ratio = of.mean / sd
    chance = 0.5 * pt.erfc(-ratio / np.sqrt(2.0))
    height = sd * pt.exp(-0.5 * ratio**2) / np.sqrt(2.0 * np.pi)
    mean = of.mean * chance + height
    square = (of.mean**2 + of.variance) * chance + of.mean * height
    return Moments(mean, pt.maximum(square - mean**2, 0.0)), chance


def booking(requests: Any, slots: np.ndarray, length: np.ndarray, no_show: Any, giving_up: Any) -> tuple[Any, Any]:
    """Chance that a slot is filled, and that who booked it comes, (step, provider), of a queue that starts empty.

    Args:
        requests: expected, (step, provider).
        slots: offered, (step, provider).
        length: days in each step.
        no_show: chance without a wait.
        giving_up: share of those left waiting who give up in a day.
    """

    def left(asked: Any, offered: Any, stays: Any, waiting: Any) -> Any:
        queue = waiting + asked
        return stays * (queue - _taken(queue, offered))

    stays = (1.0 - giving_up) ** pt.as_tensor(length.astype(float))
    after = _scanned(left, [requests, pt.as_tensor(slots), stays], [pt.zeros(slots.shape[1])])
    waiting = _before(after, 0.0)
    share = _taken(waiting + requests, slots) / np.where(slots > 0, slots, 1.0)
    filled = pt.switch(slots > 0, LEAST_CHANCE + (1.0 - 2.0 * LEAST_CHANCE) * share, 0.5)
    pace = np.maximum(slots.sum(0) / length.sum(), 1e-3)
    missed = NO_SHOW_LIMIT - (NO_SHOW_LIMIT - no_show) * pt.exp(-waiting / (pace * NO_SHOW_DAYS))
    return filled, 1.0 - missed


def _taken(queue: Any, offered: Any) -> Any:
    return offered - above_zero(Moments(offered - queue, queue + 1e-3))[0].mean


def backlog(habits: Habits, work: Work, schedule: Schedule) -> Path:
    """How work that does not fit is done after hours or carried on, from no backlog and the fatigue of a full day."""
    worked = schedule.open_days > 0
    days = np.where(worked, schedule.open_days, 1.0)
    capacity = schedule.minutes * habits.usable
    cleared = pt.switch(worked, habits.cleared, habits.cleared_off)
    kept = habits.memory**schedule.open_days

    def over_of(load: Any, variance: Any, capacity: Any, days: Any, carried: Any, carried_variance: Any) -> Moments:
        return Moments((carried + load - capacity) / days, variance / days + carried_variance / days**2 + LEAST_SD**2)

    def carry(load: Any, variance: Any, capacity: Any, days: Any, cleared: Any, carried: Any, carried_variance: Any) -> list[Any]:
        spill, _ = above_zero(over_of(load, variance, capacity, days, carried, carried_variance))
        return [(1.0 - cleared) * days * spill.mean, (1.0 - cleared) ** 2 * days * spill.variance]

    nothing = pt.zeros(schedule.minutes.shape[1])
    after, after_variance = _scanned(carry, [*work.load, capacity, pt.as_tensor(days), cleared], [nothing, nothing])
    carried, carried_variance = _before(after, 0.0), _before(after_variance, 0.0)
    over = over_of(*work.load, capacity, days, carried, carried_variance)
    spill, chance = above_zero(over)
    used = pt.switch(worked, (carried + work.load.mean) / pt.switch(worked, capacity, 1.0), 0.0)
    fatigue = _scanned(lambda kept, used, before: kept * before + (1.0 - kept) * used, [kept, used], [pt.ones_like(nothing)])
    return Path(over, days, Moments(days * spill.mean, days * spill.variance), chance, cleared, fatigue, capacity)


def _scanned(step: Any, sequences: list[Any], start: list[Any]) -> Any:
    return pytensor.scan(step, sequences=sequences, outputs_info=start, return_updates=False)


def _before(after: Any, start: float) -> Any:
    """What is carried into each step, of what each leaves."""
    return pt.concatenate([pt.full_like(after[:1], start), after[:-1]], axis=0)
