"""Demand: panel and patient mix, organisation, clinic and provider, calendar, season, growth, weeks that resemble the last.

Every level is sampled as what the data see of it: a provider's mean log rate over the span, of which the calendar, season and weeks
are part. The ridge between a level and the mean of what varies in time never arises; the change of variables has Jacobian one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.components.trend import cosine_basis

from .priors import USUAL_CLOSED
from .workload import CLOSED, MESSAGES, MODES, STANDARD_PANEL, YEAR, Steps, Workload

Priors = Mapping[str, dist.Distribution]
HARMONICS = np.array([1.0, 1.0, 0.5, 0.5])  # sd of the annual and half-annual waves, in amplitudes


class Demand(NamedTuple):
    """Expected demand of the observed span.

    Attributes:
        messages: expected messages, (message, step, provider).
        requests: expected requests for visits, (mode, step, provider).
    """

    messages: Float[Array, "message step provider"]
    requests: Float[Array, "mode step provider"]


class Rhythm(NamedTuple):
    """What varies in time alike for all providers, on the log scale.

    Attributes:
        messages: (message, step), the step's length in working-day equivalents included.
        visits: (step,), log of working days.
    """

    messages: Float[Array, "message step"]
    visits: Float[Array, " step"]


class Calendar(NamedTuple):
    """Effects of kinds of day and of the year, for one draw."""

    weekday_effect: Array
    calls_monday: Array
    closed_effect: Array
    after_closure: Array
    season: Array
    growth: Array


def rhythm(calendar: Calendar, span: Steps, origin: np.datetime64) -> Rhythm:
    """What the calendar, the season and growth make of each step.

    Args:
        calendar: effects.
        span: days and steps.
        origin: day from which growth counts.
    """
    by_kind = jnp.concatenate([calendar.weekday_effect, calendar.closed_effect[None]])
    monday_calls = calendar.calls_monday * (span.kind == 0)
    waves, years = yearly_by_day(span, origin)
    season = waves @ calendar.season
    common = by_kind[span.kind] + calendar.after_closure * span.closure + season + calendar.growth * years
    days = jnp.stack([common + (monday_calls if name == "calls" else 0.0) for name in MESSAGES])
    open_days = span.by_step((span.kind < CLOSED) * jnp.exp(season))
    return Rhythm(jnp.log(span.by_step(jnp.exp(days))), jnp.log(jnp.maximum(open_days, 1e-6)))


def yearly_by_day(span: Steps, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """Annual and half-annual waves (day, harmonic), and years since an origin (day,)."""
    years = (span.days - origin).astype(float) / YEAR
    angle = 2.0 * np.pi * (span.days - span.days.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / YEAR
    return np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], axis=1), years


def yearly(span: Steps, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """The same by week: means over its days."""
    return tuple(part.reshape(len(span.weeks), 7, -1).mean(1).squeeze() for part in yearly_by_day(span, origin))


def memory_spectrum(memory: Array, weeks: int) -> Float[Array, " frequency"]:
    """Variance of each cosine coefficient of a unit-variance series of which a share `memory` is left after a week.

    It is the spectrum of an AR(1) series at the cosines' frequencies, where 2 - 2 cos ω is the walk's eigenvalue.
    """
    _, eigenvalues = cosine_basis(weeks)
    return (1.0 - jnp.square(memory)) / (jnp.square(1.0 - memory) + memory * eigenvalues)


def usual_weights(span: Steps) -> np.ndarray:
    """Weight of each step in a provider's mean log rate, (step,), sums to one."""
    weight = span.by_step(np.where(span.kind < CLOSED, 1.0, USUAL_CLOSED))
    return weight / weight.sum()


def mix_effect(mix: np.ndarray, age: Array, multimorbid: Array, portal: Array) -> tuple[Array, Array]:
    """Log demand of a panel against as many patients of the reference group, from margins alone.

    Args:
        mix: share of each of `workload.GROUPS`, (provider, group); age, disease and portal are taken to be independent.
        age: effects of the two older groups.
        multimorbid: effect of several conditions.
        portal: effect of using the portal.

    Returns:
        (provider, message) and (provider, mode).
    """
    by_age = jnp.log(mix[:, 0] + mix[:, 1:3] @ jnp.exp(age))
    by_disease = jnp.log1p(mix[:, 3] * jnp.expm1(multimorbid))
    advice = jnp.log1p(mix[:, 4] * jnp.expm1(portal))
    common = by_age + by_disease
    messages = [common + (advice if name == "advice" else 0.0) for name in MESSAGES]
    return jnp.stack(messages, axis=1), jnp.stack([common] * len(MODES), axis=1)


