"""A recurrence is the loop that it stands for, and so are its derivatives, forwards, backwards and of second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.components.recurrence import recurrence

RNG = np.random.default_rng(3)
START = (jnp.asarray(RNG.normal(size=4)), jnp.asarray(RNG.normal(size=4)))


def step(state: tuple, given: tuple) -> tuple:
    (x, y), (a, b) = state, given
    return jnp.tanh(x * a + y), y * b + jnp.square(x)


def loop(start: tuple, inputs: tuple) -> tuple:
    def one(state: tuple, given: tuple) -> tuple:
        after = step(state, given)
        return after, (state, after)

    return jax.lax.scan(one, start, inputs)[1]


def inputs(steps: int) -> tuple:
    return tuple(jnp.asarray(RNG.normal(size=(steps, 4))) for _ in range(2))


def assert_same(ours: object, theirs: object) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10), ours, theirs)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_states_and_their_derivatives_are_the_loops(steps: int) -> None:
    given = inputs(steps)
    ours, theirs = (lambda start, given, f=f: f(start, given) for f in (lambda *at: recurrence(step, *at), loop))
    assert_same(ours(START, given), theirs(START, given))
    along = jax.tree.map(lambda part: jnp.asarray(RNG.normal(size=part.shape)), (START, given))
    assert_same(*(jax.jvp(f, (START, given), along)[1] for f in (ours, theirs)))
    back = jax.tree.map(lambda part: jnp.asarray(RNG.normal(size=part.shape)), ours(START, given))
    assert_same(*(jax.vjp(f, START, given)[1](back) for f in (ours, theirs)))


def test_second_derivatives_are_the_loops() -> None:
    given = inputs(3)

    def total(f: object, start: tuple) -> jax.Array:
        return sum(jnp.sin(part).sum() for part in jax.tree.leaves(f(start, given)))

    assert_same(*(jax.hessian(lambda start, f=f: total(f, start))(START) for f in (lambda *at: recurrence(step, *at), loop)))


def test_many_recurrences_side_by_side_are_each_their_own() -> None:
    starts = jax.tree.map(lambda part: jnp.stack([part, 2.0 * part]), START)
    given = inputs(5)
    together = jax.vmap(lambda start: recurrence(step, start, given))(starts)
    for i in range(2):
        assert_same(jax.tree.map(lambda part, i=i: part[i], together), loop(jax.tree.map(lambda part, i=i: part[i], starts), given))
