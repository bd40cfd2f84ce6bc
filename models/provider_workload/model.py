"""The provider-workload twin: demand, visits, minutes, capacity, after-hours work, perceived load, and what vendors show of them.

Reads as the equations of README.md. The likelihood is that of the counts, and of the minutes given what is known of the counts:
where access hides counts, the minutes meet their conditional mean and variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.barriers import Access, Grid
from bayestwin.barriers.released import idle
from bayestwin.barriers.selection import SiteSelection
from bayestwin.laws.expected import Counts, Measure
from bayestwin.laws.score import Score
from bayestwin.laws.trials import Trials
from bayestwin.laws.within import Moments, still_to_come, within

from .demand import Demand, demand
from .flow import Habits, Load, Path, booking, flow, rested, spill
from .priors import CV_DOCUMENTATION, CV_ITEM, CV_VISIT, NEAR_ZERO
from .workload import BOOKINGS, MESSAGES, METRICS, MODES, STANDARD_DAY, SURVEY, TURNAROUND, Steps, Stream, Workload, slow_basis

Priors = Mapping[str, dist.Distribution]
TOP = 100.0


class Service(NamedTuple):
    """Minutes that things take.

    Attributes:
        message: minutes of a message, (message, provider).
        visit: minutes of a visit with the patient, (mode,).
        documentation: minutes of a visit's documentation, (provider,).
        outside: share of documentation that is done without the patient.
        admin: other minutes per standard day.
        vendor: log of what the vendor's clock shows of a minute, (provider,).
    """

    message: Array
    visit: Array
    documentation: Array
    outside: Array
    admin: Array
    vendor: Array


class Coming(NamedTuple):
    """Chance of not showing up without a wait, and share of those waiting who give up in a day."""

    no_show: Array
    giving_up: Array


class Minutes(NamedTuple):
    """Minutes of work by step and provider, mean and variance given what is known of the counts."""

    inbox: Moments
    documentation: Moments
    admin: Array
    load: Moments


def model(data: Workload, priors: Priors) -> None:
    """Draw or condition the whole model."""
    coming = Coming(*(numpyro.sample(name, priors[name]) for name in Coming._fields))
    asked = demand(data, priors)
    messages = message_counts(data, priors, asked)
    visits, queue = visit_counts(data, asked, coming)
    time = service(data, priors)
    spent = minutes(time, messages, visits, data.schedule.minutes)
    habits = sample_habits(data, priors)
    load = Load(spent.load.mean, spent.load.variance, jnp.asarray(data.schedule.minutes), jnp.asarray(data.schedule.open_days))
    last, path = flow(habits, load, rested(len(data.roster.provider)))
    metrics(data, priors, time, spent, path)
    survey(data, priors, path)
    for name, value in {
        "backlog_end": last.backlog,
        "backlog_end_sd": jnp.sqrt(last.variance),
        "fatigue_end": last.fatigue,
        "waiting_end": queue,
    }.items():
        numpyro.deterministic(name, value)
    record_weeks(data, asked, visits, spent, path)


def released(name: str, law: Counts | Trials | Measure | Score, stream: Stream) -> dict[str, dict[str, Array]]:
    """Condition on what was released of a stream; returns the unknowns of its barriers."""
    unknowns = stream.access.unknowns(stream.grid, f"{name}_")
    numpyro.sample(name, stream.access.likelihood(law, stream.grid, unknowns), obs=stream.ends, infer=idle(stream.idle))
    return unknowns


def message_counts(data: Workload, priors: Priors, asked: Demand) -> list[Moments]:
    """Counts of messages: their likelihood, and what they are given what was released."""
    concentration = numpyro.sample("concentration", priors["concentration"])
    found = []
    for name, mean, k in zip(MESSAGES, asked.messages, concentration, strict=True):
        law = Counts(mean, k * data.span.alike)
        if name not in data.streams:
            found.append(Moments(mean, mean + jnp.square(mean) / law.concentration))
            continue
        stream = data.streams[name]
        reported = stream.access.expect(law, stream.grid, released(name, law, stream))
        found.append(still_to_come(counted(reported, stream), law, reported.mean / mean))
    return found


def counted(law: Counts | Trials, stream: Stream) -> Moments:
    """What is known of counts given what was released of them."""
    found = within(law, stream.ends)
    if not stream.as_expected:
        return found
    shown = stream.access.present(stream.grid)
    return Moments(jnp.where(shown, found.mean, jax.lax.stop_gradient(found.mean)), jnp.where(shown, found.variance, 0.0))


def visit_counts(data: Workload, asked: Demand, coming: Coming) -> tuple[list[Moments], Array]:
    """Attended visits of the slots offered, and the requests waiting at the end, (mode, provider)."""
    slots = data.schedule.slots
    # Both modes in one loop over steps: (step, mode, provider).
    asked_for, offered = asked.requests.swapaxes(0, 1), slots.swapaxes(0, 1)
    waiting, seen = booking(asked_for, jnp.asarray(offered), jnp.asarray(data.span.length), *coming, jnp.zeros(offered.shape[1:]))
    found = []
    for mode, name in enumerate(MODES):
        fill, bookings = seen.fill[:, mode], data.streams.get(BOOKINGS[mode])
        if bookings is not None:
            released(BOOKINGS[mode], Trials(np.round(slots[mode]), fill), bookings)
        law = attended(slots[mode], fill, 1.0 - seen.no_show[:, mode], bookings)
        if name in data.streams:
            released(name, law, data.streams[name])
            found.append(counted(law, data.streams[name]))
        else:
            found.append(Moments(law.mean, law.variance))
    return found, waiting


def attended(slots: np.ndarray, fill: Array, comes: Array, bookings: Stream | None) -> Trials:
    """Law of attended visits: slots that are booked by someone who comes; of bookings where they are known.

    Args:
        slots: offered, (step, provider).
        fill: chance that a slot is booked.
        comes: chance that who booked it comes.
        bookings: known ones, if any.
    """
    if bookings is None:
        return Trials(np.round(slots), fill * comes)
    known = bookings.exact
    return Trials(np.where(known, np.where(known, bookings.ends[..., 0], 0.0), np.round(slots)), jnp.where(known, comes, fill * comes))


def service(data: Workload, priors: Priors) -> Service:
    """Draw what things take: by stream, provider and clinic."""
    roster = data.roster
    visit = numpyro.sample("visit_minutes", priors["visit_minutes"])
    vendor = numpyro.sample("vendor_factor", dist.Normal(*_parameters(priors["vendor_factor"], len(roster.organisation))))
    overlap, admin = (numpyro.sample(name, priors[name]) for name in ("overlap", "admin_minutes"))
    sd_speed = numpyro.sample("sd_speed", priors["sd_speed"])
    per_item = numpyro.sample("message_minutes", priors["message_minutes"])
    speed = numpyro.sample("speed", dist.Normal(jnp.zeros(len(roster.provider)), sd_speed))
    spread = [numpyro.sample(name, priors[name]) for name in ("sd_documentation_clinic", "sd_documentation")]
    level = numpyro.sample("documentation_level", priors["documentation_level"])
    clinic = numpyro.sample("clinic_documentation", dist.Normal(jnp.repeat(level, len(roster.clinic)), spread[0]))
    documentation = numpyro.sample("documentation", dist.Normal(clinic[roster.clinic_of], spread[1]))
    return Service(
        jnp.exp(per_item[:, None] + speed), jnp.exp(visit), jnp.exp(documentation), 1.0 - overlap, jnp.exp(admin), vendor[roster.vendor_of]
    )


def _parameters(prior: dist.Normal, size: int) -> tuple[Array, Array]:
    return jnp.repeat(prior.loc, size), prior.scale


def minutes(time: Service, messages: list[Moments], visits: list[Moments], scheduled: Array) -> Minutes:
    """Minutes of work, given what is known of the counts.

    Args:
        time: what things take.
        messages: counts of messages by stream, each (step, provider).
        visits: attended visits by mode, each (step, provider).
        scheduled: scheduled minutes, (step, provider).
    """
    inbox = Moments(
        sum(t * n.mean for t, n in zip(time.message, messages, strict=True)),
        sum(jnp.square(t) * (CV_ITEM**2 * n.mean + n.variance) for t, n in zip(time.message, messages, strict=True)),
    )
    seen = Moments(sum(v.mean for v in visits), sum(v.variance for v in visits))
    own = jnp.square(time.documentation)
    documentation = Moments(time.documentation * seen.mean, own * (CV_DOCUMENTATION**2 * seen.mean + seen.variance))
    admin = time.admin * scheduled / STANDARD_DAY
    each = [t + time.outside * time.documentation for t in time.visit]
    items = sum(
        (jnp.square(t) * CV_VISIT**2 + jnp.square(time.outside) * own * CV_DOCUMENTATION**2) * v.mean
        for t, v in zip(time.visit, visits, strict=True)
    )
    counts = sum(jnp.square(e) * v.variance for e, v in zip(each, visits, strict=True))
    load = inbox.mean + sum(e * v.mean for e, v in zip(each, visits, strict=True)) + admin
    return Minutes(inbox, documentation, admin, Moments(load, inbox.variance + items + counts))


def sample_habits(data: Workload, priors: Priors) -> Habits:
    """Draw how providers use their time."""
    providers = len(data.roster.provider)

    def each(name: str) -> Array:
        spread, level = (numpyro.sample(part, priors[part]) for part in (f"sd_{name}", f"{name}_level"))
        return numpyro.sample(name, dist.Normal(jnp.repeat(level, providers), spread))

    cleared = jax.nn.sigmoid(each("cleared"))
    usable = jnp.exp(each("usable"))
    return Habits(usable, cleared, *(numpyro.sample(name, priors[name]) for name in ("cleared_off", "memory")))


def drift(data: Workload, priors: Priors) -> Float[Array, "week clinic"]:
    """Slow departure of a clinic's metrics from the model, never carried beyond the data.

    It averages to zero over the span, is bounded by its sd, and has half waves of four weeks or more.
    """
    basis = slow_basis(len(data.span.weeks))
    spread = numpyro.sample("sd_drift", priors["sd_drift"])
    coefficient = numpyro.sample("drift_coefficient", dist.Normal(jnp.zeros((len(basis), len(data.roster.clinic))), spread))
    return numpyro.deterministic("drift", basis.T @ coefficient)


class Metric(NamedTuple):
    """A weekly metric on a clock that runs true, in minutes: its variance, what was published beyond its mean (zero where unknown), and where."""

    variance: Array
    surplus: Array
    seen: np.ndarray


def metrics(data: Workload, priors: Priors, time: Service, spent: Minutes, path: Path) -> None:
    """Weekly vendor metrics. Minutes that two metrics share are counted once: each is given those before it."""
    by_week = data.span.by_week
    factor = time.vendor + drift(data, priors)[:, data.roster.clinic_of]
    noise = jnp.square(numpyro.sample("metric_noise", priors["metric_noise"]))
    inbox, documentation = (Moments(by_week(part.mean), by_week(part.variance)) for part in (spent.inbox, spent.documentation))
    both = [log_metric(data, METRICS[i], week, factor, noise[i]) for i, week in enumerate((inbox, documentation))]
    whole = by_week(spent.inbox.mean + spent.documentation.mean + spent.admin)
    work = given(
        Moments(whole, inbox.variance + documentation.variance), list(zip(both, (inbox.variance, documentation.variance), strict=True))
    )
    log_metric(data, METRICS[2], work, factor, noise[2])
    evenings = after_hours_metric(data, time, spent, path, factor, noise[3], both)
    turnaround(data, priors, path, evenings)


def log_metric(data: Workload, name: str, week: Moments, factor: Array, noise: Array) -> Metric:
    """A metric of one kind of work: condition on it, and tell what it says beyond its expectation."""
    mean = week.mean + 1e-3
    variance = jnp.log1p(week.variance / jnp.square(mean)) + noise
    in_minutes = jnp.square(mean) * jnp.expm1(variance)
    if name not in data.streams:
        return Metric(in_minutes, jnp.zeros_like(mean), np.zeros(mean.shape, bool))
    stream = data.streams[name]
    released(name, Measure(jnp.log(mean) + factor - 0.5 * variance, jnp.sqrt(variance), positive=True), stream)
    published, seen = shown(stream, mean * jnp.exp(factor))
    return Metric(in_minutes, jnp.where(seen, published * jnp.exp(-factor) - mean, 0.0), seen)


def shown(stream: Stream, expected: Array) -> tuple[Array | np.ndarray, np.ndarray]:
    """What is published of a metric, and where; if asked for, also what no access shows, as is expected."""
    published = np.where(stream.exact, stream.ends[..., 0], 0.0)
    if not stream.as_expected:
        return published, stream.exact
    absent = ~stream.access.present(stream.grid) & ~np.asarray(stream.idle)
    return jnp.where(absent, jax.lax.stop_gradient(expected), published), stream.exact | absent


def given(quantity: Moments, parts: list[tuple[Metric, Array]]) -> Moments:
    """Moments of a quantity given what independent metrics said beyond their expectation.

    In minutes, where minutes add up: what is left of the variance is then never negative, however much of the quantity metrics show.

    Args:
        quantity: its moments without them.
        parts: each metric, and its covariance with the quantity.
    """
    mean, variance = quantity
    for metric, covariance in parts:
        slope = jnp.where(metric.seen, covariance / metric.variance, 0.0)
        mean, variance = mean + slope * metric.surplus, variance - slope * covariance
    return Moments(mean, jnp.maximum(variance, 0.0))


def after_hours_metric(
    data: Workload, time: Service, spent: Minutes, path: Path, factor: Array, noise: Array, both: list[Metric]
) -> Metric | None:
    """After-hours minutes as the vendor defines them: the shoulder of scheduled time is left out on working days."""
    if METRICS[3] not in data.streams:
        return None
    by_week = data.span.by_week
    mean, variance, chance = shown_after_hours(data, path)
    reach = path.share * chance
    shared = (spent.inbox.variance, time.outside * spent.documentation.variance)
    covariances = [by_week(reach * v) for v in shared]
    loc, variance = given(Moments(mean, variance), list(zip(both, covariances, strict=True)))
    scale = jnp.exp(factor)
    sd = jnp.sqrt(jnp.square(scale) * (variance + noise * jnp.square(mean)) + NEAR_ZERO**2)
    stream = data.streams[METRICS[3]]
    released(METRICS[3], Measure(scale * loc, sd), stream)
    published, seen = shown(stream, scale * loc)
    return Metric(jnp.square(sd / scale), jnp.where(seen, published / scale - loc, 0.0), seen)


def shown_after_hours(data: Workload, path: Path) -> tuple[Array, Array, Array]:
    """Mean and variance of a week's after-hours minutes beyond its vendor's shoulder, and each step's chance that there are any."""
    by_week = data.span.by_week
    shoulder = np.where(data.schedule.open_days > 0, data.shoulder[data.roster.vendor_of], 0.0)
    over = spill(path.margin - shoulder / path.share, path.sd)
    daily = path.share * path.days
    own = path.share * daily * over.variance
    carried = (1.0 - path.share[:-1]) * own[:-1] * over.chance[1:] * path.share[1:] / path.share[:-1]
    return by_week(daily * over.mean), by_week(own + 2.0 * jnp.pad(carried, ((0, 1), (0, 0)))), over.chance


