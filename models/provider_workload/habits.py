"""A first look at how providers use their time: usable minutes, and the share of what spills that they do after hours.

Fisher scoring through the flow. What is done after hours and what is carried on are parts of one spill; the after-hours metric shows the
one, the turnaround of messages the other, and both together how it is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bayestwin.components.hierarchy import Sites, pooled
from bayestwin.components.informed import Evidence, Look, seen, site

from .flow import Habits, Load, flow, rested
from .guess import Guess, totals
from .model import carried_over, shown_after_hours
from .priors import NEAR_ZERO, first_parameter
from .workload import METRICS, STANDARD_DAY, TURNAROUND, Workload

USUAL_OVERLAP = 0.35
USUAL_CLEARED_OFF, USUAL_MEMORY = 0.5, 0.8
PLAUSIBLE = (0.5, 1.05)  # usable shares to begin with
DAY_SD = 40.0  # minutes: a day's work about what its counts say
LOAD_SD = 90.0  # minutes: a working day's load about its mean
LEAST_PROMPT = 0.05  # days
LEAST_SHARE = 0.2  # of a day's load that fits into it
UNSEEN = 1e12  # variance of what was not published

SCORING = 10  # steps
HOLD = np.array([first_parameter(name) ** -2.0 for name in ("sd_usable", "sd_cleared")])  # information that holds them
REACH = np.array([[0.1], [0.5]])  # no longer than this


class Habit(NamedTuple):
    """Log usable share and log-odds of what is cleared.

    Attributes:
        value: (2, provider).
        information: (2, 2, provider), zero where nothing is seen.
    """

    value: Float[np.ndarray, "two provider"]
    information: Float[np.ndarray, "two two provider"]


class Shown(NamedTuple):
    """After-hours minutes and days waited, (2, week, provider).

    Attributes:
        mean: expected, or published (zero where it was not).
        unseen: where nothing was published.
    """

    mean: Float[np.ndarray, "two week provider"]
    unseen: Bool[np.ndarray, "two week provider"]


class DailyMetric(NamedTuple):
    """A weekly metric by working day, (provider,), and the working days of the weeks in which it is known."""

    minutes: np.ndarray
    days: np.ndarray


def looks_at_habits(data: Workload, messages: Guess, visits: Guess) -> dict[str, Look]:
    """Looks at what is cleared, and at usable time given that and what things take.

    Args:
        data: the observed workload.
        messages: what their counts are guessed to be.
        visits: likewise.
    """
    (usual_usable, usual_cleared), ((of_usable, of_both), (_, of_cleared)) = habits(data, messages.mean, visits.mean)
    follow = of_both / np.maximum(of_usable, 1e-9)
    cleared = seen(usual_cleared, of_cleared - np.square(of_both) / (of_usable + HOLD[0]))
    beyond = _beyond_usual(data, messages.mean, visits.mean, of_usable > 0)

    def usable(sites: Sites) -> Evidence:
        return Evidence(usual_usable + beyond(sites) - follow * (sites["cleared"] - usual_cleared), jnp.asarray(of_usable))

    return {
        "cleared": cleared,
        "cleared_level": pooled(cleared, site("sd_cleared")),
        "usable": usable,
        "usable_level": pooled(usable, site("sd_usable")),
    }


def _beyond_usual(data: Workload, messages: np.ndarray, visits: np.ndarray, known: np.ndarray) -> Callable[[Sites], Array]:
    """How much more usable time the metrics ask for, on the log scale, where things take longer than was taken as usual.

    Without it usable time would follow the vendors' clocks and all minutes by whitening alone, which is straight.
    """
    day = _day(data, visits)
    load = np.where(known, day.load, 1.0)
    evening = np.where(known, day.evening / np.maximum(load - day.evening, LEAST_SHARE * load), 0.0)
    days = np.maximum(data.schedule.open_days.sum(0), 1.0)
    items, seen_a_day = messages.sum(1).T / days[:, None], visits.sum(1).T / days[:, None]
    scheduled = day.scheduled / STANDARD_DAY

    def beyond(sites: Sites) -> Array:
        inbox = items @ jnp.exp(sites["message_minutes"]) * jnp.exp(sites["speed"])
        documentation = (1.0 - sites["overlap"]) * jnp.exp(sites["documentation"]) * seen_a_day.sum(1)
        taken = inbox + documentation + seen_a_day @ jnp.exp(sites["visit_minutes"]) + jnp.exp(sites["admin_minutes"]) * scheduled
        longer = jnp.log(jnp.where(known, taken, 1.0)) - np.log(load)
        return (1.0 + evening) * longer + evening * sites["vendor_factor"][data.roster.vendor_of]

    return beyond


def habits(data: Workload, messages: np.ndarray, visits: np.ndarray) -> Habit:
    """Where the habits of each provider lie by the weekly metrics, and how much these say.

    Args:
        data: the observed workload.
        messages: expected counts, (message, step, provider).
        visits: likewise, (mode, step, provider).
    """
    inbox, documentation, evening = (_by_day(data, METRICS[i]) for i in (0, 1, 3))
    known = (inbox.days > 0) & (documentation.days > 0) & (evening.minutes > 0)
    x = np.stack([_usable(_day(data, visits)), np.full(len(known), first_parameter("cleared_level"))])
    load, (published, unseen) = _load(data, inbox, documentation, messages, visits), _published(data)
    look = jax.jit(lambda x, prompt: _look(data, load, unseen * UNSEEN, x, prompt))
    prompt, information = np.exp(first_parameter("turnaround_prompt")), np.zeros((2, *x.shape))
    for _ in range(SCORING if known.any() else 0):
        expected, slope, precision = (np.asarray(part) for part in look(x, prompt))
        left = np.where(unseen, 0.0, published - expected)
        information = np.einsum("oawi,opwi,pbwi->abi", slope, precision, slope)
        pull = np.einsum("oawi,opwi,pwi->ia", slope, precision, left)
        step = np.linalg.solve(information.transpose(2, 0, 1) + np.diag(HOLD), pull[..., None])[..., 0].T
        x = x + known * np.clip(step, -REACH, REACH)
        weight = np.where(unseen[1], 0.0, precision[1, 1]) * known
        prompt = max(prompt + (weight * left[1]).sum() / (weight.sum() + 1e-9), LEAST_PROMPT)
    return Habit(np.where(known, x, np.array([[0.0], [first_parameter("cleared_level")]])), information * known)


def _look(data: Workload, load: Load, unseen: np.ndarray, x: Array, prompt: Array) -> tuple[Array, Array, Array]:
    """What is expected (2, week, provider), its slope along each habit (2, 2, week, provider) and its precision (2, 2, week, provider).

    Args:
        data: the observed workload.
        load: what comes in.
        unseen: variance added to what is expected, (2, week, provider).
        x: habits, (2, provider).
        prompt: days until a message is done where nothing is carried over.
    """
    noise, of_clock = np.exp(first_parameter("turnaround_noise")), np.exp(first_parameter("metric_noise")[3])

    def expected(x: Array) -> tuple[Array, Array]:
        used = Habits(jnp.exp(x[0]), jax.nn.sigmoid(x[1]), jnp.array(USUAL_CLEARED_OFF), jnp.array(USUAL_MEMORY))
        _, path = flow(used, load, rested(x.shape[1]))
        hours, of_hours, _ = shown_after_hours(data, path)
        carried, covariance = carried_over(data.span, path)
        done = data.span.by_week(path.capacity) + 1.0
        days = prompt + carried.mean / done
        of_hours = of_hours + jnp.square(of_clock * hours) + NEAR_ZERO**2 + unseen[0]
        of_days = carried.variance / jnp.square(done) + jnp.square(noise * days) + unseen[1]
        return jnp.stack([hours, days]), jnp.array([[of_hours, covariance / done], [covariance / done, of_days]])

    mean, variance = expected(x)
    slopes = [jax.jvp(lambda x: expected(x)[0], (x,), (jnp.zeros_like(x).at[a].set(1.0),))[1] for a in range(2)]
    precision = jnp.linalg.inv(jnp.moveaxis(variance, (0, 1), (-2, -1)))
    return mean, jnp.stack(slopes, axis=1), jnp.moveaxis(precision, (-2, -1), (0, 1))


def _published(data: Workload) -> Shown:
    shape = (len(data.span.weeks), len(data.panel))
    streams = [data.streams.get(name) for name in (METRICS[3], TURNAROUND)]
    seen = np.stack([np.zeros(shape, bool) if stream is None else stream.exact for stream in streams])
    ends = np.stack([np.zeros(shape) if stream is None else stream.ends[..., 0] for stream in streams])
    return Shown(np.where(seen, ends, 0.0), ~seen)


def _by_day(data: Workload, name: str) -> DailyMetric:
    total, weeks = totals(data, name)
    days = (data.span.of_step @ data.schedule.open_days * weeks).sum(0)
    return DailyMetric(total / np.maximum(days, 1.0), days)


def _load(data: Workload, inbox: DailyMetric, documentation: DailyMetric, messages: np.ndarray, visits: np.ndarray) -> Load:
    """Work that comes in, at each provider's own minutes an item."""
    days = np.maximum(data.schedule.open_days.sum(0), 1.0)
    per_message = inbox.minutes * days / np.maximum(messages.sum((0, 1)), 1e-9)
    per_visit = documentation.minutes * days / np.maximum(visits.sum((0, 1)), 1e-9)
    each = np.exp(first_parameter("visit_minutes"))[:, None] + (1.0 - USUAL_OVERLAP) * per_visit
    admin = np.exp(first_parameter("admin_minutes")) * data.schedule.minutes / STANDARD_DAY
    work = messages.sum(0) * per_message + np.einsum("mti,mi->ti", visits, each) + admin
    variance = DAY_SD**2 * np.maximum(data.schedule.open_days, 1.0)
    return Load(*(jnp.asarray(part) for part in (work, variance, data.schedule.minutes, data.schedule.open_days)))