def typical_mix(mix: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """The panel that levels of demand refer to: all patients of the study together, (1, group)."""
    return (mix * panel[:, None]).sum(0, keepdims=True) / panel.sum()


def sample_calendar(priors: Priors) -> Calendar:
    """Draw the calendar's effects."""
    amplitude = numpyro.sample("season_amplitude", priors["season_amplitude"])
    season = numpyro.sample("season", dist.Normal(jnp.zeros(len(HARMONICS)), amplitude * HARMONICS))
    return Calendar(season=season, **{name: numpyro.sample(name, priors[name]) for name in Calendar._fields if name != "season"})


def demand(data: Workload, priors: Priors) -> Demand:
    """Draw demand: levels, mix, places, persons and time."""
    span, roster = data.span, data.roster
    common_time = rhythm(sample_calendar(priors), span, span.days[0])
    weeks = weekly(data, priors)
    mix = [numpyro.sample(name, priors[name]) for name in ("age_effect", "multimorbid_effect", "portal_effect")]
    offset = [
        own - usual for own, usual in zip(mix_effect(data.mix, *mix), mix_effect(typical_mix(data.mix, data.panel), *mix), strict=True)
    ]
    size = np.log(data.panel / STANDARD_PANEL)[:, None]
    weight = usual_weights(span)
    in_time = common_time.messages[:, :, None] + weeks[span.week]  # message, step, provider
    shared_mean = common_time.messages @ weight
    correlation = numpyro.sample("correlation", priors["correlation"])
    sd_organisation = numpyro.sample("sd_organisation", priors["sd_organisation"])
    sd_clinic = numpyro.sample("sd_clinic", priors["sd_clinic"])
    spread = {name: numpyro.sample(f"sd_{name}s", priors[f"sd_{name}s"]) for name in ("message", "visit")}
    person = numpyro.sample("provider_common", dist.Normal(jnp.zeros(len(roster.provider)), 1.0))
    open_time = common_time.visits - np.log(np.maximum(span.open_days, 1e-6))
    # What of a provider's shift others share is told to the looks at clinics; the provider's own part would tie clinics to all of them.
    shared = {"message": offset[0] + size + shared_mean, "visit": offset[1] + size + (open_time @ weight)}
    own = {name: numpyro.deterministic(f"{name}_own_sd", sd * jnp.sqrt(1.0 - correlation)) for name, sd in spread.items()}
    shift = {
        name: numpyro.deterministic(f"{name}_shift", shared[name]) + sd * jnp.sqrt(correlation) * person[:, None]
        for name, sd in spread.items()
    }
    level = {name: numpyro.sample(f"{name}_level", priors[f"{name}_level"]) for name in spread}
    organisation = numpyro.sample("organisation_effect", dist.Normal(jnp.zeros(len(roster.organisation)), sd_organisation))

    def of_providers(name: str) -> Array:
        place = level[name] + organisation[roster.organisation_of][:, None]
        clinic = numpyro.sample(f"clinic_{name}s", dist.Normal(place, sd_clinic))
        return numpyro.sample(f"provider_{name}s", dist.Normal(clinic[roster.clinic_of] + shift[name], own[name]))

    messages, visits = of_providers("message"), of_providers("visit")
    base = numpyro.deterministic("message_base", messages - shared_mean)
    visit_base = numpyro.deterministic("visit_base", visits - open_time @ weight)
    return Demand(jnp.exp(base.T[:, None] + in_time), jnp.exp(visit_base.T[:, None] + common_time.visits[:, None]))


def weekly(data: Workload, priors: Priors) -> Float[Array, "week provider"]:
    """Draw a walk that all messages share, and each provider's weeks about it."""
    count = len(data.span.weeks)
    spread, memory, step = (numpyro.sample(name, priors[name]) for name in ("sd_week", "week_memory", "walk"))
    coefficient = numpyro.sample("walk_coefficient", dist.Normal(jnp.zeros(count - 1), step / np.sqrt(cosine_basis(count)[1])))
    sd = spread * jnp.sqrt(memory_spectrum(memory, count))[:, None]
    by_provider = numpyro.sample(
        "week_coefficient", dist.Normal(jnp.broadcast_to(coefficient[:, None], (count - 1, len(data.roster.provider))), sd)
    )
    basis = cosine_basis(count)[0]
    walk, weeks = basis.T @ coefficient, basis.T @ by_provider
    numpyro.deterministic("last_walk", walk[-1])
    numpyro.deterministic("last_week_effect", weeks[-1] - walk[-1])
    return weeks


def expected_demand(data: Workload, draw: Mapping[str, np.ndarray]) -> Demand:
    """Expected demand of the observed span for one draw of all sites.

    Args:
        data: the observed workload.
        draw: sites of one draw.
    """
    in_time = rhythm(Calendar(**{name: jnp.asarray(draw[name]) for name in Calendar._fields}), data.span, data.span.days[0])
    basis = cosine_basis(len(data.span.weeks))[0]
    weeks = basis.T @ draw["week_coefficient"]
    log_messages = draw["message_base"].T[:, None] + in_time.messages[:, :, None] + weeks[data.span.week]
    return Demand(jnp.exp(log_messages), jnp.exp(draw["visit_base"].T[:, None] + in_time.visits[:, None]))
