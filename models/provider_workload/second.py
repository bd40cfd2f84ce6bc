"""The same model once more, in PyMC, for a second engine: the same unknowns, priors and likelihood, written without a line of the first.

Its log density is that of `model.py` up to a constant, which a test holds at random points. What it takes of the first are data and
numbers: the calendar, schedules, what was released, and constants.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.errors import ModelError
from bayestwin.infer.second import prior
from bayestwin.twin.priors import PriorTable

from .priors import CV_DOCUMENTATION, CV_ITEM, CV_VISIT
from .second_demand import demand
from .second_flow import Habits, Work, backlog, booking
from .second_metrics import metrics, survey
from .second_release import Moments, binomial, completed, condition, negative_binomial, not_written, released
from .workload import BOOKINGS, MESSAGES, MODES, STANDARD_DAY, Workload


def second(data: Workload, priors: PriorTable) -> pm.Model:
    """The model given the data.

    Args:
        data: as for the first engine.
        priors: the study's.

    Raises:
        ModelError: if a barrier of the study is not written here.
    """
    if faults := not_written(data):
        raise ModelError(faults)
    with pm.Model() as made:
        messages, requests = demand(data, priors)
        counts = _messages(data, priors, messages)
        visits = _visits(data, priors, requests)
        service = _service(data, priors)
        work = _work(data, service, counts, visits)
        path = backlog(_habits(data, priors), work, data.schedule)
        metrics(data, priors, service.clock, service.outside, work, path)
        survey(data, priors, path)
    return made


class Service(NamedTuple):
    """Minutes of a message (message, provider), of a visit (mode,) and its documentation (provider,), of other work a day; the vendors' clocks (provider,)."""

    message: Any
    visit: Any
    documentation: Any
    outside: Any
    admin: Any
    clock: Any


def _messages(data: Workload, priors: PriorTable, mean: Any) -> list[Moments]:
    """Each stream's counts given what was released of them."""
    concentration = prior(priors, "concentration")
    found = []
    for i, name in enumerate(MESSAGES):
        k = concentration[i] * data.span.alike
        whole = negative_binomial(mean[i], k)
        if name not in data.streams:
            found.append(whole.moments)
            continue
        access, ends = released(name, data.streams[name])
        share = access.share_reported
        reported = condition(name, negative_binomial(mean[i] * share, k), ends)
        found.append(completed(reported, mean[i], k, share))
    return found


def _visits(data: Workload, priors: PriorTable, requests: Any) -> list[Moments]:
    """Attended visits of each mode: of bookings where these are known, of slots elsewhere."""
    no_show, giving_up = prior(priors, "no_show", "giving_up")
    found = []
    for mode, name in enumerate(MODES):
        slots = data.schedule.slots[mode]
        filled, comes = booking(requests[mode], slots, data.span.length, no_show, giving_up)
        number, chance = np.round(slots), filled * comes
        if BOOKINGS[mode] in data.streams:
            _, ends = released(BOOKINGS[mode], data.streams[BOOKINGS[mode]])
            condition(BOOKINGS[mode], binomial(number, filled), ends)
            known = ends[..., 0] == ends[..., 1]
            number = np.where(known, np.where(known, ends[..., 0], 0.0), number)
            chance = pt.switch(known, comes, chance)
        law = binomial(number, chance)
        if name in data.streams:
            found.append(condition(name, law, released(name, data.streams[name])[1]))
        else:
            found.append(law.moments)
    return found


def _service(data: Workload, priors: PriorTable) -> Service:
    roster = data.roster
    message, visit = prior(priors, "message_minutes", "visit_minutes")
    speed = pm.Normal("speed", 0.0, prior(priors, "sd_speed"), shape=len(roster.provider))
    centre, sd = priors["vendor_factor"].parameters
    vendor = pm.Normal("vendor_factor", centre, sd, shape=len(roster.organisation))
    of_clinics, of_providers = prior(priors, "sd_documentation_clinic", "sd_documentation")
    clinic = pm.Normal("clinic_documentation", prior(priors, "documentation_level"), of_clinics, shape=len(roster.clinic))
    documentation = pm.Normal("documentation", clinic[roster.clinic_of], of_providers)
    overlap, admin = prior(priors, "overlap", "admin_minutes")
    return Service(
        message=pt.exp(message[:, None] + speed[None, :]),
        visit=pt.exp(visit),
        documentation=pt.exp(documentation),
        outside=1.0 - overlap,
        admin=pt.exp(admin),
        clock=vendor[roster.vendor_of],
    )


def _work(data: Workload, service: Service, messages: list[Moments], visits: list[Moments]) -> Work:
    """Minutes of each kind of work; a sum of items of which the number is uncertain too."""
    of_streams = [_items(service.message[i], CV_ITEM, count) for i, count in enumerate(messages)]
    inbox = Moments(sum(part.mean for part in of_streams), sum(part.variance for part in of_streams))
    all_visits = Moments(sum(count.mean for count in visits), sum(count.variance for count in visits))
    documentation = _items(service.documentation, CV_DOCUMENTATION, all_visits)
    admin = service.admin * data.schedule.minutes / STANDARD_DAY
    mean, variance = inbox.mean + admin, inbox.variance
    outside = service.outside * service.documentation
    for mode, count in enumerate(visits):
        with_patient = service.visit[mode]
        mean = mean + (with_patient + outside) * count.mean
        variance = variance + count.mean * ((CV_VISIT * with_patient) ** 2 + (CV_DOCUMENTATION * outside) ** 2)
        variance = variance + count.variance * (with_patient + outside) ** 2
    return Work(inbox, documentation, admin, Moments(mean, variance))


def _items(minutes: Any, cv: float, count: Moments) -> Moments:
    return Moments(minutes * count.mean, minutes**2 * (cv**2 * count.mean + count.variance))


def _habits(data: Workload, priors: PriorTable) -> Habits:
    providers = len(data.roster.provider)
    cleared, usable = (_pooled(priors, name, providers) for name in ("cleared", "usable"))
    off, memory = prior(priors, "cleared_off", "memory")
    return Habits(pt.exp(usable), pt.sigmoid(cleared), off, memory)


def _pooled(priors: PriorTable, name: str, providers: int) -> Any:
    """An unknown of each provider about a common level."""
    centre, sd = prior(priors, f"{name}_level", f"sd_{name}")
    return pm.Normal(name, centre, sd, shape=providers)
