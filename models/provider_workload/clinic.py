"""The clinic itself, event by event: counts, minutes and after-hours work drawn as they would happen, with nothing hidden.

This is the same system as `flow` without its closure: loads are drawn, so the kink is sharp. It makes the virtual clinic and the
forecasts, and the fit's flow is tested against it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from bayestwin.components.chance import binomial, gamma, gamma_poisson, normals

from .flow import LEAST_CHANCE, NO_SHOW_DAYS, NO_SHOW_LIMIT
from .priors import CV_DOCUMENTATION, CV_ITEM, CV_VISIT
from .workload import STANDARD_DAY, Schedule


class People(NamedTuple):
    """What providers are like, for one parameter draw.

    Attributes:
        message_minutes: (message, provider).
        visit_minutes: (mode,).
        documentation: minutes a visit, (provider,).
        outside: share of documentation done without the patient.
        admin: minutes per standard day.
        usable, cleared: shares, (provider,).
        cleared_off, memory, no_show, giving_up: shares.
    """

    message_minutes: np.ndarray
    visit_minutes: np.ndarray
    documentation: np.ndarray
    outside: float
    admin: float
    usable: np.ndarray
    cleared: np.ndarray
    cleared_off: float
    memory: float
    no_show: float
    giving_up: float


class Chances(NamedTuple):
    """Chance that a slot is booked, and that who booked it comes, (step, provider)."""

    booked: np.ndarray
    comes: np.ndarray


class Start(NamedTuple):
    """Where a span begins: backlog in minutes (draw, provider), fatigue (provider,), requests waiting (mode, provider)."""

    backlog: np.ndarray
    fatigue: np.ndarray
    waiting: np.ndarray


class Events(NamedTuple):
    """What happened, leading axis draw, then step and provider; counts lead with message or mode.

    Attributes:
        messages, visits: counts, (message or mode, draw, step, provider).
        inbox, documentation, admin: minutes of work.
        after_hours: minutes done after hours.
        in_hours: minutes done in scheduled time.
        backlog: minutes carried on at the end of the step.
        fatigue: at the end of the step.
        load: minutes of new work.
    """

    messages: np.ndarray
    visits: np.ndarray
    inbox: np.ndarray
    documentation: np.ndarray
    admin: np.ndarray
    after_hours: np.ndarray
    in_hours: np.ndarray
    backlog: np.ndarray
    fatigue: np.ndarray
    load: np.ndarray


def happen(
    people: People,
    expected: np.ndarray,
    concentration: np.ndarray,
    requests: np.ndarray,
    schedule: Schedule,
    length: np.ndarray,
    start: Start,
    rng: np.random.Generator,
) -> Events:
    """Draw a span.

    Args:
        people: what providers are like.
        expected: expected messages, (message, draw, step, provider).
        concentration: NB2 concentration of a step, (message,).
        requests: expected requests for visits, (mode, step, provider).
        schedule: what is planned.
        length: days in each step.
        start: where it begins.
        rng: random generator.
    """
    draws = expected.shape[1]
    of_messages, of_visits, of_inbox, of_patients, of_documentation = rng.spawn(5)
    each = zip(of_messages.spawn(len(expected)), expected, concentration, strict=True)
    messages = np.stack([gamma_poisson(own, mean, np.full(mean.shape[1:], k), draws) for own, mean, k in each])
    modes = [attendance(people, r, s, length, w) for r, s, w in zip(requests, schedule.slots, start.waiting, strict=True)]
    chance = np.stack([mode.booked * mode.comes for mode in modes])
    slots = np.round(schedule.slots)[:, None]
    visits = binomial(normals(of_visits, len(slots), draws, *chance.shape[1:]), slots, chance[:, None])
    inbox = total(of_inbox, messages, people.message_minutes[:, None, None, :], CV_ITEM).sum(0)
    with_patient = total(of_patients, visits, people.visit_minutes[:, None, None, None], CV_VISIT).sum(0)
    documentation = total(of_documentation, visits.sum(0), people.documentation, CV_DOCUMENTATION)
    admin = np.broadcast_to(people.admin * schedule.minutes / STANDARD_DAY, inbox.shape)
    load = inbox + with_patient + people.outside * documentation + admin
    return Events(messages, visits, inbox, documentation, admin, *work(people, load, schedule, start), load)


def total(rng: np.random.Generator, count: np.ndarray, minutes: np.ndarray, cv: float) -> np.ndarray:
    """Minutes of a number of items: gamma with the mean and variance of a sum of items, the last axis units."""
    return gamma(normals(rng, *count.shape), count / cv**2) * minutes * cv**2


def attendance(people: People, requests: np.ndarray, slots: np.ndarray, length: np.ndarray, waiting: np.ndarray) -> Chances:
    """Chances that a slot is booked and that who booked it comes: the booking queue step by step.

    Args:
        people: no-shows and giving up.
        requests: expected, (step, provider).
        slots: offered, (step, provider).
        length: days in each step.
        waiting: requests waiting at the start, (provider,).
    """
    pace = np.maximum(slots.sum(0) / length.sum(), 1e-3)
    booked, comes = np.zeros_like(requests), np.zeros_like(requests)
    for t in range(len(requests)):
        queue = waiting + requests[t]
        sd = np.sqrt(queue + 1e-3)
        margin = slots[t] - queue
        taken = slots[t] - (margin * ndtr(margin / sd) + sd * np.exp(-0.5 * (margin / sd) ** 2) / np.sqrt(2.0 * np.pi))
        booked[t] = LEAST_CHANCE + (1.0 - 2.0 * LEAST_CHANCE) * np.where(slots[t] > 0, taken / np.where(slots[t] > 0, slots[t], 1.0), 0.5)
        late = NO_SHOW_LIMIT - (NO_SHOW_LIMIT - people.no_show) * np.exp(-waiting / pace / NO_SHOW_DAYS)
        comes[t] = 1.0 - late
        waiting = (queue - taken) * (1.0 - people.giving_up) ** length[t]
    return Chances(booked, comes)


def work(people: People, load: np.ndarray, schedule: Schedule, start: Start) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """After-hours and in-hours minutes, backlog and fatigue of given loads, (draw, step, provider): a plain loop, no closure.

    On the weekly grid a week's load is spread evenly over its working days.
    """
    after_hours, in_hours, backlogs, fatigues = (np.zeros(load.shape) for _ in range(4))
    backlog, fatigue = start.backlog, np.broadcast_to(start.fatigue, load[:, 0].shape)
    for t in range(load.shape[1]):
        capacity = schedule.minutes[t] * people.usable
        worked = schedule.open_days[t] > 0
        whole = backlog + load[:, t]
        spilled = np.maximum(whole - capacity, 0.0)
        cleared = np.where(worked, people.cleared, people.cleared_off)
        after_hours[:, t] = cleared * spilled
        in_hours[:, t] = whole - spilled
        kept = people.memory ** schedule.open_days[t]
        fatigue = kept * fatigue + (1.0 - kept) * np.where(worked, whole / np.where(worked, capacity, 1.0), 0.0)
        backlog = (1.0 - cleared) * spilled
        backlogs[:, t], fatigues[:, t] = backlog, fatigue
    return after_hours, in_hours, backlogs, fatigues
