"""Our logarithm is the logarithm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.laws.log import log, log1p

RNG = np.random.default_rng(1)


def ulps(found: jax.Array, true: np.ndarray) -> float:
    """Largest error in units of the last place; truth in extended precision."""
    return float(np.max(np.abs(np.asarray(found) - true.astype(float)) / np.spacing(np.abs(true.astype(float)))))


@pytest.mark.parametrize(
    "x",
    [np.exp(RNG.uniform(-708.0, 709.0, 100_000)), RNG.uniform(0.5, 2.0, 100_000), 1.0 + RNG.uniform(-1e-6, 1e-6, 100_000)],
    ids=["every size", "near one", "very near one"],
)
def test_log_is_right_to_the_last_place(x: np.ndarray) -> None:
    assert ulps(jax.jit(log)(x), np.log(x.astype(np.longdouble))) <= 1.0


@pytest.mark.parametrize(
    "x",
    [np.exp(RNG.uniform(-708.0, 709.0, 100_000)), -np.exp(RNG.uniform(-60.0, -1e-9, 100_000)), RNG.uniform(-0.9, 1.0, 100_000)],
    ids=["positive", "negative", "near zero"],
)
def test_log1p_is_right_to_the_last_places(x: np.ndarray) -> None:
    assert ulps(jax.jit(log1p)(x), np.log1p(x.astype(np.longdouble))) <= 2.0


def test_edges_are_those_of_the_logarithm() -> None:
    x = jnp.array([0.0, -0.0, -1.0, jnp.inf, -jnp.inf, jnp.nan])
    np.testing.assert_array_equal(log(x), jnp.log(x))
    np.testing.assert_array_equal(log1p(x - 1.0), jnp.log1p(x - 1.0))


def test_slopes_are_exact() -> None:
    x = jnp.array([1e-300, 0.3, 1.0, 1e300])
    np.testing.assert_allclose(jax.vmap(jax.grad(log))(x), 1.0 / x, rtol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(jax.grad(log)))(x[1:3]), -1.0 / x[1:3] ** 2, rtol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(log1p))(x[:3]), 1.0 / (1.0 + x[:3]), rtol=1e-15)


def test_single_precision_stays_so() -> None:
    assert log(jnp.ones(1, jnp.float32)).dtype == jnp.float32
