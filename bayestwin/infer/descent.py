"""The mode of a density inside a compiled program, by one evaluation a step.

Line searches that bracket and zoom hold several copies of the gradient, and a program takes as long to compile as it has copies. Here a trial point is
either taken or the step halved, so that one will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

ENOUGH = 1e-4  # share of the promised descent that makes a trial worth taking
SHORTEST = 1e-8  # step at which the search gives up
LEVEL = 1e-4  # a potential is level where no slope exceeds it
FAR = 1e300  # worse than any trial


class Descent(NamedTuple):
    """State of the search.

    Attributes:
        x: best point so far.
        value: of the potential there.
        slope: likewise.
        inverse: approximate inverse of its curvature.
        direction: to search in.
        length: of the step to try, in units of the direction.
        trials: so far.
        taken: of them; the first is the start itself.
    """

    x: Float[Array, " unknown"]
    value: Array
    slope: Float[Array, " unknown"]
    inverse: Float[Array, "unknown unknown"]
    direction: Float[Array, " unknown"]
    length: Array
    trials: Array
    taken: Array


def lowest(potential: Callable[[Array], Array], start: Float[Array, " unknown"], trials: int) -> Float[Array, " unknown"]:
    """Where a potential is lowest nearby, or the best point found on the way there.

    Args:
        potential: to go down; a trial that cannot be computed is not taken.
        start: where it can be.
        trials: evaluations of potential and gradient at most.

    Source: Nocedal & Wright (2006), Numerical Optimization, algorithm 3.1 (halving) and eqs. 6.17 and 6.20 (BFGS).

    Example:
        >>> lowest(lambda x: jnp.square(x - jnp.array([1.0, 2.0])).sum() ** 2, jnp.zeros(2), 100).round(1).tolist()
        [1.0, 2.0]
    """
    slope_too = jax.value_and_grad(potential)

    def going(at: Descent) -> Array:
        return (at.trials < trials) & (jnp.abs(at.slope).max() > LEVEL) & (at.length > SHORTEST)

    def trial(at: Descent) -> Descent:
        moved = at.x + at.length * at.direction
        value, slope = slope_too(moved)
        taken = (value <= at.value + ENOUGH * at.length * (at.direction @ at.slope)) & jnp.isfinite(slope).all()
        step, bend = moved - at.x, slope - at.slope
        inverse = jnp.where(taken & (step @ bend > 0), _updated(at.inverse, step, bend, at.taken == 1), at.inverse)
        slope = jnp.where(taken, slope, at.slope)
        cautious = jnp.minimum(1.0, 1.0 / jnp.linalg.norm(slope))  # nothing is known of the curvature yet
        length = jnp.where(taken, jnp.where(at.taken == 0, cautious, 1.0), 0.5 * at.length)
        x, value = jnp.where(taken, moved, at.x), jnp.where(taken, value, at.value)
        return Descent(x, value, slope, inverse, -inverse @ slope, length, at.trials + 1, at.taken + taken)

    nothing, one = jnp.array(0), jnp.array(1.0)
    begun = Descent(start, jnp.array(FAR), jnp.ones_like(start), jnp.eye(start.size), jnp.zeros_like(start), one, nothing, nothing)
    return jax.lax.while_loop(going, trial, begun).x


def _updated(inverse: Array, step: Array, bend: Array, first: Array) -> Array:
    """The approximate inverse that maps the last bend of the slope to the last step; the first one begins at the scale it shows."""
    along = step @ bend
    before = jnp.where(first, along / (bend @ bend) * jnp.eye(step.size), inverse)
    towards = before @ bend
    mixed = jnp.outer(towards, step)
    return before + ((1.0 + bend @ towards / along) * jnp.outer(step, step) - mixed - mixed.T) / along