def carried_over(span: Steps, path: Path) -> tuple[Moments, Array]:
    """A week's minute-days of backlog, and their covariance with its after-hours minutes: both are parts of one spill."""
    by_week, length = span.by_week, span.length[:, None]
    left, chance = 1.0 - path.share, spill(path.margin, path.sd).chance
    own = jnp.square(left) * path.spilled_variance
    passed_on = left[1:] * chance[1:] * own[:-1] * length[1:] * length[:-1]
    variance = by_week(jnp.square(length) * own + 2.0 * jnp.pad(passed_on, ((1, 0), (0, 0))))
    return Moments(by_week(length * path.backlog), variance), by_week(length * left * path.share * path.spilled_variance)


def turnaround(data: Workload, priors: Priors, path: Path, evenings: Metric | None) -> None:
    """Mean days until a message is done: a prompt part, and the wait for what was carried over to be worked off in scheduled time.

    The wait is given the after-hours metric, which shows of the spill what was not carried over.

    Source: Asmussen (2003), Applied Probability and Queues, for the wait as work in the system over the rate at which it is done.
    """
    prompt, noise = (numpyro.sample(name, priors[name]) for name in ("turnaround_prompt", "turnaround_noise"))
    if TURNAROUND not in data.streams:
        return
    carried, covariance = carried_over(data.span, path)
    if evenings is not None:
        carried = given(carried, [(evenings, covariance)])
    done = data.span.by_week(path.capacity) + 1e-3
    mean = prompt + jnp.maximum(carried.mean, 0.0) / done
    variance = jnp.log1p(carried.variance / jnp.square(done * mean)) + jnp.square(noise)
    law = Measure(jnp.log(mean) - 0.5 * variance, jnp.sqrt(variance), positive=True)
    released(TURNAROUND, law, data.streams[TURNAROUND])


