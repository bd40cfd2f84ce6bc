"""A cheap first look at the data: where each effect lies and how much the data say about it.

Nothing here changes the posterior; it decides how the sampler sees it (`bayestwin.components.informed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayestwin.components.hierarchy import Sites, pool, pooled, spread
from bayestwin.components.informed import Evidence, Look, Pilot, seen, site
from bayestwin.components.trend import cosine_basis
from bayestwin.laws.within import Moments

from . import guess
from .demand import HARMONICS, Calendar, memory_spectrum, mix_effect, rhythm, yearly
from .guess import Guess, totals
from .habits import USUAL_OVERLAP, looks_at_habits
from .model import TOP
from .priors import CV_DOCUMENTATION, CV_ITEM, PRIORS, first_parameter
from .workload import MESSAGES, METRICS, STANDARD_DAY, SURVEY, Workload, slow_basis

OTHER_NOISE = 0.4  # log sd of a week's other EHR minutes, a small difference of large numbers
NOISE = np.exp(first_parameter("metric_noise")[0])  # log sd of the vendor's error of a weekly metric
TLX_NOISE = np.exp(first_parameter("tlx_noise"))  # log-odds: one answer about its expectation
GIVING_UP = (0.03, 0.08)  # share of those waiting who give up in a day: what it changes is looked at between these
HALF_NORMAL_MEDIAN = 0.6745  # of its scale
TYPICAL = {"sd_clinic": 0.1, "sd_organisation": 0.1, "sd_week": 0.1, "walk": 0.01, "sd_drift": 0.02, "season_amplitude": 0.05}


def pilot(data: Workload) -> Pilot:
    """Looks at the normal effects of the model, and starting values of the rest."""
    messages = guess.messages(data)
    visits, leaving = (guess.visits(data, share) for share in GIVING_UP)
    minutes = weekly_minutes(data, messages, visits)
    looks = {
        **_demand(data, messages, _requests(visits, leaving)),
        **_service(data, minutes),
        **looks_at_habits(data, messages, visits),
        "tlx_trait": _trait(data),
        "season": _season(data, messages, visits),
        "drift_coefficient": _drift(data, minutes),
    }
    start = {name: np.asarray(value) for name, value in {**TYPICAL, **_spreads(data, looks)}.items()}
    return Pilot(looks={**looks, "clinic_documentation": _or_level(looks["clinic_documentation"])}, start=start)


def _or_level(clinics: Look) -> Look:
    """The look at clinics' documentation, with a weak one at those that are silent.

    A clinic whose minutes are withheld would overload its providers, and surveys and visits show that they are not, long before it lies
    twice the prior's spread from the level. Without this its effect runs off as the clinics' spread grows, and the sampler with it.
    """
    reach = 1.0 / np.square(2.0 * first_parameter("sd_documentation_clinic"))

    def look(sites: Sites) -> Evidence:
        value, information, _ = clinics(sites)
        silent = information == 0.0
        return Evidence(jnp.where(silent, sites["documentation_level"], value), jnp.where(silent, reach, information))

    return look


def _spreads(data: Workload, looks: Mapping[str, Look]) -> dict[str, np.ndarray]:
    """Spreads of providers about their clinic, and of clinics, as the looks show them beside the prior."""
    usual = {name: jnp.asarray(first_parameter(name)) for name in ("message_minutes", "visit_minutes", "admin_minutes", "tlx_level")}
    usual |= {"vendor_factor": jnp.zeros(len(data.roster.organisation)), "giving_up": jnp.asarray(sum(GIVING_UP) / 2.0)}
    usual["overlap"] = jnp.asarray(USUAL_OVERLAP)
    of_messages, of_visits = (np.asarray(part) + np.log(data.panel)[:, None] for part in _mix(data))
    clinic, all_clinics = data.roster.clinic_of, np.zeros(len(data.roster.clinic), int)
    effects = {
        "sd_speed": ("speed", 0.0, clinic),
        "sd_documentation": ("documentation", 0.0, clinic),
        "sd_documentation_clinic": ("clinic_documentation", 0.0, all_clinics),
        "sd_cleared": ("cleared", 0.0, clinic),
        "sd_usable": ("usable", 0.0, clinic),
        "sd_tlx": ("tlx_trait", 0.0, clinic),
        "sd_messages": ("provider_messages", of_messages, clinic),
        "sd_visits": ("provider_visits", of_visits, clinic),
    }
    found: dict[str, np.ndarray] = {}
    for name, (effect, explained, groups) in effects.items():
        value, information, _ = looks[effect](usual | found)
        usual[effect] = value
        found[name] = spread(np.asarray(value) - explained, np.asarray(information), groups, HALF_NORMAL_MEDIAN * first_parameter(name))
    return found


def _mix(data: Workload) -> tuple[Array, Array]:
    """Log demand of each provider's mix of patients at the prior's effects, (provider, message or mode)."""
    return mix_effect(data.mix, *(jnp.asarray(first_parameter(name)) for name in ("age_effect", "multimorbid_effect", "portal_effect")))


def _drift(data: Workload, minutes: WeeklyMinutes) -> Look:
    """What the weekly metrics tell of a clinic's slow departures; where these lie is not looked for."""
    clinics = np.eye(len(data.roster.clinic))[data.roster.clinic_of]
    information = np.square(slow_basis(len(data.span.weeks))) @ (minutes.inbox_information + minutes.documentation_information) @ clinics
    return seen(np.zeros(information.shape), information)


