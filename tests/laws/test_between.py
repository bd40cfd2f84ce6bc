"""Counts between two ends: the products of ratios against plain sums of the law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

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


@pytest.mark.parametrize("mean", [1e-12, 1e-3, 1e5, 1e9, 1e15])
@pytest.mark.parametrize("most", [9, 39, 99])
def test_sums_hold_where_the_count_is_far_from_its_ends(mean: float, most: int) -> None:
    def log_mass(x: jax.Array) -> jax.Array:
        return Counts(jnp.exp(x) * jnp.ones(1))._summed(np.zeros(1), np.full(1, float(most)))[0]

    terms = np.arange(most + 1) * np.log(mean) - gammaln(np.arange(most + 1.0) + 1.0)
    value, slope = jax.value_and_grad(log_mass)(jnp.log(mean))
    assert float(value) == pytest.approx(logsumexp(terms) - mean, rel=1e-12, abs=1e-12)
    weight = np.exp(terms - logsumexp(terms))
    assert float(slope) == pytest.approx(weight @ np.arange(most + 1) - mean, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("concentration", [1e-3, 1e8])
@pytest.mark.parametrize("mean", [1e-12, 1e15])
def test_moments_and_gradients_are_finite_at_extreme_concentrations(mean: float, concentration: float) -> None:
    def told(x: jax.Array) -> jax.Array:
        found = Counts(jnp.exp(x[0]) * jnp.ones(2), jnp.exp(x[1])).between(np.array([1.0, 0.0]), np.array([10.0, 39.0]))
        return found.log_total.sum() + found.mean.sum() + found.variance.sum()

    value, slope = jax.value_and_grad(told)(jnp.log(jnp.array([mean, concentration])))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_many_trials_do_not_overflow() -> None:
    found = Trials(np.full(1, 400.0), jnp.array([0.999])).log_mass(np.array([1.0]), np.array([390.0]))
    assert float(found[0]) == pytest.approx(stats.binom(400, 0.999).logcdf(390), rel=1e-8)
