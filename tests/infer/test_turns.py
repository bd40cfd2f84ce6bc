"""Quarter turns: exact on a normal law, reversible and volume-preserving on any, and the law itself is what is sampled."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.infer.turns import DIVERGED, LARGEST, Turning, begin, rotated, turn

TILT = 1.3


def bent(z: jax.Array) -> jax.Array:
    """A normal law with a remainder: its first coordinate is tilted by a softplus, its second leans on the first."""
    return 0.5 * z @ z + TILT * jax.nn.softplus(2.0 * z[0]) + 0.3 * jnp.cos(z[0]) * z[1]


def states(potential: Callable, start: np.ndarray, transitions: int, warmup: int, seed: int = 0) -> Turning:
    """Every state of a chain, leading axis transition."""

    def one(state: Turning, _: None) -> tuple[Turning, Turning]:
        moved = turn(potential, state, warmup, 0.8)
        return moved, moved

    first = begin(jax.random.key(seed), jnp.asarray(start), 0.1)
    return jax.jit(lambda state: jax.lax.scan(one, state, None, length=transitions)[1])(first)


def there(z: np.ndarray, momentum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    end = rotated(bent, jnp.asarray(z), jnp.asarray(momentum), jax.grad(bent)(jnp.asarray(z)), 0.4, 5)
    return end[0], end[1]


def test_a_trajectory_can_be_gone_back() -> None:
    rng = np.random.default_rng(1)
    z, momentum = rng.normal(size=(2, 3))
    end, pushed = there(z, momentum)
    back, negative = there(end, -pushed)
    np.testing.assert_allclose(back, z, atol=1e-12)
    np.testing.assert_allclose(negative, -momentum, atol=1e-12)


def test_volume_is_preserved() -> None:
    point = np.random.default_rng(2).normal(size=6)
    slope = jax.jacobian(lambda point: jnp.concatenate(there(point[:3], point[3:])))(jnp.asarray(point))
    assert float(jnp.linalg.det(slope)) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("angle", [0.1, 1.0, 2.5])
def test_energy_of_a_normal_law_is_kept_whatever_the_step(angle: float) -> None:
    z, momentum = jnp.asarray(np.random.default_rng(3).normal(size=(2, 500)))
    end, pushed, slope, value = rotated(lambda z: 0.5 * z @ z, z, momentum, z, angle, 3)
    assert float(value + 0.5 * pushed @ pushed) == pytest.approx(float(0.5 * z @ z + 0.5 * momentum @ momentum), rel=1e-12)
    np.testing.assert_allclose(slope, end)


def test_without_reach_it_looks_where_it_is() -> None:
    state = begin(jax.random.key(3), jnp.array([0.3, -2.0]), 0.1)
    found = turn(bent, state, 8, 0.8, reach=0.0)
    value, slope = jax.value_and_grad(bent)(state.z)
    assert found.num_steps == 1
    for one, other in ((found.z, state.z), (found.potential_energy, value), (found.z_grad, slope)):
        np.testing.assert_array_equal(one, other)


def test_the_law_is_sampled() -> None:
    found = states(bent, np.zeros(2), 41_000, warmup=1_000)
    z = np.asarray(found.z)[1_000:]
    grid = np.linspace(-8.0, 8.0, 801)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    mass = np.exp(-0.5 * (x**2 + y**2) - TILT * np.logaddexp(0.0, 2.0 * x) - 0.3 * np.cos(x) * y)
    for power in (lambda x, y: x, lambda x, y: x**2, lambda x, y: y, lambda x, y: x * y, lambda x, y: (x > 0.5) * 1.0):
        expected, drawn = (power(x, y) * mass).sum() / mass.sum(), power(z[:, 0], z[:, 1])
        batches = drawn.reshape(40, -1).mean(1)  # standard error by batches: draws depend on one another
        assert abs(drawn.mean() - expected) < 4.0 * batches.std(ddof=1) / np.sqrt(40)


def test_steps_do_not_shrink_with_unknowns_that_are_normal() -> None:
    few, many = (float(states(bent, np.zeros(n), 400, warmup=300).adapt_state.step_size[-1]) for n in (2, 20_000))
    assert many == pytest.approx(few, rel=0.25)


def test_a_step_is_no_longer_than_a_trajectory() -> None:
    found = states(lambda z: 0.5 * z @ z, np.zeros(2), 60, warmup=50)
    assert float(found.adapt_state.step_size[-1]) == pytest.approx(LARGEST)
    assert (np.asarray(found.num_steps)[50:] == 1).all()
    assert np.asarray(found.accept_prob)[1:] == pytest.approx(1.0)
    assert not found.diverging.any()


def test_the_step_stays_as_it_is_after_warm_up() -> None:
    step = np.asarray(states(bent, np.zeros(2), 80, warmup=50).adapt_state.step_size)
    assert np.ptp(step[:50]) > 0.0
    assert np.ptp(step[49:]) == 0.0


def test_an_energy_gone_astray_is_a_divergence_and_leaves_the_state_where_it_was() -> None:
    def wall(z: jax.Array) -> jax.Array:
        return 0.5 * z @ z + jnp.where(jnp.abs(z[0]) < 1e-3, 0.0, 2.0 * DIVERGED)

    found = states(wall, np.zeros(2), 3, warmup=0)
    assert not found.diverging[0]  # its energy is unknown: any transition leaves the start
    at_rest = begin(jax.random.key(1), jnp.zeros(2), 0.1)._replace(potential_energy=jnp.array(0.0))
    struck = turn(wall, at_rest, 0, 0.8)
    assert struck.diverging
    assert (struck.z == at_rest.z).all()