def survey(data: Workload, priors: Priors, path: Path) -> None:
    """Perceived load: follows fatigue at the week's end; who answers may depend on who feels loaded."""
    level, slope, spread, noise = (numpyro.sample(name, priors[name]) for name in ("tlx_level", "tlx_slope", "sd_tlx", "tlx_noise"))
    trait = numpyro.sample("tlx_trait", dist.Normal(jnp.zeros(len(data.roster.provider)), spread))
    loc = level + slope * (path.fatigue[data.span.ends] - 1.0) + trait
    numpyro.deterministic("week_tlx", TOP * jax.nn.sigmoid(loc))
    if SURVEY not in data.streams:
        return
    stream = data.streams[SURVEY]
    unknowns = released(SURVEY, Score(loc, noise, TOP), stream)
    for barrier in stream.access.absences:
        if isinstance(barrier, SiteSelection):
            law = barrier.takes_part(stream.grid, unknowns[barrier.title], trait / spread)
            people = Grid({"provider": data.roster.provider})
            answered = barrier.took_part(stream.grid).astype(float)
            numpyro.sample(
                "response", Access().likelihood(Trials(np.ones(len(answered)), law.probs), people), obs=np.stack([answered, answered], -1)
            )


def record_weeks(data: Workload, asked: Demand, visits: list[Moments], spent: Minutes, path: Path) -> None:
    """Weekly quantities of the observed span, (week, provider), for the fitted table."""
    by_week = data.span.by_week
    spilled = jnp.square(path.share) * path.spilled_variance
    weeks = {
        "week_after_hours": by_week(path.after_hours),
        "week_after_hours_sd": jnp.sqrt(by_week(spilled)),
        "week_backlog": path.backlog[data.span.ends],
        "week_messages": by_week(asked.messages.sum(0)),
        "week_visits": by_week(sum(v.mean for v in visits)),
        "week_inbox": by_week(spent.inbox.mean),
        "week_utilisation": by_week(path.utilisation * data.schedule.open_days) / np.maximum(by_week(data.schedule.open_days), 1.0),
    }
    for name, value in weeks.items():
        numpyro.deterministic(name, value)
