"""Nested levels and walks: the law that is written, whatever coordinates it is sampled in."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from numpyro import distributions as dist
from numpyro.handlers import condition, seed, substitute, trace
from numpyro.infer.util import constrain_fn, log_density

from bayestwin.components.counted import count_looks
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import Pilot, informed, seen
from bayestwin.components.trend import cosine_basis, random_walk
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling

CLINIC_OF, REGION_OF = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 0, 1])
NAMES = ("sd_region", "sd_clinic", "sd_provider", "level", "region", "clinic", "provider")


def three_levels(information: np.ndarray) -> Callable[[], None]:
    """Providers in clinics in regions, two streams; information (6, 2) about providers, zero where silent."""
    value = np.linspace(-1.0, 2.0, 12).reshape(6, 2)

    def model() -> None:
        regions = Level("region", dist.HalfNormal(0.3), np.zeros(2, int))
        clinics = Level("clinic", dist.HalfNormal(jnp.array([0.3, 0.5])), REGION_OF)
        providers = Level("provider", dist.HalfNormal(0.4), CLINIC_OF)
        hierarchy("level", dist.Normal(jnp.zeros(2), 1.0), [regions, clinics, providers], seen(value, information))

    return model


@settings(max_examples=10, deadline=None)
@given(number=st.integers(0, 2**31))
def test_densities_in_both_parameterisations_agree_up_to_the_jacobian(number: int) -> None:
    rng = np.random.default_rng(number)
    model = three_levels(rng.lognormal(1.0, 2.0, (6, 2)) * (rng.random((6, 2)) > 0.3))
    fast = informed(model, Pilot())
    latent = {name: site["value"] for name, site in trace(seed(fast, 0)).get_trace().items() if site["type"] == "sample"}
    flat, by_name = ravel_pytree(jax.tree.map(lambda value: jnp.asarray(0.4 * rng.standard_normal(np.shape(value))), latent))

    def natural(flat: jax.Array) -> jax.Array:
        found = constrain_fn(fast, (), {}, by_name(flat), return_deterministic=True)
        return ravel_pytree({name: found[name] for name in NAMES})[0]

    values = {name: constrain_fn(fast, (), {}, by_name(flat), return_deterministic=True)[name] for name in NAMES}
    fast_density = log_density(fast, (), {}, by_name(flat))[0]
    plain_density = sum(_densities(model, values))
    stretched = np.linalg.slogdet(np.asarray(jax.jacobian(natural)(flat)))[1]
    assert float(fast_density) == pytest.approx(float(plain_density + stretched), abs=1e-9)


def _densities(model: Callable[[], None], values: dict[str, jax.Array]) -> list[jax.Array]:
    found = trace(substitute(seed(model, 0), values)).get_trace()
    return [found[name]["fn"].log_prob(values[name]).sum() for name in NAMES]


def test_a_silent_provider_follows_its_clinic_and_a_rich_one_the_data() -> None:
    information = np.zeros((6, 2))
    information[0] = 1e9
    at = {"provider_u": jnp.ones((6, 2))}
    found = trace(substitute(seed(informed(three_levels(information), Pilot()), 1), at)).get_trace()
    np.testing.assert_allclose(found["provider"]["value"][0], [-1.0, -1.0 + 3.0 / 11.0], atol=1e-3)
    expected = found["clinic"]["value"][1] + found["sd_provider"]["value"]
    np.testing.assert_allclose(found["provider"]["value"][2], expected, rtol=1e-12)


def test_a_level_and_a_walk_have_the_law_of_the_plain_form() -> None:
    """Level and first step are split after what the data see of both: the joint density is that of independent steps."""
    times, step, prior = 6, 0.3, dist.Normal(0.5, 0.8)

    def model() -> None:
        walk = random_walk("trend", times, dist.HalfNormal(1.0))
        both = numpyro.sample("both", walk.seen_level(prior))
        _, path = walk.split("level", prior, both)
        numpyro.deterministic("path", path)

    rng, basis = np.random.default_rng(3), cosine_basis(times)[0]
    apart = []
    for _ in range(5):
        level, steps = rng.normal(0.5, 0.8), step * rng.standard_normal(times)
        path = steps.cumsum()
        sites = {"sd_trend": step, "trend_coefficient": basis @ path, "both": level + path.mean(), "level": level}
        density, found = log_density(model, (), {}, {name: jnp.asarray(value) for name, value in sites.items()})
        np.testing.assert_allclose(found["path"]["value"], path, atol=1e-12)
        plain = prior.log_prob(level) + dist.Normal(0.0, step).log_prob(steps).sum() + dist.HalfNormal(1.0).log_prob(step)
        apart.append(float(density - plain))
    np.testing.assert_allclose(apart, 0.5 * np.log(times), atol=1e-9)  # of the linear map from steps and level, the same everywhere


def test_looks_at_counts_find_units_and_what_they_share() -> None:
    rng = np.random.default_rng(8)
    rate, trend = rng.normal(3.0, 0.5, 200), 0.2 * np.sin(np.arange(30) / 5.0)
    trend -= trend.mean()
    counts = rng.poisson(np.exp(rate + trend[:, None]) * rng.gamma(10.0, 0.1, (30, 200)))
    known = np.broadcast_to(np.arange(200) < 150, counts.shape) & (rng.random(counts.shape) > 0.3)
    looks = count_looks(counts, known, lambda sites: 10.0)
    value, information, _ = looks.units({})
    error = (np.asarray(value) - rate)[:150] * np.sqrt(np.asarray(information)[:150])
    assert 0.8 < error.std() < 1.3
    assert (np.asarray(information)[150:] == 0.0).all()
    value, information, _ = looks.coefficients({})
    error = (np.asarray(value) - cosine_basis(30)[0] @ trend) * np.sqrt(np.asarray(information))
    assert 0.6 < error.std() < 1.5


def test_a_model_of_components_has_the_posterior_of_its_closed_form() -> None:
    """One unit, Gaussian data: level and walk through the looks, against the normal equations."""
    rng, times, step, noise = np.random.default_rng(9), 8, 0.3, 0.2
    data = 1.0 + (step * rng.standard_normal(times)).cumsum() + noise * rng.standard_normal(times)
    prior = dist.Normal(0.0, 1.0)
    basis, _ = cosine_basis(times)

    def model() -> None:
        walk = random_walk("trend", times, dist.HalfNormal(1.0), seen(basis @ data, noise**-2))
        (both,) = hierarchy("both", walk.seen_level(prior), [], seen(data.mean(), times / noise**2))
        numpyro.sample("y", dist.Normal(both + walk.departure, noise), obs=data)
        walk.split("level", prior, both)

    known = condition(model, {"sd_trend": jnp.asarray(step)})
    draws = sample(known, Pilot(), Sampling(chains=2, draws=2000, warmup=200, seed=5))
    walk = step**2 * np.minimum.outer(np.arange(1, times + 1), np.arange(1, times + 1))
    covariance = walk + 1.0 + noise**2 * np.eye(times)
    gain = np.linalg.solve(covariance, np.ones(times))
    mean, sd = gain @ data, np.sqrt(1.0 - gain.sum())
    level = draws.sites["level"].ravel()
    assert abs(level.mean() - mean) < 0.05
    assert abs(level.std() / sd - 1.0) < 0.06
