"""A cheap first look at the data: where each effect lies and how much the data say about it.

Nothing here changes the posterior; it decides how the sampler sees it (`bayestwin.components.informed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayestwin.components.hierarchy import Sites, pool, pooled, spread
from bayestwin.components.informed import Evidence, Look, Pilot, seen, site
from bayestwin.components.trend import cosine_basis

from .clinic import Chances, People, attendance
from .demand import memory_spectrum, usual_weights, yearly
from .flow import Habits, Load, flow, rested
from .priors import NEAR_ZERO, PRIORS
from .workload import BOOKINGS, MESSAGES, METRICS, MODES, STANDARD_DAY, STANDARD_PANEL, SURVEY, Workload, slow_basis

OTHER_NOISE = 0.4  # log sd of a week's other EHR minutes, a small difference of large numbers
NOISE = 0.09  # log sd of a weekly metric about its expectation: the vendor's error and items
USUAL_CONCENTRATION = 10.0
USUAL_NO_SHOW, USUAL_OVERLAP = 0.13, 0.35
PLAUSIBLE = (0.5, 1.05)  # usable shares to begin with
USUALLY_FILLED = 0.8  # share of slots that someone comes to
SEASON_SD = 0.04  # how well half a year shows the season
SCORING, USUAL_PRECISION = 6, 4.0  # steps of Fisher scoring, and the prior precision that holds them
HIDDEN_VISITS = 0.1  # of a known count's information that a hidden one of a few slots gives
DAY_SD = 40.0  # minutes: a day's work about what its counts say
LOAD_SD = 90.0  # minutes: a working day's load about its mean
HIDDEN_SHARE = 0.5  # of a known count's information that a hidden one gives
_NONE = np.zeros(1)
USUAL_QUEUE = People(_NONE, _NONE, _NONE, 0.0, 0.0, _NONE, _NONE, 0.0, 0.0, USUAL_NO_SHOW, 0.03)
TYPICAL = {"sd_clinic": 0.1, "sd_organisation": 0.1, "sd_week": 0.1, "walk": 0.01, "sd_drift": 0.02, "season_amplitude": 0.05}


def pilot(data: Workload) -> Pilot:
    """Looks at the normal effects of the model, and starting values of the rest."""
    looks = {**_demand(data), **_service(data), **_habits(data), **_silent(data), "drift_coefficient": _drift(data)}
    return Pilot(looks=looks, start={name: np.asarray(value) for name, value in {**TYPICAL, **_spreads(data, looks)}.items()})


def _spreads(data: Workload, looks: Mapping[str, Look]) -> dict[str, np.ndarray]:
    """Spreads of providers about their clinic as the looks show them, the prior's where they show nothing."""
    usual = {name: jnp.asarray(_prior(name)) for name in ("message_minutes", "tlx_level")}
    usual["vendor_factor"] = jnp.zeros(len(data.roster.organisation))
    panel = np.log(data.panel)[:, None]
    effects = {
        "sd_speed": ("speed", 0.0),
        "sd_documentation": ("documentation", 0.0),
        "sd_usable": ("usable", 0.0),
        "sd_tlx": ("tlx_trait", 0.0),
        "sd_messages": ("provider_messages", panel),
        "sd_visits": ("provider_visits", panel),
    }
    found = {}
    for name, (effect, explained) in effects.items():
        value, information, _ = looks[effect](usual)
        shown = spread(np.asarray(value) - explained, np.asarray(information), data.roster.clinic_of)
        found[name] = np.where(np.isnan(shown), _prior(name), shown)
    return found


def _drift(data: Workload) -> Look:
    """What the weekly metrics tell of a clinic's slow departures; where these lie is not looked for."""
    clinics = np.eye(len(data.roster.clinic))[data.roster.clinic_of]
    weeks = np.sum([_totals(data, name)[1] for name in METRICS], axis=0) @ clinics
    information = np.square(slow_basis(len(data.span.weeks))) @ weeks / NOISE**2
    return seen(np.zeros(information.shape), information)


def _prior(name: str) -> np.ndarray:
    """First parameter of a prior: the mean of a normal law, the scale of a half-normal one."""
    return np.asarray(PRIORS[name].parameters[0])


def _silent(data: Workload) -> dict[str, Look]:
    """Effects of which little is known beforehand: non-centred."""
    return {"cleared": seen(np.zeros(len(data.roster.provider)), 0.0), "season": seen(np.zeros(4), 1.0 / SEASON_SD**2)}