class Day(NamedTuple):
    """Minutes of a working day by the metrics and the usual minutes, (provider,); visits (mode, provider)."""

    inbox: np.ndarray
    documentation: np.ndarray
    visits: np.ndarray
    admin: np.ndarray
    evening: np.ndarray
    scheduled: np.ndarray

    @property
    def load(self) -> np.ndarray:
        """All minutes but the evening's, which are among them."""
        return self.inbox + self.documentation + self.visits.sum(0) + self.admin


def _day(data: Workload, visits: np.ndarray) -> Day:
    """A provider's mean working day; documentation while with the patient is left out."""
    days = np.maximum(data.schedule.open_days.sum(0), 1.0)
    scheduled = data.schedule.minutes.sum(0) / days
    inbox, documentation, evening = (_by_day(data, METRICS[i]).minutes for i in (0, 1, 3))
    with_patient = visits.sum(1) / days * np.exp(first_parameter("visit_minutes"))[:, None]
    admin = np.exp(first_parameter("admin_minutes")) * scheduled / STANDARD_DAY
    return Day(inbox, (1.0 - USUAL_OVERLAP) * documentation, with_patient, admin, evening, scheduled)


def _usable(day: Day) -> np.ndarray:
    """Log usable share to begin with: what is not cleared on one day comes back on the next, so in the end nearly all that spills is done."""
    return np.log(np.clip((day.load - unspill(day.evening)) / np.maximum(day.scheduled, 1.0), *PLAUSIBLE))


def unspill(spilled: np.ndarray, sd: float = LOAD_SD) -> np.ndarray:
    """The mean load over capacity that spills so much on average: inverse of E[max(X, 0)], within a few per cent of sd."""
    ratio = spilled / sd + 1e-3
    # softplus with the slope that matches E[max(Z, 0)] = 0.399 at zero
    scale = 0.3989 / np.log(2.0)
    return sd * (ratio + scale * np.log(-np.expm1(-ratio / scale)))
