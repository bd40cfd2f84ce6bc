"""Smooth functions: the covariance of the Gaussian process, in whatever coordinates it is sampled."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro import distributions as dist
from numpyro.contrib.hsgp.approximation import hsgp_squared_exponential
from numpyro.handlers import condition, seed, substitute
from numpyro.infer.util import log_density

from bayestwin.components.basis import seen_along
from bayestwin.components.informed import Pilot, informed
from bayestwin.components.season import season, waves
from bayestwin.components.smooth import sines, smooth
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling

X = np.linspace(3.0, 27.0, 25)
NARROW = dist.LogNormal(np.log(5.0), 0.2)
NOISE = 0.3


def exact(amplitude: float, lengthscale: float) -> np.ndarray:
    return amplitude**2 * np.exp(-0.5 * np.square(np.subtract.outer(X, X) / lengthscale))


@pytest.mark.parametrize("lengthscale", [4.0, 8.0, 16.0])
def test_covariance_is_that_of_the_gaussian_process(lengthscale: float) -> None:
    """Within 2 % of the variance over the whole range of length-scales that the sines are chosen for."""
    chosen = sines("curve", 12.0, 4.0, 16.0)
    functions, spread = chosen.at(X - 15.0), np.asarray(chosen.spread(0.7, lengthscale))
    np.testing.assert_allclose(functions * np.square(spread) @ functions.T, exact(0.7, lengthscale), atol=0.02 * 0.7**2)


def test_it_is_numpyros_own_approximation() -> None:
    chosen = sines("curve", 12.0, 4.0, 9.0)
    amplitude, lengthscale, beta = jnp.array([0.5, 2.0]), 5.0, np.random.default_rng(0).normal(size=chosen.number)
    ours = chosen.at(X - 15.0) @ (chosen.spread(amplitude, lengthscale) * beta).T
    for k in range(2):
        with seed(rng_seed=0), substitute(data={"beta": beta}):
            theirs = hsgp_squared_exponential(X - 15.0, amplitude[k] ** 2, lengthscale, chosen.half_width, chosen.number)
        np.testing.assert_allclose(ours[:, k], theirs, rtol=1e-9)


def test_a_prior_too_wide_for_one_approximation_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"curve: length-scales from .* take \d+ functions, more than 200; narrow the length-scale's prior"
    ):
        smooth("curve", X, dist.HalfNormal(1.0), dist.LogNormal(np.log(5.0), 2.0))


def two_streams(value: np.ndarray, usual: np.ndarray) -> None:
    looks = seen_along(value, usual, lambda sites: jnp.asarray(usual))
    smooth("curve", X, dist.LogNormal(jnp.zeros(2), 1.0), NARROW, looks)


@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 2**31))
def test_densities_in_both_parameterisations_agree_up_to_the_jacobian(number: int) -> None:
    """The second stream is silent."""
    rng = np.random.default_rng(number)
    value, usual = rng.normal(size=(25, 2)), rng.lognormal(0.0, 2.0, (25, 2)) * [1.0, 0.0]
    amplitude, lengthscale = rng.lognormal(size=2), rng.lognormal(np.log(5.0), 0.2)
    held = {"amplitude_curve": jnp.asarray(amplitude), "lengthscale_curve": jnp.asarray(lengthscale)}
    fast = informed(condition(lambda: two_streams(value, usual), held), Pilot())
    prior = _spread(amplitude, lengthscale)
    u = jnp.asarray(rng.normal(size=prior.shape))
    density, found = log_density(fast, (), {}, {"curve_coefficient_u": u})
    of_held = sum(found[name]["fn"].log_prob(value).sum() for name, value in held.items())
    plain = dist.Normal(0.0, prior).log_prob(found["curve_coefficient"]["value"]).sum()
    in_units = jax.jacobian(lambda u: log_density(fast, (), {}, {"curve_coefficient_u": u})[1]["curve_coefficient"]["value"] / prior)(u)
    stretched = np.linalg.slogdet(np.asarray(in_units).reshape(prior.size, prior.size))[1] + np.log(prior).sum()
    assert float(density - of_held - stretched) == pytest.approx(float(plain), rel=1e-9, abs=1e-9)


def _spread(amplitude: np.ndarray, lengthscale: float) -> np.ndarray:
    low, high = np.quantile(NARROW.sample(jax.random.key(0), (4096,)), (0.025, 0.975))
    return np.asarray(sines("curve", 12.0, float(low), float(high)).spread(amplitude, lengthscale))


@pytest.mark.parametrize(("amplitude", "lengthscale"), [(1e-12, 5.0), (1.0, 1e-6), (1.0, 1e3)])
def test_slopes_are_finite_at_the_ends(amplitude: float, lengthscale: float) -> None:
    def density(amplitude: jax.Array, lengthscale: jax.Array) -> jax.Array:
        fast = informed(lambda: two_streams(np.ones((25, 2)), np.full((25, 2), 1e4)), Pilot())
        at = {"amplitude_curve": jnp.full(2, amplitude), "lengthscale_curve": lengthscale}
        return log_density(seed(fast, 0), (), {}, at)[0]

    slope = jax.value_and_grad(density, (0, 1))(jnp.array(amplitude), jnp.array(lengthscale))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_it_has_the_posterior_of_the_exact_gaussian_process() -> None:
    """Gaussian data and hyperparameters that are known: against the process's own conditional."""
    rng, amplitude, lengthscale = np.random.default_rng(9), 0.7, 5.0
    data = rng.multivariate_normal(np.zeros(25), exact(amplitude, lengthscale)) + NOISE * rng.standard_normal(25)
    usual = np.full(25, NOISE**-2.0)

    def model() -> None:
        looks = seen_along(data, usual, lambda sites: jnp.asarray(usual))
        numpyro.sample("y", dist.Normal(smooth("curve", X, dist.HalfNormal(1.0), NARROW, looks), NOISE), obs=data)

    known = condition(model, {"amplitude_curve": jnp.asarray(amplitude), "lengthscale_curve": jnp.asarray(lengthscale)})
    draws = sample(known, Pilot(), Sampling(chains=2, draws=1000, warmup=200, seed=5))
    gain = np.linalg.solve(exact(amplitude, lengthscale) + NOISE**2 * np.eye(25), exact(amplitude, lengthscale)).T
    width = np.sqrt(np.diag(exact(amplitude, lengthscale) - gain @ exact(amplitude, lengthscale)))
    found = draws.sites["curve"].reshape(-1, 25)
    assert np.abs((found.mean(0) - gain @ data) / width).max() < 0.15
    assert np.abs(found.std(0) / width - 1.0).max() < 0.1