def _requests(patient: Guess, leaving: Guess) -> Look:
    """Requests for visits: as many more than are booked as give up waiting.

    Smooth, as all looks must be: a look that bends bends the coordinates, and so the potential.
    """

    def look(sites: Sites) -> Evidence:
        part = (sites["giving_up"] - GIVING_UP[0]) / (GIVING_UP[1] - GIVING_UP[0])
        value = patient.log_rate.T + part * (leaving.log_rate - patient.log_rate).T
        return Evidence(value, patient.information.T + jax.nn.sigmoid(4.0 * part - 2.0) * (leaving.information - patient.information).T)

    return look


def _demand(data: Workload, messages: Guess, requests: Look) -> dict[str, Look]:
    roster = data.roster
    looks: dict[str, Look] = {"provider_common": _persons(data, messages.log_rate.T, messages.information.T)}
    for name, provider in (("message", seen(messages.log_rate.T, messages.information.T)), ("visit", requests)):
        clinic = pooled(provider, site(f"{name}_own_sd"), roster.clinic_of, len(roster.clinic), site(f"{name}_shift"))
        looks[f"provider_{name}s"] = provider
        looks[f"clinic_{name}s"] = clinic
        looks[f"{name}_level"] = pooled(clinic, site("sd_clinic"))
    looks["organisation_effect"] = _organisations(data, looks)
    return looks | _weeks(data, messages)


def _persons(data: Workload, value: np.ndarray, information: np.ndarray) -> Look:
    """What a provider's message streams lie above the clinic's by together, in units of what they have in common."""
    groups = np.eye(len(data.roster.clinic))[data.roster.clinic_of]
    known = information > 0
    above = np.where(known, value - np.log(data.panel)[:, None], 0.0)
    mean = (groups.T @ above) / np.maximum(groups.T @ known, 1.0)
    departure = np.where(known, above - mean[data.roster.clinic_of], 0.0)
    noise = np.where(known, 1.0 / np.where(known, information, 1.0), 1e9)

    def look(sites: Sites) -> Evidence:
        common = sites["sd_messages"] * jnp.sqrt(sites["correlation"])
        weight = common / (jnp.square(sites["sd_messages"]) * (1.0 - sites["correlation"]) + noise)
        told = (weight * common).sum(-1)
        return Evidence((weight * departure).sum(-1) / (told + 1e-9), told)

    return look


def _organisations(data: Workload, looks: Mapping[str, Look]) -> Look:
    """What clinics lie above the level of each stream by, pooled over streams and an organisation's clinics."""
    groups, count = data.roster.organisation_of, len(data.roster.organisation)

    def look(sites: Sites) -> Evidence:
        value, information = jnp.zeros(count), jnp.full(count, 1e-9)
        for name in ("message", "visit"):
            found = looks[f"clinic_{name}s"](sites)
            mean, weight = pool(found.value - sites[f"{name}_level"], found.information, groups, count, sites["sd_clinic"])
            value, information = value + (weight * mean).sum(-1), information + weight.sum(-1)
        return Evidence(value / information, information)

    return look


