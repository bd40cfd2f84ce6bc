"""Demand, in PyMC: panels, places, persons, the calendar, and weeks that resemble the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.infer.second import prior
from bayestwin.twin.priors import PriorTable

from .priors import USUAL_CLOSED
from .workload import CLOSED, MESSAGES, MODES, STANDARD_PANEL, YEAR, Workload

LEAST_OPEN = 1e-6  # working days of a step that has none
ADVICE, CALLS = MESSAGES.index("advice"), MESSAGES.index("calls")


def demand(data: Workload, priors: PriorTable) -> tuple[Any, Any]:
    """Expected messages (message, step, provider) and requests for visits (mode, step, provider)."""
    messages, visits = _rhythm(data, priors)
    weeks = _weeks(data, priors)
    usual = data.span.of_day @ np.where(data.span.kind < CLOSED, 1.0, USUAL_CLOSED)
    usual = usual / usual.sum()
    opened = visits - np.log(np.maximum(data.span.of_day @ (data.span.kind < CLOSED), LEAST_OPEN))
    mean_messages, mean_visits = pt.dot(messages, usual), pt.dot(opened, usual)
    of_messages, of_visits = _levels(data, priors, mean_messages, mean_visits)
    by_week = weeks[data.span.of_step.argmax(axis=0)]
    log_messages = (of_messages - mean_messages).T[:, None, :] + messages[:, :, None] + by_week[None]
    log_requests = (of_visits - mean_visits).T[:, None, :] + visits[None, :, None]
    return pt.exp(log_messages), pt.exp(log_requests)


def _rhythm(data: Workload, priors: PriorTable) -> tuple[Any, Any]:
    """Log multipliers of a step, all providers alike: of messages (message, step), and log working days for visits (step,)."""
    span = data.span
    weekday, monday, closed, after = prior(priors, "weekday_effect", "calls_monday", "closed_effect", "after_closure")
    amplitude, growth = prior(priors, "season_amplitude", "growth")
    wave = pm.Normal("season", 0.0, amplitude * np.array([1.0, 1.0, 0.5, 0.5]))
    since_new_year = (span.days - span.days.astype("datetime64[Y]")).astype(float)
    angle = 2.0 * np.pi * np.outer(since_new_year, [1.0, 2.0]) / YEAR
    season = pt.dot(np.column_stack([np.sin(angle[:, 0]), np.cos(angle[:, 0]), np.sin(angle[:, 1]), np.cos(angle[:, 1])]), wave)
    years = (span.days - span.days[0]).astype(float) / YEAR
    kinds = pt.concatenate([weekday, pt.atleast_1d(closed)])
    common = kinds[span.kind] + after * span.closure + season + growth * years
    calls = np.zeros((len(MESSAGES), len(span.days)))
    calls[CALLS] = span.kind == 0
    messages = pt.log(pt.dot(pt.exp(common + monday * calls), span.of_day.T))
    working = pt.dot(span.of_day, (span.kind < CLOSED) * pt.exp(season))
    return messages, pt.log(pt.maximum(working, LEAST_OPEN))


def _weeks(data: Workload, priors: PriorTable) -> Any:
    """Departure of each provider's weeks from their mean, (week, provider)."""
    count = len(data.span.weeks)
    k = np.arange(1, count)
    basis = np.cos(np.outer(k, np.arange(count) + 0.5) * np.pi / count) * np.sqrt(2.0 / count)
    stiff = 4.0 * np.sin(0.5 * np.pi * k / count) ** 2
    spread, memory, step = prior(priors, "sd_week", "week_memory", "walk")
    walk = pm.Normal("walk_coefficient", 0.0, step / np.sqrt(stiff))
    sd = spread * pt.sqrt((1.0 - memory**2) / ((1.0 - memory) ** 2 + memory * stiff))
    own = pm.Normal("week_coefficient", walk[:, None], sd[:, None], shape=(count - 1, len(data.roster.provider)))
    return pt.dot(basis.T, own)


def _levels(data: Workload, priors: PriorTable, of_messages: Any, of_visits: Any) -> tuple[Any, Any]:
    """Mean log rates of each provider over the span, (provider, message) and (provider, mode)."""
    roster = data.roster
    mix = _mix(data, priors)
    size = np.log(data.panel / STANDARD_PANEL)
    correlation, of_organisations, of_clinics = prior(priors, "correlation", "sd_organisation", "sd_clinic")
    person = pm.Normal("provider_common", 0.0, 1.0, shape=len(roster.provider))
    organisation = pm.Normal("organisation_effect", 0.0, of_organisations, shape=len(roster.organisation))
    found = []
    for name, shared in (("message", mix + size[:, None] + of_messages), ("visit", mix[:, -1:] + size[:, None] + of_visits)):
        spread, level = prior(priors, f"sd_{name}s", f"{name}_level")
        kinds = len(MESSAGES if name == "message" else MODES)
        place = level[None, :] + organisation[roster.organisation_of][:, None]
        clinic = pm.Normal(f"clinic_{name}s", place, of_clinics, shape=(len(roster.clinic), kinds))
        centre = clinic[roster.clinic_of] + shared + pt.sqrt(correlation) * spread * person[:, None]
        found.append(pm.Normal(f"provider_{name}s", centre, pt.sqrt(1.0 - correlation) * spread, shape=(len(roster.provider), kinds)))
    return found[0], found[1]


def _mix(data: Workload, priors: PriorTable) -> Any:
    """Log demand of a provider's patients for what they are, against that of all patients together, (provider, message)."""
    age, multimorbid, portal = prior(priors, "age_effect", "multimorbid_effect", "portal_effect")
    whole = (data.panel @ data.mix) / data.panel.sum()

    def effect(share: np.ndarray) -> Any:
        by_age = share[..., 0] + share[..., 1] * pt.exp(age[0]) + share[..., 2] * pt.exp(age[1])
        common = pt.log(by_age) + pt.log(1.0 - share[..., 3] + share[..., 3] * pt.exp(multimorbid))
        asks = pt.log(1.0 - share[..., 4] + share[..., 4] * pt.exp(portal))
        return pt.stack([common + asks if i == ADVICE else common for i in range(len(MESSAGES))], axis=-1)

    return effect(data.mix) - effect(whole)[None, :]
