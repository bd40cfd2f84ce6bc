"""Counts hidden alike: the same sums and derivatives as the general law's, which knows nothing of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.laws.alike import SHORT, between_alike
from bayestwin.laws.between import Between, between

ODDS = np.linspace(0.02, 0.98, 7)


def generally(odds: jax.Array, k: jax.Array, low: float, most: int) -> Between:
    ends = np.full(np.shape(odds), low)
    return between(lambda n: odds * (n + k) / (n + 1.0), ends, ends + most, most)


@pytest.mark.parametrize("k", [0.3, 8.0, 1e4])
@pytest.mark.parametrize(("low", "most"), [(0.0, 10), (1.0, 6), (3.0, SHORT), (0.0, 1)])
def test_sums_and_derivatives_are_those_of_the_general_law(k: float, low: float, most: int) -> None:
    weights = np.random.default_rng(1).normal(size=(3, len(ODDS)))

    def value(law) -> object:
        def of(odds: jax.Array, k: jax.Array) -> jax.Array:
            return sum(w @ part for w, part in zip(weights, law(odds, k, low, most), strict=True))

        return jax.value_and_grad(of, (0, 1))(jnp.asarray(ODDS), jnp.asarray(k))

    for alike, general in zip(jax.tree.leaves(value(between_alike)), jax.tree.leaves(value(generally)), strict=True):
        np.testing.assert_allclose(alike, general, rtol=1e-8, atol=1e-9)


def test_second_derivatives_are_there_too() -> None:
    def twice(law) -> jax.Array:
        return jax.hessian(lambda k: law(jnp.asarray(ODDS), k, 0.0, 10).log_total.sum())(jnp.asarray(2.0))

    assert float(twice(between_alike)) == pytest.approx(float(twice(generally)), rel=1e-8)