def _season(data: Workload, messages: Guess, visits: Guess) -> Look:
    """Annual waves by least squares: in visits by themselves, in messages under a walk, growth and providers' own weeks."""
    count = len(data.span.weeks)
    waves, years = (cosine_basis(count)[0] @ part for part in yearly(data.span, data.span.days[0]))
    of_messages, of_visits = (_common(data, guessed) for guessed in (messages, visits))
    varied = np.square(TYPICAL["walk"]) / cosine_basis(count)[1] + np.square(TYPICAL["sd_week"]) / len(data.panel)
    growth = np.square(PRIORS["growth"].parameters[1]) * np.outer(years, years)
    sources = [
        (np.linalg.inv(np.diag(varied + of_messages.variance) + growth), of_messages.mean - years * first_parameter("growth")),
        (np.eye(count - 1) / of_visits.variance, of_visits.mean),
    ]
    told = sum(waves.T @ precision @ waves for precision, _ in sources)
    towards = sum(waves.T @ precision @ departure for precision, departure in sources)
    usual = np.diag(1.0 / np.square(TYPICAL["season_amplitude"] * HARMONICS))
    return seen(np.linalg.solve(told + usual, towards), np.diag(told))


def _common(data: Workload, guessed: Guess) -> Moments:
    """Cosine coefficients of the log weeks of all providers and streams together, and the noise of each."""
    score, told = (data.span.by_week(part.sum(0)).sum(1) for part in (guessed.score, guessed.told))
    return Moments(cosine_basis(len(score))[0] @ (score / (told + 1.0)), 1.0 / (told.mean() + 1e-9))


def _weeks(data: Workload, messages: Guess) -> dict[str, Look]:
    """Cosine coefficients of each provider's weeks, and of the walk that they have in common, beyond what the calendar makes of a week."""
    basis, _ = cosine_basis(len(data.span.weeks))
    score, told = (data.span.by_week(part.sum(0)) for part in (messages.score, messages.told))
    departure, information = basis @ (score / (told + 1.0)), told.mean(0)
    weight = messages.told.sum(2)  # message, step
    share = weight / (data.span.by_week(weight.sum(0))[data.span.week] + 1e-9)
    usual = guess.usual_rhythm(data)

    def by_provider(sites: Sites) -> Evidence:
        calendar = Calendar(**{name: sites[name] for name in Calendar._fields})
        beyond = rhythm(calendar, data.span, data.span.days[0]).messages - usual
        value = departure.T - basis @ data.span.by_week((share * beyond).sum(0))
        return Evidence(value, jnp.broadcast_to(information[:, None], value.shape))

    def own(sites: Sites) -> Evidence:
        found = by_provider(sites)
        return Evidence(found.value.T, found.information.T)

    def sd(sites: Sites) -> Array:
        return sites["sd_week"] * jnp.sqrt(memory_spectrum(sites["week_memory"], len(data.span.weeks)))

    return {"week_coefficient": own, "walk_coefficient": pooled(by_provider, sd)}


class WeeklyMinutes(NamedTuple):
    """Weekly minutes of two kinds of work, and what counts explain them.

    Attributes:
        items: messages in the weeks whose inbox minutes are known, (provider, message).
        seen: visits in the weeks whose documentation minutes are known, (provider,).
        inbox_information, documentation_information: about the log of a minute's price, zero where a week is not known, (week, provider).
    """

    items: np.ndarray
    seen: np.ndarray
    inbox_information: np.ndarray
    documentation_information: np.ndarray


def weekly_minutes(data: Workload, messages: Guess, visits: Guess) -> WeeklyMinutes:
    """What the metrics tell of minutes an item, as far as the items are known and alike."""
    in_week, price = data.span.of_step, np.exp(first_parameter("message_minutes"))[:, None, None]
    inbox_weeks, documentation_weeks = (totals(data, METRICS[i])[1].astype(float) for i in (0, 1))
    of_inbox = np.square(price) * (CV_ITEM**2 * messages.mean + messages.variance)
    of_documentation = CV_DOCUMENTATION**2 * visits.mean + visits.variance
    return WeeklyMinutes(
        np.einsum("wt,mti,wi->im", in_week, messages.mean, inbox_weeks),
        np.einsum("wt,mti,wi->i", in_week, visits.mean, documentation_weeks),
        inbox_weeks / _log_variance(in_week @ (price * messages.mean).sum(0), in_week @ of_inbox.sum(0)),
        documentation_weeks / _log_variance(in_week @ visits.mean.sum(0), in_week @ of_documentation.sum(0)),
    )


