"""Small and large products agree, forwards and backwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.components import product as module
from bayestwin.components.product import membership, product


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3)])
def test_a_sum_of_products_is_the_product(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    matrix, values = rng.normal(size=(7, 5)), rng.normal(size=shape)
    found = product(matrix, values)
    slope = jax.grad(lambda v: jnp.sin(product(matrix, v)).sum())(values)
    np.testing.assert_allclose(found, np.tensordot(matrix, values, 1), rtol=1e-12, atol=1e-14)
    monkeypatch.setattr(module, "SMALL", 0)
    np.testing.assert_allclose(product(matrix, values), found, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jax.grad(lambda v: jnp.sin(product(matrix, v)).sum())(values), slope, rtol=1e-12, atol=1e-14)


def test_a_loop_around_a_small_hierarchy_is_one_function() -> None:
    """XLA marks a loop that it compiles as one function; matrix products or scatters inside forbid it."""
    groups, values = np.array([0, 0, 1, 2]), np.arange(3.0)

    def loop(x: jax.Array) -> jax.Array:
        slope = jax.grad(lambda v: jnp.square(product(membership(groups, 3), v)).sum())
        return jax.lax.fori_loop(0, 10, lambda i, x: x - 0.1 * slope(x), x)

    assert 'xla_cpu_small_call="true"' in jax.jit(loop).lower(values).compile().as_text()


def test_membership_gives_members_their_groups_value() -> None:
    groups = np.array([2, 0, 0, 1])
    np.testing.assert_array_equal(product(membership(groups, 3), np.array([5.0, 6.0, 7.0])), np.array([7.0, 5.0, 5.0, 6.0]))
