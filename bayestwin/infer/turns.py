"""Hamiltonian Monte Carlo for a whitened posterior: trajectories of about a quarter turn, along exact rotations.

In whitened coordinates a posterior is a standard normal law and a remainder. Under the normal part alone positions and momenta rotate,
which costs nothing to follow exactly; only the remainder's force is applied in steps. So a step's error is that of the remainder, and does not
grow with the number of unknowns as the leapfrog's does, whose steps shrink with the fourth root of it.

A quarter turn forgets where it began; NUTS, which doubles until it turns back, goes on to a half turn and ends near the mirror image,
equally far out. Each length leaves the posterior as it is, and their sequence does not look at the state.

Source: Shahbaba, Lan, Johnson & Neal (2014), Statistics and Computing 24, for splitting off the normal part; Hoffman, Radul & Sountsov
(2021), AISTATS 130, for lengths jittered by a low-discrepancy sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.infer.hmc_util import dual_averaging

TURN = 1.8  # mean length of a trajectory, times 0.5 to 1.5: see decision 12
MOST_STEPS = 64  # of a trajectory while its step is still small
GOLDEN = 0.6180339887498949  # share of a turn after which a sequence fills an interval evenly
FIRST_ENERGY = 1e9  # worse than any state that a transition could find
LARGEST = 1.5 * TURN  # step: the longest trajectory in one
DIVERGED = 1000.0  # error of the energy that is no accident

first_average, next_average = dual_averaging()


class Adaptation(NamedTuple):
    """Step size in use, and what dual averaging keeps."""

    step_size: Array
    average: tuple


class Turning(NamedTuple):
    """State of a chain; names as in NumPyro's `HMCState`.

    Attributes:
        i: transitions done.
        z: whitened unknowns.
        z_grad: gradient of the potential there.
        potential_energy: there.
        energy: of the last proposal.
        num_steps: gradients of the last trajectory.
        accept_prob: of the last proposal.
        diverging: whether its energy went astray.
        adapt_state: of the step size.
        rng_key: of the next transition.
    """

    i: Array
    z: Float[Array, " unknown"]
    z_grad: Float[Array, " unknown"]
    potential_energy: Array
    energy: Array
    num_steps: Array
    accept_prob: Array
    diverging: Array
    adapt_state: Adaptation
    rng_key: Array


def begin(key: Array, z: Float[Array, " unknown"], step: float) -> Turning:
    """A chain's first state, of unknown energy: the first transition leaves it, wherever it leads.

    Args:
        key: the chain's randomness.
        z: where it begins.
        step: step size to begin with.
    """
    energy = jnp.array(FIRST_ENERGY)
    adaptation = Adaptation(jnp.array(step), first_average(jnp.log(10.0 * step)))
    return Turning(jnp.array(0), z, z, energy, energy, jnp.array(0), jnp.array(0.0), jnp.array(False), adaptation, key)


class Point(NamedTuple):
    """Where a trajectory is.

    Attributes:
        z: whitened unknowns.
        momentum: of them.
        slope: gradient of the potential there.
        value: potential there.
    """

    z: Float[Array, " unknown"]
    momentum: Float[Array, " unknown"]
    slope: Float[Array, " unknown"]
    value: Array


def turn(push: Callable[[Point, Array, Array], Point], state: Turning, warmup: int, target: float) -> Turning:
    """One transition.

    Args:
        push: takes a point on by a number of steps of an angle: `trajectory` of a potential.
        state: of the chain.
        warmup: transitions during which the step size adapts.
        target: mean acceptance probability to adapt it to.
    """
    start, angle, steps = _opened(state)
    return _closed(state, start, push(start, angle, steps), steps, warmup, target)


def trajectory(potential: Callable[[Array], Array], start: Point, angle: Array, steps: Array) -> Point:
    """Steps of half a push by the remainder, a rotation, and half a push.

    Args:
        potential: of whitened unknowns.
        start: where it begins; one step of no angle and without momentum finds the potential and its gradient there.
        angle: of each rotation.
        steps: their number, ≥ 1.

    Example:
        >>> start = Point(jnp.ones(1), jnp.zeros(1), jnp.ones(1), jnp.array(0.5))
        >>> end = trajectory(lambda z: 0.5 * z @ z, start, jnp.array(jnp.pi / 6), 3)
        >>> end.z.round(6).tolist(), end.momentum.round(6).tolist()
        ([0.0], [-1.0])
    """
    cos, sin = jnp.cos(angle), jnp.sin(angle)

    def step(_: Array, at: Point) -> Point:
        half = at.momentum - 0.5 * angle * (at.slope - at.z)
        z, momentum = cos * at.z + sin * half, cos * half - sin * at.z
        value, slope = jax.value_and_grad(potential)(z)
        return Point(z, momentum - 0.5 * angle * (slope - z), slope, value)

    return jax.lax.fori_loop(0, steps, step, start)


@jax.jit
def _opened(state: Turning) -> tuple[Point, Array, Array]:
    """Where a transition begins, the angle of each of its steps, and their number."""
    momentum = jax.random.normal(jax.random.split(state.rng_key, 3)[1], state.z.shape, state.z.dtype)
    longest = state.adapt_state.step_size
    length = jnp.minimum(TURN * (0.5 + jnp.mod(GOLDEN * (state.i + 1), 1.0)), MOST_STEPS * longest)
    steps = jnp.maximum(jnp.ceil(length / longest), 1.0).astype(int)
    return Point(state.z, momentum, state.z_grad, state.potential_energy), length / steps, steps


@partial(jax.jit, static_argnums=(4, 5))
def _closed(state: Turning, start: Point, end: Point, steps: Array, warmup: int, target: float) -> Turning:
    """The state after a transition: the end of its trajectory, or where it was."""
    key, _, for_choice = jax.random.split(state.rng_key, 3)
    before, after = (at.value + 0.5 * at.momentum @ at.momentum for at in (start, end))
    worse = jnp.where(jnp.isnan(after - before), jnp.inf, after - before)
    accept = jnp.exp(jnp.minimum(-worse, 0.0))
    taken = jax.random.uniform(for_choice) < accept
    return Turning(
        i=state.i + 1,
        z=jnp.where(taken, end.z, start.z),
        z_grad=jnp.where(taken, end.slope, start.slope),
        potential_energy=jnp.where(taken, end.value, start.value),
        energy=jnp.where(taken, after, before),
        num_steps=steps,
        accept_prob=accept,
        diverging=worse > DIVERGED,
        adapt_state=_adapted(state.adapt_state, state.i, warmup, target - accept),
        rng_key=key,
    )


def _adapted(adaptation: Adaptation, done: Array, warmup: int, short: Array) -> Adaptation:
    """Larger steps after proposals better than wanted, during warm-up; their average at its end, and no change from then on."""
    average = next_average(short, adaptation.average)
    last = done == warmup - 1
    found = Adaptation(jnp.minimum(jnp.exp(jnp.where(last, average[1], average[0])), LARGEST), average)
    return jax.tree.map(lambda new, old: jnp.where(done < warmup, new, old), found, adaptation)
