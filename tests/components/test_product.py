"""Small and large products agree, forwards and backwards, and a loop around small ones is one function."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from jax.flatten_util import ravel_pytree
from numpyro import distributions as dist
from numpyro.infer.util import potential_energy

from bayestwin.components import product as module
from bayestwin.components.counted import count_looks
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import Pilot, informed
from bayestwin.components.product import of_groups, product
from bayestwin.components.trend import random_walk
from bayestwin.infer.mcmc import first_values
from bayestwin.laws.counts import NegativeBinomial

SUMS, VECTORS, LIBRARY, LOOKUPS = {}, {"SUMMED": 0}, {"SUMMED": 0, "COLUMNS": 0}, {"SMALL": 0}


def change(limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("rows", [1, 39, 40, 300])
@pytest.mark.parametrize("shape", [(0,), (0, 2), (5, 0), (25,), (25, 4), (25, 5), (25, 16), (25, 17), (25, 3, 7)])
def test_products_of_every_size(rows: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    matrix, values = rng.normal(size=(rows, shape[0])), rng.normal(size=shape)
    np.testing.assert_allclose(product(matrix, values), np.tensordot(matrix, values, 1), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3)])
@pytest.mark.parametrize("limits", [SUMS, VECTORS, LIBRARY])
def test_a_product_and_its_slope(shape: tuple[int, ...], limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    change(limits, monkeypatch)
    rng = np.random.default_rng(1)
    matrix, values = rng.normal(size=(7, 5)), rng.normal(size=shape)
    whole = np.tensordot(matrix, values, 1)
    np.testing.assert_allclose(product(matrix, values), whole, rtol=1e-12, atol=1e-14)
    slope = jax.grad(lambda v: jnp.sin(product(matrix, v)).sum())(values)
    np.testing.assert_allclose(slope, np.tensordot(matrix.T, np.cos(whole), 1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("small", [0, 1000])
def test_members_get_their_groups_value(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", small)
    groups, values = np.array([2, 0, 0, 1]), np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(of_groups(values, groups), values[groups])
    np.testing.assert_array_equal(jax.grad(lambda v: of_groups(v, groups).sum())(values), [[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]])


def one_function(limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether XLA compiles a loop around the gradient of a model of counts, its hierarchy and its walk, as one function: it marks those."""
    with monkeypatch.context() as here:
        change(limits, here)
        return _one_function()


def _one_function() -> bool:
    counts, seen = np.full((6, 4, 2), 9.0), np.ones((6, 4, 2), bool)

    def model() -> None:
        looks = count_looks(counts, seen, lambda sites: 10.0)
        walk = random_walk("trend", 6, dist.HalfNormal(np.full(2, 0.1)), looks.coefficients)
        levels = [
            Level("clinic", dist.HalfNormal(np.ones(2)), np.zeros(2, int)),
            Level("unit", dist.HalfNormal(np.ones(2)), np.array([0, 0, 1, 1])),
        ]
        *_, unit = hierarchy("level", dist.Normal(np.zeros(2), 1.0), levels, looks.units)
        numpyro.sample("counts", NegativeBinomial(jnp.exp(unit + walk.departure[:, None]), 10.0).mask(seen), obs=counts)

    fast = informed(model, Pilot())
    start, by_name = ravel_pytree(first_values(fast))
    slope = jax.grad(lambda q: potential_energy(fast, (), {}, by_name(q)))
    loop = jax.jit(lambda q: jax.lax.fori_loop(0, 10, lambda i, q: q - 1e-3 * slope(q), q))
    return 'xla_cpu_small_call="true"' in loop.lower(start).compile().as_text()


def test_a_loop_around_a_small_model_is_one_function_and_around_library_products_or_lookups_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one_function(SUMS, monkeypatch)
    assert one_function(VECTORS, monkeypatch)
    assert not one_function(LIBRARY, monkeypatch)
    assert not one_function(LOOKUPS, monkeypatch)