def _middle(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A guess of each count, whether anything is known of it, and the share of information."""
    some = np.isfinite(ends).all(-1)
    low, high = np.where(some, ends[..., 0], 0.0), np.where(some, ends[..., 1], 0.0)
    return 0.5 * (low + high), some, np.where(low == high, 1.0, HIDDEN_SHARE) * some


def usual_rhythm(data: Workload) -> np.ndarray:
    """Log exposure of each step at the prior's calendar, less its weighted mean, (message, step)."""
    kinds = np.append(_prior("weekday_effect"), _prior("closed_effect"))[data.span.kind]
    calls = _prior("calls_monday") * (data.span.kind == 0)
    days = np.stack([kinds + (calls if name == "calls" else 0.0) for name in MESSAGES])
    steps = np.log(np.exp(days) @ data.span.of_day.T)
    return steps - (steps @ usual_weights(data.span))[:, None]


def _demand(data: Workload) -> dict[str, Look]:
    roster = data.roster
    rhythm = np.exp(usual_rhythm(data))
    messages = [_message_look(data, name, rhythm[i]) for i, name in enumerate(MESSAGES)]
    value, information = (np.stack(part, axis=1) for part in zip(*messages, strict=True))
    looks: dict[str, Look] = {"provider_common": _persons(data, value, information)}
    for name, own in (("message", seen(value, information)), ("visit", _visits(data))):
        clinic = pooled(own, site(f"{name}_own_sd"), roster.clinic_of, len(roster.clinic), site(f"{name}_shift"))
        looks[f"provider_{name}s"] = own
        looks[f"clinic_{name}s"] = clinic
        looks[f"{name}_level"] = pooled(clinic, site("sd_clinic"))
    looks["organisation_effect"] = _organisations(data, looks)
    return looks | _weeks(data)


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


def _weeks(data: Workload) -> dict[str, Look]:
    """Cosine coefficients of each provider's weeks, and of the walk that they have in common."""
    basis, _ = cosine_basis(len(data.span.weeks))
    messages, in_week = _guesses(data, MESSAGES), data.span.of_step
    rhythm = np.exp(usual_rhythm(data))[:, :, None]
    known = ~np.isnan(messages)
    counts = np.where(known, messages, 0.0)
    mean = counts.mean(1, keepdims=True) / rhythm.mean(1, keepdims=True) * rhythm
    weekly, expected = in_week @ counts.sum(0), in_week @ np.where(known, mean, 0.0).sum(0)
    departure = basis @ np.log((weekly + 1.0) / (expected + 1.0))
    information = sum(_told(data, name, mean[i]) for i, name in enumerate(MESSAGES)) / len(data.span.weeks)
    waves, years = (basis @ part for part in yearly(data.span, data.span.days[0]))

    def by_provider(sites: Sites) -> Evidence:
        value = departure.T - waves @ sites["season"] - years * sites["growth"]
        return Evidence(value, jnp.broadcast_to(information[:, None], value.shape))

    def own(sites: Sites) -> Evidence:
        found = by_provider(sites)
        return Evidence(found.value.T, found.information.T)

    def sd(sites: Sites) -> Array:
        return sites["sd_week"] * jnp.sqrt(memory_spectrum(sites["week_memory"], len(data.span.weeks)))

    return {"week_coefficient": own, "walk_coefficient": pooled(by_provider, sd)}


def _told(data: Workload, name: str, mean: np.ndarray) -> np.ndarray:
    """Information about a provider's log rate in all released cells of a stream, (provider,)."""
    if name not in data.streams:
        return np.zeros(mean.shape[1])
    weight = _middle(data.streams[name].ends)[2]
    return (weight * mean / (1.0 + mean / USUAL_CONCENTRATION)).sum(0)


def _message_look(data: Workload, name: str, rhythm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean log rate of each provider and its information."""
    if name not in data.streams:
        return np.zeros(len(data.panel)), np.zeros(len(data.panel))
    count, some, _ = _middle(data.streams[name].ends)
    exposure = (rhythm[:, None] * some).sum(0)
    rate = (count.sum(0) + 0.5) / np.maximum(exposure, 1e-9)
    mean = rate * rhythm[:, None]
    information = _told(data, name, mean)
    known = exposure > 0
    return np.where(known, np.log(np.where(known, rate, 1.0)), 0.0), np.where(known, information, 0.0)


class Taken(NamedTuple):
    """What is seen of slots being taken: bookings, or else visits.

    Attributes:
        count: guess of each number, (step, provider).
        weight: share of a known number's information that it gives, (step, provider).
        chance: of a slot to be counted, given those of being booked and of coming.
        usual: the same in a queue of no length, of slots that are booked.
    """

    count: np.ndarray
    weight: np.ndarray
    chance: Callable[[Chances], np.ndarray]
    usual: float


def _visits(data: Workload) -> Look:
    """Log requests of a working day: seen as far as slots stay empty, hardly where they are full."""
    found = [_requests(data, data.schedule.slots[mode], _taken(data, mode)) for mode in range(len(MODES))]
    value, information = (np.stack(part, axis=1) for part in zip(*found, strict=True))
    return seen(value, information)


def _taken(data: Workload, mode: int) -> Taken:
    if BOOKINGS[mode] in data.streams:
        count, _, weight = _middle(data.streams[BOOKINGS[mode]].ends)
        return Taken(count, weight, lambda chance: chance.booked, 1.0)
    count, some = _attended(data, mode)
    exact = data.streams[MODES[mode]].exact if MODES[mode] in data.streams else some
    return Taken(count, some * np.where(exact, 1.0, HIDDEN_VISITS), lambda chance: chance.booked * chance.comes, 1.0 - USUAL_NO_SHOW)


def _requests(data: Workload, slots: np.ndarray, taken: Taken) -> tuple[np.ndarray, np.ndarray]:
    """Log requests of a working day by Fisher scoring through the booking queue, and their information; zeros where none is seen."""
    open_days, nobody = data.span.open_days[:, None], np.zeros(slots.shape[1])
    offered = (slots * (taken.weight > 0)).sum(0)
    filled = np.clip(taken.count.sum(0) / np.maximum(taken.usual * offered, 1.0), 0.02, 0.98)
    known = slots * taken.weight

    def chance(x: np.ndarray) -> np.ndarray:
        return taken.chance(attendance(USUAL_QUEUE, np.exp(x) * open_days, slots, data.span.length, nobody))

    x = np.log(np.maximum(filled * slots.sum(0) / open_days.sum(), 1e-3))
    for _ in range(SCORING):
        p = np.clip(chance(x), 1e-3, 1.0 - 1e-3)
        slope = (chance(x + 0.01) - p) / 0.01
        per_slot = slope / (p * (1.0 - p))
        share = np.where(slots > 0, taken.count / np.where(slots > 0, slots, 1.0), p)
        information = (known * per_slot * slope).sum(0)
        x = x + np.clip((known * (share - p) * per_slot).sum(0) / (information + USUAL_PRECISION), -0.5, 0.5)
    return np.where(offered > 0, x, 0.0), information


def _attended(data: Workload, mode: int) -> tuple[np.ndarray, np.ndarray]:
    """Guess of each attended count, as many as usually come where it is hidden, and whether anything is known of it."""
    slots = data.schedule.slots[mode]
    if MODES[mode] not in data.streams:
        return np.zeros(slots.shape), np.zeros(slots.shape, bool)
    ends = data.streams[MODES[mode]].ends
    some = np.isfinite(ends).all(-1)
    return np.where(some, np.clip(USUALLY_FILLED * slots, ends[..., 0], ends[..., 1]), 0.0), some


def _totals(data: Workload, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sum of a weekly metric by provider, and which weeks are in it, (week, provider)."""
    if name not in data.streams:
        return np.zeros(len(data.panel)), np.zeros((len(data.span.weeks), len(data.panel)), bool)
    stream = data.streams[name]
    known = stream.exact
    return np.where(known, stream.ends[..., 0], 0.0).sum(0), known


def _guesses(data: Workload, names: tuple[str, ...]) -> np.ndarray:
    """Guess of every count, (stream, step, provider): what was released, the provider's own mean where nothing was."""
    found = []
    for name in names:
        if name not in data.streams:
            found.append(np.full(data.schedule.minutes.shape, np.nan))
            continue
        count, some, _ = _middle(data.streams[name].ends)
        mean = count.sum(0) / np.maximum(some.sum(0), 1)
        found.append(np.where(some, count, mean))
    return np.stack(found)


def _usual_guesses(data: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Messages and visits by stream, the prior's level where a stream is withheld."""
    messages = _guesses(data, MESSAGES)
    usual = np.exp(_prior("message_level"))[:, None, None] * (data.panel / STANDARD_PANEL) * data.span.open_days[:, None]
    guesses = [_attended(data, mode) for mode in range(len(MODES))]
    visits = [np.where(some, count, USUALLY_FILLED * slots) for (count, some), slots in zip(guesses, data.schedule.slots, strict=True)]
    return np.where(np.isnan(messages), usual, messages), np.stack(visits)


def _service(data: Workload) -> dict[str, Look]:
    roster = data.roster
    messages, visits = _usual_guesses(data)
    inbox, inbox_weeks = _totals(data, METRICS[0])
    documentation, documentation_weeks = _totals(data, METRICS[1])
    items = np.einsum("wt,mti,wi->im", data.span.of_step, messages, inbox_weeks.astype(float))
    seen_visits = np.einsum("wt,mti,wi->i", data.span.of_step, visits, documentation_weeks.astype(float))

    def speed(sites: Sites) -> Evidence:
        expected = jnp.log(jnp.maximum(items @ jnp.exp(sites["message_minutes"]), 1e-9))
        value = np.log(np.maximum(inbox, 1e-9)) - expected - sites["vendor_factor"][roster.vendor_of]
        return Evidence(jnp.where(inbox > 0, value, 0.0), jnp.where(inbox > 0, inbox_weeks.sum(0) / NOISE**2, 0.0))

    share = items.sum(0) * np.exp(_prior("message_minutes"))
    share = share / max(share.sum(), 1e-9)
    basis = np.linalg.qr(np.column_stack([share, np.eye(len(MESSAGES))[:, 1:]]))[0]
    basis = basis * np.sign(basis[:, :1].T @ share)[0] if share.any() else np.eye(len(MESSAGES))
    usual_minutes = np.log(np.maximum(items @ np.exp(_prior("message_minutes")), 1e-9))

    def per_message(sites: Sites) -> Evidence:
        each = jnp.where(inbox > 0, inbox_weeks.sum(0) / NOISE**2, 0.0)
        above = np.log(np.maximum(inbox, 1e-9)) - usual_minutes - sites["vendor_factor"][roster.vendor_of]
        mean, weight = pool(jnp.where(inbox > 0, above, 0.0), each, np.zeros(len(inbox), int), 1, sites["sd_speed"])
        size = np.square(share).sum()
        value = _prior("message_minutes") + mean[0] * share / max(size, 1e-9)
        return Evidence(value, jnp.zeros(len(share)).at[0].set(size * weight[0]), jnp.asarray(basis))

    def own(sites: Sites) -> Evidence:
        ratio = np.log(np.maximum(documentation, 1e-9)) - np.log(np.maximum(seen_visits, 1e-9))
        value = ratio - sites["vendor_factor"][roster.vendor_of]
        known = (documentation > 0) & (seen_visits > 0)
        return Evidence(jnp.where(known, value, 0.0), jnp.where(known, documentation_weeks.sum(0) / NOISE**2, 0.0))

    _, whole_weeks = _totals(data, METRICS[2])
    every = inbox_weeks & documentation_weeks & whole_weeks
    scheduled = (data.span.of_step @ data.schedule.minutes) / STANDARD_DAY
    other = _other_minutes(data, every)
    spare = np.array([other[roster.vendor_of == vendor].sum() for vendor in range(len(roster.organisation))])

    def admin(sites: Sites) -> Evidence:
        minutes = (np.maximum(spare, 1.0) * jnp.exp(-sites["vendor_factor"])).sum()
        value = jnp.log(minutes) - np.log(max((scheduled * every).sum(), 1.0))
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


def _usable(data: Workload, begin: np.ndarray, inbox: np.ndarray, documentation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log usable time by Fisher scoring of the after-hours metric through the flow, and their information."""
    if METRICS[3] not in data.streams:
        return begin, np.zeros_like(begin)
    messages, visits = _usual_guesses(data)
    days = np.maximum(data.schedule.open_days.sum(0), 1.0)
    per_message = inbox * days / np.maximum(messages.sum((0, 1)), 1e-9)
    per_visit = documentation * days / np.maximum(visits.sum((0, 1)), 1e-9)
    each = np.exp(_prior("visit_minutes"))[:, None] + (1.0 - USUAL_OVERLAP) * per_visit
    admin = np.exp(_prior("admin_minutes")) * data.schedule.minutes / STANDARD_DAY
    work = messages.sum(0) * per_message + np.einsum("mti,mi->ti", visits, each) + admin
    load = Load(*(jnp.asarray(x) for x in (work, np.full(work.shape, DAY_SD**2), data.schedule.minutes, data.schedule.open_days)))
    stream = data.streams[METRICS[3]]
    shown, weight = np.where(stream.exact, stream.ends[..., 0], 0.0), stream.exact.astype(float)

    @jax.jit
    def weekly(x: Array) -> tuple[Array, Array]:
        habits = Habits(jnp.exp(x), jnp.full(len(begin), 0.8), jnp.array(0.5), jnp.array(0.8))
        _, path = flow(habits, load, rested(len(begin)))
        return data.span.of_step @ path.after_hours, data.span.of_step @ (jnp.square(path.share) * path.spilled_variance)

    x = jnp.asarray(begin)
    for _ in range(SCORING):
        (mean, variance), (slope, _) = jax.jvp(weekly, (x,), (jnp.ones_like(x),))
        precision = weight / (variance + jnp.square(0.05 * mean) + NEAR_ZERO**2)
        information = (precision * jnp.square(slope)).sum(0)
        x = x + jnp.clip((precision * slope * (shown - mean)).sum(0) / (information + 1.0 / 0.05**2), -0.1, 0.1)
    return np.asarray(x), np.asarray(information)


def _a_day(data: Workload, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A weekly metric by working day, and the working days of the weeks in which it is known."""
    total, weeks = _totals(data, name)
    days = (data.span.of_step @ data.schedule.open_days * weeks).sum(0)
    return total / np.maximum(days, 1.0), days


def _other_minutes(data: Workload, weeks: np.ndarray) -> np.ndarray:
    """EHR minutes less inbox and documentation, by provider, summed over weeks in which all three are known."""
    if not weeks.any():
        return np.zeros(len(data.panel))
    inbox, documentation, whole = (np.where(weeks, data.streams[name].ends[..., 0], 0.0).sum(0) for name in METRICS[:3])
    return whole - inbox - documentation


def _habits(data: Workload) -> dict[str, Look]:
    worked = data.schedule.open_days
    days = np.maximum(worked.sum(0), 1.0)
    capacity = data.schedule.minutes.sum(0) / days
    visits = _usual_guesses(data)[1].sum(1) / days
    (shown, _), (inbox, inbox_days), (documentation, documentation_days) = (_a_day(data, METRICS[i]) for i in (3, 0, 1))
    known = (shown > 0) & (inbox_days > 0) & (documentation_days > 0)
    load = (
        inbox
        + (1.0 - USUAL_OVERLAP) * documentation
        + visits.T @ np.exp(_prior("visit_minutes"))
        + np.exp(_prior("admin_minutes")) * capacity / STANDARD_DAY
    )
    # What is not cleared on one day comes back on the next, so that in the end nearly all that spills is done after hours.
    share = np.clip((load - unspill(shown)) / np.maximum(capacity, 1.0), *PLAUSIBLE)
    value, information = _usable(data, np.log(share), inbox, documentation)
    usable = seen(np.where(known, value, 0.0), np.where(known, information, 0.0))
    tlx_value, tlx_count = _survey(data)

    def trait(sites: Sites) -> Evidence:
        return Evidence(jnp.where(tlx_count > 0, tlx_value - sites["tlx_level"], 0.0), tlx_count / 0.4**2)

    return {
        "usable": usable,
        "usable_level": pooled(usable, site("sd_usable")),
        "tlx_trait": trait,
    }


def unspill(spilled: np.ndarray, sd: float = LOAD_SD) -> np.ndarray:
    """The mean load over capacity that spills so much on average: inverse of E[max(X, 0)], within a few per cent of sd."""
    ratio = spilled / sd + 1e-3
    # softplus with the slope that matches E[max(Z, 0)] = 0.399 at zero
    scale = 0.3989 / np.log(2.0)
    return sd * (ratio + scale * np.log(-np.expm1(-ratio / scale)))


def _survey(data: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Mean logit of the answers and their number."""
    if SURVEY not in data.streams:
        return np.zeros(len(data.panel)), np.zeros(len(data.panel))
    middle, some, _ = _middle(data.streams[SURVEY].ends)
    share = np.clip(middle / 100.0, 0.02, 0.98)
    logit = np.where(some, np.log(share) - np.log1p(-share), 0.0)
    count = some.sum(0)
    return logit.sum(0) / np.maximum(count, 1), count.astype(float)
