"""How demand becomes after-hours work: booking queue, capacity, spill, backlog and fatigue, step by step.

A step is a day, or a week with several working days. Work that does not fit into the usable hours spills; a share of
the spill is done after hours, the rest is carried over. There is no steady state to assume: at published levels most
providers are offered more work than fits, and after-hours work is the valve.

Work is random even when its drivers are known: items differ, and counts that access hides are known by mean and
variance only. The spill of a normal load is then E[max(X, 0)] = m Φ(m/s) + s φ(m/s), so the kink is smooth by as much
as the load is uncertain, and exactly as sharp as it is in truth where nothing is. Means and variances of the backlog
are carried along (assumed-density filtering).

Source: Maybeck (1982), "Stochastic Models, Estimation and Control", vol. 2, for assumed-density filters; Stein (1981), Annals of
Statistics 9, for the covariance of a load and its spill, which is the load's variance times the chance of a spill.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayestwin.components.recurrence import recurrence
from bayestwin.laws.normal import chance_below, density

LEAST_SD = 1.0  # minutes: a load is never known better


class Spill(NamedTuple):
    """What a normal load spills over zero: mean, variance, and the chance that anything does."""

    mean: Array
    variance: Array
    chance: Array


@jax.custom_jvp
def spill(mean: Array, sd: Array) -> Spill:
    """Mean, variance and chance of max(X, 0) for X ~ N(mean, sd²).

    Example:
        >>> [round(float(x), 4) for x in spill(jnp.array(0.0), jnp.array(1.0))]
        [0.3989, 0.3408, 0.5]
    """
    z = mean / sd
    chance, pushed = chance_below(z), sd * density(z)
    first = mean * chance + pushed
    second = (jnp.square(mean) + jnp.square(sd)) * chance + mean * pushed
    return Spill(first, jnp.maximum(second - jnp.square(first), 0.0), chance)


@spill.defjvp
def _spill_moved(at: tuple[Array, Array], along: tuple[Array, Array]) -> tuple[Spill, Spill]:
    """Derivatives by hand: the chance and the density of E[max(X, 0)], twice the mean and twice sd times the chance of E[max(X, 0)²]."""
    found = spill(*at)
    (mean, sd), (by_mean, by_sd) = at, along
    z = mean / sd
    thin = density(z)
    first = found.chance * by_mean + thin * by_sd
    variance = 2.0 * (found.mean * by_mean + sd * found.chance * by_sd - found.mean * first)
    return found, Spill(first, variance, thin / sd * (by_mean - z * by_sd))


class Habits(NamedTuple):
    """How providers spend time, each (provider,) or a scalar.

    Attributes:
        usable: share of scheduled minutes that work can be done in.
        cleared: share of a working day's spill that is done after hours.
        cleared_off: the same on a day that is not worked.
        memory: share of fatigue that is left from one working day to the next.
    """

    usable: Array
    cleared: Array
    cleared_off: Array
    memory: Array


class Load(NamedTuple):
    """What comes in, (step, provider).

    Attributes:
        work: minutes of new work, mean.
        variance: their variance.
        scheduled: scheduled minutes.
        open_days: working days in the step.
    """

    work: Array
    variance: Array
    scheduled: Array
    open_days: Array


class State(NamedTuple):
    """What is carried from step to step, (provider,): backlog in minutes (mean, variance) and fatigue (1 is a full day's load)."""

    backlog: Array
    variance: Array
    fatigue: Array


class Path(NamedTuple):
    """What happened, (step, provider).

    Attributes:
        margin: load less capacity of a working day of the step, mean.
        sd: its standard deviation.
        days: days that the margin stands for (one where none is worked).
        spilled: minutes that did not fit.
        spilled_variance: their variance.
        after_hours: minutes done after hours.
        share: share of the spill that was.
        backlog: minutes carried into the next step.
        fatigue: at the end of the step.
        utilisation: load over capacity; 0 where nothing is scheduled.
        capacity: usable minutes.
    """

    margin: Array
    sd: Array
    days: Array
    spilled: Array
    spilled_variance: Array
    after_hours: Array
    share: Array
    backlog: Array
    fatigue: Array
    utilisation: Array
    capacity: Array


def rested(providers: int) -> State:
    """No backlog, fatigue of a full day."""
    return State(jnp.zeros(providers), jnp.zeros(providers), jnp.ones(providers))


def flow(habits: Habits, load: Load, start: State) -> tuple[State, Path]:
    """All steps in turn.

    Args:
        habits: how providers spend time.
        load: what comes in, (step, provider).
        start: what is carried in.

    Returns:
        The last state, and the path (step, provider). Arrivals and carried backlog equal what was done in hours, after
        hours, and is carried on.
    """
    worked, days = load.open_days > 0, jnp.maximum(load.open_days, 1.0)
    capacity = load.scheduled * habits.usable
    share = jnp.where(worked, habits.cleared, habits.cleared_off)
    # A week's noise is shared out over its days; the carried backlog is one number, met on each of them.
    daily = Daily(*jnp.broadcast_arrays((load.work - capacity) / days, load.variance / days + LEAST_SD**2, days, 1.0 - share))
    before, after = recurrence(_carried, (start.backlog, start.variance), daily)
    margin, sd = _margin(before, daily)
    over = spill(margin, sd)
    spilled = days * over.mean
    total = before[0] + load.work
    utilisation = jnp.where(worked, total / jnp.where(worked, capacity, 1.0), 0.0)
    kept = habits.memory**load.open_days
    _, (fatigue,) = recurrence(_tired, (start.fatigue,), (kept, utilisation))
    path = Path(margin, sd, days, spilled, days * over.variance, share * spilled, share, after[0], fatigue, utilisation, capacity)
    return State(*(states[-1] for states in (*after, fatigue))), path


class Daily(NamedTuple):
    """A step as its backlog meets it, (step, provider).

    Attributes:
        short: new work less capacity of a working day.
        noise: variance of a day's work.
        days: in the step.
        left: share of a spill that is not done after hours.
    """

    short: Array
    noise: Array
    days: Array
    left: Array


def _margin(carried: tuple[Array, Array], daily: Daily) -> tuple[Array, Array]:
    """Load less capacity of a working day, mean and sd, given the mean and variance of the backlog."""
    backlog, variance = carried
    return backlog / daily.days + daily.short, jnp.sqrt(daily.noise + variance / jnp.square(daily.days))


def _carried(state: tuple[Array, Array], daily: Daily) -> tuple[Array, Array]:
    """The backlog after a step, mean and variance."""
    over = spill(*_margin(state, daily))
    left = daily.left * daily.days
    return left * over.mean, jnp.square(daily.left) * daily.days * over.variance


def _tired(state: tuple[Array], given: tuple[Array, Array]) -> tuple[Array]:
    kept, utilisation = given
    return (kept * state[0] + (1.0 - kept) * utilisation,)


class Booking(NamedTuple):
    """Visits by step and provider, means over chance: requests waiting, share of slots filled, chance of not showing up."""

    waiting: Float[Array, "step ... provider"]
    fill: Float[Array, "step ... provider"]
    no_show: Float[Array, "step ... provider"]


NO_SHOW_LIMIT, NO_SHOW_DAYS = (
    0.31,
    50.0,
)  # [E] limit and pace after Green & Savin (2008), Operations Research 56; not checked against the paper
LEAST_CHANCE = 1e-4  # that a slot is booked however few ask, and that it stays empty however many do


def booking(
    requests: Array, slots: Array, days: Array, prompt: Array, giving_up: Array, start: Array
) -> tuple[Float[Array, " provider"], Booking]:
    """The queue for appointments: requests wait for slots, some are given up, no-shows grow with the wait.

    The queue is an expectation: the number offered is E[min(waiting, slots)] for a waiting number of Poisson variance.

    Args:
        requests: expected requests, (step, ..., provider).
        slots: offered appointments, (step, ..., provider).
        days: days in each step, (step,).
        prompt: chance of not showing up without a wait.
        giving_up: share of those left waiting that give up in a day.
        start: requests waiting, (..., provider).
    """
    pace = jnp.maximum(slots.sum(0) / days.sum(), 1e-3)  # slots a day
    stay = (1.0 - giving_up) ** days.reshape(-1, *[1] * (slots.ndim - 1))
    given = tuple(jnp.broadcast_arrays(requests, slots, stay))
    (waiting,), (left,) = recurrence(_waiting, (start,), given)
    taken = _taken(waiting + requests, slots)
    fill = LEAST_CHANCE + (1.0 - 2.0 * LEAST_CHANCE) * jnp.where(slots > 0, taken / jnp.where(slots > 0, slots, 1.0), 0.5)
    chance = NO_SHOW_LIMIT - (NO_SHOW_LIMIT - prompt) * jnp.exp(-waiting / pace / NO_SHOW_DAYS)
    return left[-1], Booking(waiting, fill, chance)


def _taken(queue: Array, offered: Array) -> Array:
    """Slots that are booked."""
    return offered - spill(offered - queue, jnp.sqrt(queue + 1e-3)).mean


def _waiting(state: tuple[Array], given: tuple[Array, Array, Array]) -> tuple[Array]:
    """Requests that wait after a step."""
    asked, offered, stay = given
    queue = state[0] + asked
    return ((queue - _taken(queue, offered)) * stay,)
