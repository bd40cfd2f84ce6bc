"""What is carried from step to step, with derivatives from all steps at once.

The derivative of a loop keeps every number of every step. Where units do not touch one another a step's derivative is a small matrix
for each unit: all steps' are found together from the states on the path, and what is left of the loop is a product of small matrices,
forwards or backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

States = tuple[Float[Array, "step ..."], ...]
Step = Callable[[tuple, tuple], tuple]


def recurrence(step: Step, start: tuple, inputs: tuple) -> tuple[States, States]:
    """States that steps begin and end with.

    Args:
        step: the next state, given the state and a step's inputs, tuples of arrays of one shape (...); an element depends on the same
            element of states and inputs only, and it reads nothing else that is to be differentiated.
        start: the first state, (...) each.
        inputs: of every step, (step, ...) each; one step at least.

    Returns:
        Both, (step, ...) each.

    Example:
        >>> before, after = recurrence(lambda state, given: (0.5 * state[0] + given[0],), (jnp.zeros(1),), (jnp.ones((3, 1)),))
        >>> before[0].ravel().tolist(), after[0].ravel().tolist()
        ([0.0, 1.0, 1.5], [1.0, 1.5, 1.75])
    """
    after = _after(step, start, inputs)
    return _before(start, after), after


def _before(start: tuple, after: States) -> States:
    return jax.tree.map(lambda first, path: jnp.concatenate([first[None], path[:-1]]), start, after)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _after(step: Step, start: tuple, inputs: tuple) -> States:
    """States that steps end with."""

    def one(state: tuple, given: tuple) -> tuple[tuple, tuple]:
        state = step(state, given)
        return state, state

    return jax.lax.scan(one, start, inputs)[1]


@_after.defjvp
def _moved(step: Step, at: tuple[tuple, tuple], along: tuple[tuple, tuple]) -> tuple[States, States]:
    after = _after(step, *at)
    before, inputs = _before(at[0], after), at[1]
    pushed = jax.jvp(lambda inputs: step(before, inputs), (inputs,), (along[1],))[1]

    def column(moved: int) -> tuple:
        ones = tuple(jnp.full_like(state, float(i == moved)) for i, state in enumerate(before))
        return jax.jvp(lambda state: step(state, inputs), (before,), (ones,))[1]

    columns = [column(i) for i in range(len(before))]

    def one(state: tuple, given: tuple[list[tuple], tuple]) -> tuple[tuple, tuple]:
        columns, pushed = given
        state = tuple(push + sum(column[i] * part for column, part in zip(columns, state, strict=True)) for i, push in enumerate(pushed))
        return state, state

    return after, jax.lax.scan(one, along[0], (columns, pushed))[1]
