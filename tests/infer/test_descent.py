"""The search for a mode finds it, from anywhere, and inside a compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.infer.descent import LEVEL, lowest


def valley(x: jax.Array) -> jax.Array:
    """Rosenbrock's, lowest at ones."""
    return (100.0 * jnp.square(x[1:] - jnp.square(x[:-1])) + jnp.square(1.0 - x[:-1])).sum()


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 0.0), (2.0, -3.0)])
def test_a_bent_valley_is_followed_to_its_end(start: tuple[float, float]) -> None:
    np.testing.assert_allclose(jax.jit(lambda x: lowest(valley, x, 300))(jnp.array(start)), 1.0, atol=1e-4)


def test_a_steep_normal_law_is_solved() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(40, 40))
    curvature, mode = root @ root.T + np.diag(np.geomspace(1.0, 1e4, 40)), rng.normal(size=40)
    found = lowest(lambda x: 0.5 * (x - mode) @ curvature @ (x - mode), jnp.zeros(40), 500)
    assert np.abs(curvature @ (found - mode)).max() <= LEVEL


def test_a_trial_that_cannot_be_computed_is_not_taken() -> None:
    found = lowest(lambda x: (x - 3.0 * jnp.log(x)).sum(), jnp.array([0.01]), 100)
    np.testing.assert_allclose(found, 3.0, atol=1e-3)


def test_a_trial_without_a_slope_is_not_taken() -> None:
    def potential(x: jax.Array) -> jax.Array:
        return (0.5 * jnp.square(x - 3.0) + 0.0 * jnp.sqrt(jnp.abs(x - 1.0))).sum()

    assert jnp.isnan(jax.grad(potential)(jnp.ones(1))).all()  # where the first cautious step from zero leads
    np.testing.assert_allclose(lowest(potential, jnp.zeros(1), 100), 3.0, atol=1e-3)


def test_it_stops_where_it_is_told_and_never_goes_up() -> None:
    start = jnp.array([-1.2, 1.0])
    values = [float(valley(lowest(valley, start, trials))) for trials in (1, 5, 20, 60)]
    assert values[0] == float(valley(start))
    assert values == sorted(values, reverse=True)


def test_many_are_searched_side_by_side() -> None:
    starts = jnp.array([[-1.2, 1.0], [0.5, 0.5], [1.0, 1.0]])
    np.testing.assert_allclose(jax.vmap(lambda x: lowest(valley, x, 300))(starts), 1.0, atol=1e-4)
