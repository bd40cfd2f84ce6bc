"""What the posterior says about weeks: those observed and those ahead, one posterior draw at a time and many draws of chance."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from bayestwin.components.chance import normals

from .clinic import Events, People, Start, happen
from .demand import Calendar, mix_effect, rhythm, typical_mix
from .model import TOP
from .span import Span
from .workload import STANDARD_PANEL, Workload

Draw = Mapping[str, np.ndarray]
EACH_PROVIDER = ("speed", "documentation", "usable", "cleared", "tlx_trait", "message_base", "visit_base", "backlog_end", "backlog_end_sd", "fatigue_end", "last_week_effect")  # fmt: skip
NEW_SEED = 20_24  # persons nobody has observed are drawn anew for each posterior draw, the same in every answer


def per_draw(data: Workload, draws: Draw, span: Span) -> dict[str, np.ndarray]:
    """What a posterior draw implies before any chance: computed for all draws at once.

    Args:
        data: the observed workload.
        draws: posterior sites, leading axis draw.
        span: weeks to answer for.

    Returns:
        The sites, those of each provider extended to units that nobody has observed; for weeks ahead `log_rhythm` (message,
        step) and `log_open` (step).
    """
    if not span.ahead:
        return dict(draws)
    wide = {**draws, **_with_new(data, draws, span)}
    calendar = Calendar(**{name: jnp.asarray(draws[name]) for name in Calendar._fields})
    messages, visits = jax.jit(jax.vmap(lambda c: tuple(rhythm(c, span.calendar, data.span.days[0]))))(calendar)
    changed = np.log(span.panel / np.append(data.panel, span.panel[len(data.panel) :]))
    return {
        **wide,
        "message_base": wide["message_base"] + changed[:, None],
        "visit_base": wide["visit_base"] + changed[:, None],
        "log_rhythm": np.asarray(messages),
        "log_open": np.asarray(visits),
    }


def _with_new(data: Workload, draws: Draw, span: Span) -> dict[str, np.ndarray]:
    """Sites of each provider with those of new ones after them: drawn from clinic and organisation."""
    new = np.arange(len(data.roster.provider), len(span.units))
    if not new.size:
        return {}
    rng = np.random.default_rng(NEW_SEED)
    count, clinics = len(draws["sd_speed"]), len(data.roster.clinic)
    normal = rng.standard_normal
    clinic = span.roster.clinic_of[new]
    unseen = clinic >= clinics
    place = np.minimum(clinic, clinics - 1)
    organisation = span.roster.organisation_of[clinic]
    fresh = normal((count, max(len(span.roster.clinic) - clinics, 1), 6))[:, np.maximum(clinic - clinics, 0)]

    def of_clinic(known: np.ndarray, level: np.ndarray, spread: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.where(unseen[:, None], level + spread[:, None, None] * noise, known[:, place])

    by_organisation = draws["organisation_effect"][:, organisation][..., None]
    person = normal((count, len(new)))[..., None]
    mix = [jnp.asarray(draws[name]) for name in ("age_effect", "multimorbid_effect", "portal_effect")]
    usual = typical_mix(data.mix, data.panel)

    def offsets(age: jax.Array, multimorbid: jax.Array, portal: jax.Array) -> tuple[jax.Array, jax.Array]:
        own, typical = mix_effect(span.mix[new], age, multimorbid, portal), mix_effect(usual, age, multimorbid, portal)
        return own[0] - typical[0], own[1] - typical[1]

    by_mix = [np.asarray(part) for part in jax.jit(jax.vmap(offsets))(*mix)]
    size = np.log(span.panel[new] / STANDARD_PANEL)[:, None]

    def base(name: str, offset: np.ndarray, noise: np.ndarray) -> np.ndarray:
        level = draws[f"{name}_level"][:, None] + by_organisation
        spread, share = draws[f"sd_{name}s"][:, None], draws["correlation"][:, None, None]
        own = np.sqrt(share) * person + np.sqrt(1.0 - share) * normal((count, len(new), spread.shape[-1]))
        return of_clinic(draws[f"clinic_{name}s"], level, draws["sd_clinic"], noise) + offset + size + spread * own

    level = draws["documentation_level"][:, None, None]
    written = of_clinic(draws["clinic_documentation"][..., None], level, draws["sd_documentation_clinic"], normal((count, len(new), 1)))[
        ..., 0
    ]

    def each(name: str, level: np.ndarray | float = 0.0) -> np.ndarray:
        return level + draws[f"sd_{name}"][:, None] * normal((count, len(new)))

    zeros = np.zeros((count, len(new)))
    made = {
        "message_base": base("message", by_mix[0], fresh[..., :4]),
        "visit_base": base("visit", by_mix[1], fresh[..., 4:]),
        "speed": each("speed"),
        "documentation": written + draws["sd_documentation"][:, None] * normal((count, len(new))),
        "usable": each("usable", draws["usable_level"][:, None]),
        "cleared": each("cleared", draws["cleared_level"][:, None]),
        "tlx_trait": each("tlx"),
        "last_week_effect": each("week"),
        "backlog_end": zeros,
        "backlog_end_sd": zeros,
        "fatigue_end": zeros + 1.0,
    }
    both = {name: np.concatenate([draws[name], made[name]], axis=1) for name in EACH_PROVIDER}
    waiting = np.zeros((*draws["waiting_end"].shape[:2], len(new)))
    return both | {"waiting_end": np.concatenate([draws["waiting_end"], waiting], axis=2)}


def people(draw: Draw) -> People:
    """What providers are like, for one draw."""
    return People(
        message_minutes=np.exp(draw["message_minutes"][:, None] + draw["speed"]),
        visit_minutes=np.exp(draw["visit_minutes"]),
        documentation=np.exp(draw["documentation"]),
        outside=1.0 - draw["overlap"],
        admin=np.exp(draw["admin_minutes"]),
        usable=np.exp(draw["usable"]),
        cleared=_share(draw["cleared"]),
        cleared_off=draw["cleared_off"],
        memory=draw["memory"],
        no_show=draw["no_show"],
        giving_up=draw["giving_up"],
    )


def _share(logit: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logit))


def weeks_ahead(rng: np.random.Generator, draw: Draw, weeks: int, inner: int) -> np.ndarray:
    """Log departures of the weeks ahead: the common walk goes on, each provider's weeks resemble the last, (inner, week, unit)."""
    walk = draw["last_walk"] + np.cumsum(draw["walk"] * rng.standard_normal((inner, weeks, 1)), axis=1)
    memory, spread = draw["week_memory"], draw["sd_week"]
    noise = spread * np.sqrt(1.0 - memory**2) * normals(rng, inner, weeks, len(draw["speed"]))
    own = np.zeros_like(noise)
    before = np.broadcast_to(draw["last_week_effect"], noise[:, 0].shape)
    for week in range(weeks):
        before = memory * before + noise[:, week]
        own[:, week] = before
    return walk + own