def test_hyperparameters_have_their_exact_posterior() -> None:
    """A curve and a season, no hyperparameter known: against the marginal likelihood over a grid."""
    rng, times, priors = np.random.default_rng(7), np.arange(40.0), dist.LogNormal(np.log(8.0), 0.2)
    data = 0.4 * np.sin(2.0 * np.pi * times / 12.5) + np.sin(times / 8.0) + NOISE * rng.standard_normal(40)
    usual = np.full(40, NOISE**-2.0)

    def model() -> None:
        looks = seen_along(data, usual, lambda sites: jnp.asarray(usual))
        year = season("year", times, 12.5, 2, dist.HalfNormal(1.0), looks)
        curve = smooth("curve", times, dist.HalfNormal(1.0), priors, looks)
        numpyro.sample("y", dist.Normal(year + curve, NOISE), obs=data)

    chosen, wave = sines("curve", 19.5, 5.4, 11.9), waves(times, 12.5, 2)
    functions = chosen.at(times - 19.5)

    def density(amplitude: jax.Array, lengthscale: jax.Array, sd: jax.Array) -> jax.Array:
        curve = functions * jnp.square(chosen.spread(amplitude, lengthscale)) @ functions.T
        law = dist.MultivariateNormal(jnp.zeros(40), curve + sd**2 * wave @ wave.T + NOISE**2 * jnp.eye(40))
        prior = dist.HalfNormal(1.0).log_prob(jnp.stack([amplitude, sd])).sum() + priors.log_prob(lengthscale)
        return law.log_prob(data) + prior

    axes = np.linspace(0.02, 4.5, 50), np.linspace(3.0, 20.0, 30), np.linspace(0.01, 2.5, 40)
    points = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    height = np.asarray(jax.jit(lambda *at: jax.lax.map(lambda point: density(*point), at, batch_size=100))(*points))
    weight = np.exp(height - height.max())
    draws = sample(model, Pilot(), Sampling(chains=2, draws=1500, warmup=200, seed=5))
    for name, point in zip(("amplitude_curve", "lengthscale_curve", "sd_year"), points, strict=True):
        mean = np.average(point, weights=weight)
        sd = np.sqrt(np.average(np.square(point - mean), weights=weight))
        assert abs(draws.sites[name].mean() - mean) < 0.12 * sd, name
        assert abs(draws.sites[name].std() / sd - 1.0) < 0.15, name
