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
from typing import Any, NamedTuple

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


def turn(potential: Callable[[Array], Array], state: Turning, warmup: int, target: float, reach: Array | float = 1.0) -> Turning:
    """One transition.

    Args:
        potential: of whitened unknowns.
        state: of the chain.
        warmup: transitions during which the step size adapts.
        target: mean acceptance probability to adapt it to.
        reach: share of its length that a trajectory has. With none it stays where it is, and potential and gradient are found there: the
            program that draws serves to look as well.
    """
    key, for_momentum, for_choice = jax.random.split(state.rng_key, 3)
    momentum = jax.random.normal(for_momentum, state.z.shape, state.z.dtype)
    longest = state.adapt_state.step_size
    length = jnp.minimum(reach * TURN * (0.5 + jnp.mod(GOLDEN * (state.i + 1), 1.0)), MOST_STEPS * longest)
    steps = jnp.maximum(jnp.ceil(length / longest), 1.0).astype(int)
    z, end, slope, value = rotated(potential, state.z, momentum, state.z_grad, length / steps, steps)
    before = state.potential_energy + 0.5 * momentum @ momentum
    after = value + 0.5 * end @ end
    worse = jnp.where(jnp.isnan(after - before), jnp.inf, after - before)
    accept = jnp.exp(jnp.minimum(-worse, 0.0))
    taken = jax.random.uniform(for_choice) < accept
    return Turning(
        i=state.i + 1,
        z=jnp.where(taken, z, state.z),
        z_grad=jnp.where(taken, slope, state.z_grad),
        potential_energy=jnp.where(taken, value, state.potential_energy),
        energy=jnp.where(taken, after, before),
        num_steps=steps,
        accept_prob=accept,
        diverging=worse > DIVERGED,
        adapt_state=_adapted(state.adapt_state, state.i, warmup, target - accept),
        rng_key=key,
    )


def rotated(potential: Callable[[Array], Array], z: Array, momentum: Array, slope: Array, angle: Array, steps: Array) -> tuple:
    """Half a push by the remainder, a rotation, half a push, as many times as there are steps.

    Args:
        potential: of whitened unknowns.
        z: at the beginning.
        momentum: likewise.
        slope: gradient of the potential there.
        angle: of each rotation.
        steps: their number.

    Returns:
        Unknowns, momentum, gradient and potential at the end.

    Example:
        >>> z, momentum, _, _ = rotated(lambda z: 0.5 * z @ z, jnp.ones(1), jnp.zeros(1), jnp.ones(1), jnp.pi / 2, 1)
        >>> z.round(6).tolist(), momentum.round(6).tolist()
        ([0.0], [-1.0])
    """
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    gradient = jax.grad(potential)

    def step(_: Any, at: tuple) -> tuple:
        z, momentum, slope = at
        pushed = momentum - 0.5 * angle * (slope - z)
        moved, momentum = cos * z + sin * pushed, cos * pushed - sin * z
        slope = gradient(moved)
        return moved, momentum - 0.5 * angle * (slope - moved), slope

    z, momentum, slope = jax.lax.fori_loop(0, steps, step, (z, momentum, slope))
    return z, momentum, slope, potential(z)  # the potential itself, which gradients do not need, at the end only


def _adapted(adaptation: Adaptation, done: Array, warmup: int, short: Array) -> Adaptation:
    """Larger steps after proposals better than wanted, during warm-up; their average at its end, and no change from then on."""
    average = next_average(short, adaptation.average)
    last = done == warmup - 1
    found = Adaptation(jnp.minimum(jnp.exp(jnp.where(last, average[1], average[0])), LARGEST), average)
    return jax.tree.map(lambda new, old: jnp.where(done < warmup, new, old), found, adaptation)
