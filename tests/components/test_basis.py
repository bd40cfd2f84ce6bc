"""What is seen along an axis, as looks at the coefficients of its functions."""

import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.components.basis import seen_along
from bayestwin.components.counted import count_looks
from bayestwin.components.season import waves

TIMES = np.arange(40.0)


@pytest.mark.parametrize("streams", [(), (3,)])
def test_a_look_is_the_normal_equations_with_the_level_left_out(streams: tuple[int, ...]) -> None:
    """At the usual precisions it is exact; what all precisions have in common follows the sites."""
    rng = np.random.default_rng(1)
    functions = waves(TIMES, 17.3, 3)
    value, usual = rng.normal(size=(40, *streams)), rng.lognormal(size=(40, *streams)) * (rng.random((40, *streams)) > 0.3)
    found, told, basis = seen_along(value, usual, lambda sites: sites["times"] * usual)(functions)({"times": jnp.array(2.0)})
    design = np.column_stack([np.ones(40), functions])
    for k in np.ndindex(streams):
        every = design.T * usual[:, *k] @ design
        without = every[1:, 1:] - np.outer(every[1:, 0], every[0, 1:]) / every[0, 0]
        turned = np.asarray(basis)[k]
        np.testing.assert_allclose(turned * np.asarray(told)[k] @ turned.T, 2.0 * without, atol=1e-9)
        np.testing.assert_allclose(np.asarray(found)[k], np.linalg.solve(every, design.T @ (usual * value)[:, *k])[1:], atol=1e-9)


def test_what_no_point_shows_is_silent() -> None:
    functions = np.column_stack([TIMES, TIMES, np.ones(40)])  # the same twice, and a level
    value, told, _ = seen_along(2.0 * TIMES, np.ones(40), lambda sites: jnp.ones(40))(functions)({})
    np.testing.assert_allclose(value, [1.0, 1.0, 0.0], atol=1e-9)
    assert int((told == 0.0).sum()) == 2
    value, told, _ = seen_along(TIMES, np.zeros(40), lambda sites: jnp.zeros(40))(functions)({})
    assert not np.any(value)
    assert not np.any(told)


def test_looks_at_counts_find_a_season_that_units_share() -> None:
    rng = np.random.default_rng(8)
    functions, coefficient = waves(TIMES, 17.3, 2), np.array([0.3, -0.1, 0.2, 0.1])
    rate = rng.normal(3.0, 0.5, 100) + (functions @ coefficient)[:, None]
    known = rng.random(rate.shape) > 0.3
    counts = rng.poisson(np.exp(rate) * rng.gamma(10.0, 0.1, rate.shape))
    value, told, basis = count_looks(counts, known, lambda sites: 10.0).along(functions)({})
    error = np.asarray(basis).T @ (np.asarray(value) - coefficient) * np.sqrt(np.asarray(told))
    assert 0.2 < np.sqrt(np.square(error).mean()) < 2.0