def _log_variance(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return np.log1p(variance / np.square(mean + 1e-3)) + NOISE**2


def _service(data: Workload, minutes: WeeklyMinutes) -> dict[str, Look]:
    roster, items = data.roster, minutes.items
    inbox, inbox_weeks = totals(data, METRICS[0])
    documentation, documentation_weeks = totals(data, METRICS[1])
    told, documented = minutes.inbox_information.sum(0), minutes.documentation_information.sum(0)

    def speed(sites: Sites) -> Evidence:
        expected = jnp.log(jnp.maximum(items @ jnp.exp(sites["message_minutes"]), 1e-9))
        value = np.log(np.maximum(inbox, 1e-9)) - expected - sites["vendor_factor"][roster.vendor_of]
        return Evidence(jnp.where(inbox > 0, value, 0.0), jnp.where(inbox > 0, told, 0.0))

    share = items.sum(0) * np.exp(first_parameter("message_minutes"))
    share = share / max(share.sum(), 1e-9)
    basis = np.linalg.qr(np.column_stack([share, np.eye(len(MESSAGES))[:, 1:]]))[0]
    basis = basis * np.sign(basis[:, :1].T @ share)[0] if share.any() else np.eye(len(MESSAGES))
    usual_minutes = np.log(np.maximum(items @ np.exp(first_parameter("message_minutes")), 1e-9))

    def per_message(sites: Sites) -> Evidence:
        each = jnp.where(inbox > 0, told, 0.0)
        above = np.log(np.maximum(inbox, 1e-9)) - usual_minutes - sites["vendor_factor"][roster.vendor_of]
        mean, weight = pool(jnp.where(inbox > 0, above, 0.0), each, np.zeros(len(inbox), int), 1, sites["sd_speed"])
        size = np.square(share).sum()
        value = first_parameter("message_minutes") + mean[0] * share / max(size, 1e-9)
        return Evidence(value, jnp.zeros(len(share)).at[0].set(size * weight[0]), jnp.asarray(basis))

    def own(sites: Sites) -> Evidence:
        ratio = np.log(np.maximum(documentation, 1e-9)) - np.log(np.maximum(minutes.seen, 1e-9))
        value = ratio - sites["vendor_factor"][roster.vendor_of]
        known = (documentation > 0) & (minutes.seen > 0)
        return Evidence(jnp.where(known, value, 0.0), jnp.where(known, documented, 0.0))

    _, whole_weeks = totals(data, METRICS[2])
    every = inbox_weeks & documentation_weeks & whole_weeks
    scheduled = (data.span.of_step @ data.schedule.minutes) / STANDARD_DAY
    other = _other_minutes(data, every)
    spare = np.array([other[roster.vendor_of == vendor].sum() for vendor in range(len(roster.organisation))])

    def admin(sites: Sites) -> Evidence:
        whole = (np.maximum(spare, 1.0) * jnp.exp(-sites["vendor_factor"])).sum()
        value = jnp.log(whole) - np.log(max((scheduled * every).sum(), 1.0))
        return Evidence(jnp.where(every.any(), value, 0.0), jnp.asarray(every.sum() / OTHER_NOISE**2))

    clinic = pooled(own, site("sd_documentation"), roster.clinic_of, len(roster.clinic))
    return {
        "message_minutes": per_message,
        "speed": speed,
        "documentation": own,
        "clinic_documentation": clinic,
        "documentation_level": pooled(clinic, site("sd_documentation_clinic")),
        "admin_minutes": admin,
    }


def _other_minutes(data: Workload, weeks: np.ndarray) -> np.ndarray:
    """EHR minutes less inbox and documentation, by provider, summed over weeks in which all three are known."""
    if not weeks.any():
        return np.zeros(len(data.panel))
    inbox, documentation, whole = (np.where(weeks, data.streams[name].ends[..., 0], 0.0).sum(0) for name in METRICS[:3])
    return whole - inbox - documentation


def _survey(data: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Mean logit of the answers and their number."""
    if SURVEY not in data.streams:
        return np.zeros(len(data.panel)), np.zeros(len(data.panel))
    ends = data.streams[SURVEY].ends
    some = np.isfinite(ends).all(-1)
    share = np.clip(np.where(some[..., None], ends, TOP / 2.0).mean(-1) / TOP, 0.02, 0.98)
    logit = np.where(some, np.log(share) - np.log1p(-share), 0.0)
    count = some.sum(0)
    return logit.sum(0) / np.maximum(count, 1), count.astype(float)


def _trait(data: Workload) -> Look:
    """What answers lie above the level by."""
    value, count = _survey(data)
    return lambda sites: Evidence(jnp.where(count > 0, value - sites["tlx_level"], 0.0), count / TLX_NOISE**2)
