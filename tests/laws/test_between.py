"""Counts between two ends: the products of ratios against plain sums of the law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from bayestwin.laws.expected import Counts
from bayestwin.laws.trials import Trials

LOW, HIGH = np.array([1.0, 0.0, 3.0, 7.0]), np.array([10.0, 4.0, 3.0, 31.0])
MEAN = np.array([6.0, 0.02, 40.0, 400.0])
LAWS = {
    "poisson": (Counts(jnp.asarray(MEAN)), stats.poisson(MEAN)),
    "nb2": (Counts(jnp.asarray(MEAN), jnp.array(2.5)), stats.nbinom(2.5, 2.5 / (2.5 + MEAN))),
    "binomial": (Trials(np.array([12.0, 4.0, 9.0, 40.0]), jnp.array([0.4, 0.999, 0.2, 0.05])), stats.binom([12, 4, 9, 40], [0.4, 0.999, 0.2, 0.05])),
}  # fmt: skip


def plain(law: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log mass, mean and variance between the ends, term by term."""
    found = []
    for i, (low, high) in enumerate(zip(LOW, HIGH, strict=True)):
        n = np.arange(low, high + 1)
        log_p = np.array([law.logpmf(np.full(4, k))[i] for k in n])  # type: ignore[attr-defined]
        weight = np.exp(log_p - logsumexp(log_p))
        mean = weight @ n
        found.append((logsumexp(log_p), mean, weight @ (n - mean) ** 2))
    return tuple(np.array(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("name", LAWS)
def test_mass_and_moments_are_those_of_the_plain_sum(name: str) -> None:
    law, reference = LAWS[name]
    log_mass, mean, variance = plain(reference)
    found = law.between(LOW, HIGH)
    np.testing.assert_allclose(law.log_mass(LOW, HIGH), log_mass, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-7, atol=1e-9)


def test_gradients_are_those_of_differences() -> None:
    def told(x: jax.Array) -> jax.Array:
        law = Counts(jnp.exp(x[:4]), jnp.exp(x[4]))
        found = law.between(LOW, HIGH)
        return law.log_mass(LOW, HIGH).sum() + (found.mean * jnp.arange(4.0)).sum() + found.variance.sum()

    at = np.append(np.log(MEAN), np.log(2.5))
    slope = jax.grad(told)(jnp.asarray(at))
    for i, step in enumerate(1e-5 * np.eye(5)):
        assert float(slope[i]) == pytest.approx(float(told(at + step) - told(at - step)) / 2e-5, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("mean", [1e-12, 1e-3, 1e9, 1e15])
@pytest.mark.parametrize("concentration", [None, 1e-3, 1e8])
def test_nothing_breaks_where_the_count_is_far_from_its_ends(mean: float, concentration: float | None) -> None:
    def told(x: jax.Array) -> jax.Array:
        law = Counts(jnp.exp(x) * jnp.ones(2), None if concentration is None else jnp.array(concentration))
        low, high = np.array([1.0, 0.0]), np.array([10.0, 39.0])
        found = law.between(low, high)
        return law.log_mass(low, high).sum() + found.mean.sum() + found.variance.sum()

    value, slope = jax.value_and_grad(told)(jnp.log(mean))
    assert np.isfinite(value)
    assert np.isfinite(slope)
