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
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

INV_SQRT_2PI = 0.3989422804014327
LEAST_SD = 1.0  # minutes: a load is never known better


class Spill(NamedTuple):
    """What a normal load spills over zero: mean, variance, and the chance that anything does."""

    mean: Array
    variance: Array
    chance: Array


def spill(mean: Array, sd: Array) -> Spill:
    """Mean, variance and chance of max(X, 0) for X ~ N(mean, sd²).

    Example:
        >>> [round(float(x), 4) for x in spill(jnp.array(0.0), jnp.array(1.0))]
        [0.3989, 0.3408, 0.5]
    """
    z = mean / sd
    chance = ndtr(z)
    density = INV_SQRT_2PI * jnp.exp(-0.5 * jnp.square(z))
    first = mean * chance + sd * density
    second = (jnp.square(mean) + jnp.square(sd)) * chance + mean * sd * density
    return Spill(first, jnp.maximum(second - jnp.square(first), 0.0), chance)


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


def step(habits: Habits, state: State, load: Load) -> tuple[State, Path]:
    """One step for all providers.

    Args:
        habits: how they spend time.
        state: what is carried in.
        load: of the step, (provider,).
    """
    worked = load.open_days > 0
    days = jnp.maximum(load.open_days, 1.0)
    capacity = load.scheduled * habits.usable
    total = state.backlog + load.work
    margin = (total - capacity) / days
    # A week's noise is shared out over its days; the carried backlog is one number, met on each of them.
    sd = jnp.sqrt(load.variance / days + state.variance / jnp.square(days) + LEAST_SD**2)
    over = spill(margin, sd)
    share = jnp.where(worked, habits.cleared, habits.cleared_off)
    spilled, variance = days * over.mean, days * over.variance
    left = 1.0 - share
    utilisation = jnp.where(worked, total / jnp.where(worked, capacity, 1.0), 0.0)
    kept = habits.memory**load.open_days
    fatigue = kept * state.fatigue + (1.0 - kept) * utilisation
    after = State(left * spilled, jnp.square(left) * variance, fatigue)
    return after, Path(margin, sd, days, spilled, variance, share * spilled, share, after.backlog, fatigue, utilisation, capacity)


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
    return jax.lax.scan(lambda state, one: step(habits, state, one), start, load)


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

    def one(waiting: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Booking]:
        asked, offered, length = inputs
        queue = waiting + asked
        taken = offered - spill(offered - queue, jnp.sqrt(queue + 1e-3)).mean
        fill = LEAST_CHANCE + (1.0 - 2.0 * LEAST_CHANCE) * jnp.where(offered > 0, taken / jnp.where(offered > 0, offered, 1.0), 0.5)
        chance = NO_SHOW_LIMIT - (NO_SHOW_LIMIT - prompt) * jnp.exp(-waiting / pace / NO_SHOW_DAYS)
        left = (queue - taken) * (1.0 - giving_up) ** length
        return left, Booking(waiting, fill, chance)

    return jax.lax.scan(one, start, (requests, slots, days))