def expected_messages(span: Span, draw: Draw, by_week: np.ndarray) -> np.ndarray:
    """Expected messages, (message, inner, step, unit); those of units who are away go to the clinic's others by scheduled time, if there are any."""
    log_rate = draw["log_rhythm"][:, None, :, None] + by_week[:, span.calendar.week] + draw["message_base"].T[:, None, None, :]
    mean = np.exp(log_rate) * span.messages[:, None]
    if not span.away.any():
        return mean
    clinic = np.eye(len(span.roster.clinic))[span.roster.clinic_of]
    present = np.where(span.away, 0.0, span.schedule.minutes.sum(0))
    total = present @ clinic
    share = present / np.maximum(total[:, span.roster.clinic_of], 1e-9)
    handed = span.away & (total[:, span.roster.clinic_of] > 0)  # where nobody is left, messages wait for who is away
    left = np.where(handed, mean, 0.0) @ clinic
    return np.where(handed, 0.0, mean) + left[..., span.roster.clinic_of] * share


def draw_span(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> dict[str, np.ndarray]:
    """Inner draws of every quantity for one posterior draw, each (inner, week, unit).

    Args:
        data: the observed workload.
        span: weeks to answer for.
        draw: one posterior draw from `per_draw`.
        rng: random generator.
        inner: inner draws.
    """
    if not span.ahead:
        return _fitted(draw, rng, inner)
    of_events, of_surveys = rng.spawn(2)
    return by_week(span, draw, events(data, span, draw, of_events, inner), of_surveys)


def events(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> Events:
    """Draw what happens in a span of weeks ahead."""
    of_weeks, of_backlog, of_clinic = rng.spawn(3)
    weekly = weeks_ahead(of_weeks, draw, len(span.weeks), inner)
    backlog = np.maximum(draw["backlog_end"] + draw["backlog_end_sd"] * normals(of_backlog, inner, len(span.units)), 0.0)
    start = Start(backlog, draw["fatigue_end"], draw["waiting_end"])
    requests = np.exp(draw["visit_base"].T[:, None] + draw["log_open"][:, None]) * span.requests
    concentration = draw["concentration"] * span.calendar.alike
    return happen(
        people(draw), expected_messages(span, draw, weekly), concentration, requests, span.schedule, span.calendar.length, start, of_clinic
    )


def by_week(span: Span, draw: Draw, happened: Events, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weekly quantities of what happened."""
    in_week = span.calendar.of_step
    fatigue = happened.fatigue[:, span.calendar.ends]
    logit = draw["tlx_level"] + draw["tlx_slope"] * (fatigue - 1.0) + draw["tlx_trait"]
    return {
        "after_hours_minutes": _summed(in_week, happened.after_hours),
        "inbox_minutes": _summed(in_week, happened.inbox),
        "backlog_minutes": happened.backlog[:, span.calendar.ends],
        "messages": _summed(in_week, happened.messages.sum(0)),
        "visits": _summed(in_week, happened.visits.sum(0)),
        "tlx": TOP * _share(logit + draw["tlx_noise"] * normals(rng, *logit.shape)),
    }


def _summed(in_week: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.einsum("wt,nti->nwi", in_week, values)


def _fitted(draw: Draw, rng: np.random.Generator, inner: int) -> dict[str, np.ndarray]:
    """The observed weeks: states as the posterior has them, with the chance that is left given the data."""
    shape = (inner, *draw["week_after_hours"].shape)
    tlx = np.log(draw["week_tlx"] / (TOP - draw["week_tlx"]))
    return {
        "after_hours_minutes": np.maximum(draw["week_after_hours"] + draw["week_after_hours_sd"] * rng.standard_normal(shape), 0.0),
        "inbox_minutes": np.broadcast_to(draw["week_inbox"], shape),
        "backlog_minutes": np.broadcast_to(draw["week_backlog"], shape),
        "messages": rng.poisson(np.broadcast_to(draw["week_messages"], shape)).astype(float),
        "visits": np.broadcast_to(draw["week_visits"], shape),
        "tlx": TOP * _share(tlx + draw["tlx_noise"] * rng.standard_normal(shape)),
    }
