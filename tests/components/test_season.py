"""A season sums to zero, has the law that is stated, and is sampled without changing it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro import distributions as dist
from numpyro.handlers import condition, seed, trace
from numpyro.infer.util import log_density

from bayestwin.components.basis import seen_along
from bayestwin.components.informed import Pilot, informed
from bayestwin.components.season import season, waves
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling

TIMES, PERIOD, NOISE = np.arange(30.0), 12.5, 0.3


@pytest.mark.parametrize(("period", "harmonics"), [(12.0, 5), (7.0, 3), (52.0, 26)])
def test_it_sums_to_zero_over_a_period_and_repeats(period: float, harmonics: int) -> None:
    with seed(rng_seed=1):
        effect = season("year", np.arange(2 * period), period, harmonics, dist.HalfNormal(np.ones(3)))
    whole = int(period)
    np.testing.assert_allclose(effect[:whole].sum(0), 0.0, atol=1e-9)
    np.testing.assert_allclose(effect[:whole], effect[whole:], atol=1e-9)


def test_it_integrates_to_zero_over_a_period_that_no_number_of_times_fills() -> None:
    fine = PERIOD * np.arange(1000) / 1000
    np.testing.assert_allclose(waves(fine, PERIOD, 4).mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.square(waves(fine, PERIOD, 4)).sum(1), 1.0)
    slow, quick = np.abs(waves(fine, PERIOD, 4)).max(0)[[0, 3]]
    assert slow / quick == pytest.approx(4.0)


def test_harmonics_that_the_times_cannot_show_are_refused() -> None:
    with pytest.raises(ValueError, match="year: 7 harmonics need 14 times in a period, found 12; take 6 harmonics at most"):
        season("year", np.arange(24), 12.0, 7, dist.HalfNormal(1.0))


def two_streams(value: np.ndarray, usual: np.ndarray) -> None:
    season("year", TIMES, PERIOD, 3, dist.HalfNormal(jnp.ones(2)), seen_along(value, usual, lambda sites: jnp.asarray(usual)))


@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 2**31))
def test_densities_in_both_parameterisations_agree_up_to_the_jacobian(number: int) -> None:
    """The second stream is silent."""
    rng = np.random.default_rng(number)
    value, usual = rng.normal(size=(30, 2)), rng.lognormal(1.0, 2.0, (30, 2)) * [1.0, 0.0]
    fast = informed(lambda: two_streams(value, usual), Pilot())
    at = {"sd_year_z": jnp.asarray(rng.normal(size=2)), "year_coefficient_u": jnp.asarray(rng.normal(size=(2, 6)))}
    density, found = log_density(fast, (), {}, at)
    sd, coefficient = np.asarray(found["sd_year"]["value"]), found["year_coefficient"]["value"]
    plain = dist.Normal(0.0, sd[:, None]).log_prob(coefficient).sum()
    told = [np.linalg.eigvalsh(information(u)) for u in usual.T]
    stretched = -0.5 * sum(np.log(sd[k] ** -2.0 + told[k]).sum() for k in range(2))
    of_sd = found["sd_year_z"]["fn"].log_prob(at["sd_year_z"]).sum()
    assert float(density - of_sd - stretched) == pytest.approx(float(plain), abs=1e-9)


def information(usual: np.ndarray) -> np.ndarray:
    functions = waves(TIMES, PERIOD, 3)
    centred = functions - (usual @ functions) / max(usual.sum(), 1e-300)
    return centred.T * usual @ centred


@pytest.mark.parametrize("z", [-7.0, 0.0])
def test_slopes_are_finite_at_small_spreads(z: float) -> None:
    fast = informed(lambda: two_streams(np.ones((30, 2)), np.full((30, 2), 1e4)), Pilot())
    at = {"sd_year_z": jnp.full(2, z), "year_coefficient_u": jnp.ones((2, 6))}
    slope = jax.grad(lambda at: log_density(fast, (), {}, at)[0])(at)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_it_has_the_posterior_of_its_closed_form() -> None:
    """Gaussian data and a spread that is known: against the normal equations."""
    rng, sd = np.random.default_rng(9), 0.4
    functions = waves(TIMES, PERIOD, 2)
    data = functions @ (sd * rng.standard_normal(4)) + NOISE * rng.standard_normal(30)
    usual = np.full(30, NOISE**-2.0)

    def model() -> None:
        effect = season("year", TIMES, PERIOD, 2, dist.HalfNormal(1.0), seen_along(data, usual, lambda sites: jnp.asarray(usual)))
        numpyro.sample("y", dist.Normal(effect, NOISE), obs=data)

    draws = sample(condition(model, {"sd_year": jnp.asarray(sd)}), Pilot(), Sampling(chains=2, draws=1000, warmup=200, seed=5))
    covariance = np.linalg.inv(functions.T @ functions / NOISE**2 + np.eye(4) / sd**2)
    centre = functions @ covariance @ functions.T @ data / NOISE**2
    width = np.sqrt(np.diag(functions @ covariance @ functions.T))
    found = draws.sites["year"].reshape(-1, 30)
    assert np.abs((found.mean(0) - centre) / width).max() < 0.15
    assert np.abs(found.std(0) / width - 1.0).max() < 0.1


def test_without_looks_it_is_sampled_in_units_of_its_spread() -> None:
    found = trace(seed(informed(lambda: season("year", TIMES, PERIOD, 2, dist.HalfNormal(1.0)), Pilot()), 0)).get_trace()
    np.testing.assert_allclose(found["year_coefficient"]["value"], found["sd_year"]["value"] * found["year_coefficient_u"]["value"])
