"""Effects that go together: the law that is written, and a member that is seen in one stream speaks of the others."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro import distributions as dist
from numpyro.handlers import condition, seed, substitute, trace
from numpyro.infer.util import log_density

from bayestwin.components.correlated import correlated
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import Pilot, informed, seen
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling

MEAN = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def four_members(value: np.ndarray, information: np.ndarray) -> Callable[[], None]:
    def model() -> None:
        correlated("effect", jnp.asarray(MEAN), dist.HalfNormal(jnp.ones(3)), 2.0, seen(value, information))

    return model


@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 2**31))
def test_densities_in_both_parameterisations_agree_up_to_the_jacobian(number: int) -> None:
    """The first member is silent, and about half of the others' streams."""
    rng = np.random.default_rng(number)
    value, information = rng.normal(size=(4, 3)), rng.lognormal(1.0, 2.0, (4, 3)) * (rng.random((4, 3)) > 0.5)
    information[0] = 0.0
    sd, factor = rng.lognormal(size=3), np.asarray(dist.LKJCholesky(3, 2.0).sample(jax.random.key(number)))
    held = {"sd_effect": jnp.asarray(sd), "effect_factor": jnp.asarray(factor)}
    fast = informed(condition(four_members(value, information), held), Pilot())
    density, found = log_density(fast, (), {}, {"effect_u": jnp.asarray(rng.normal(size=(4, 3)))})
    of_held = sum(found[name]["fn"].log_prob(value).sum() for name, value in held.items())
    root = sd[:, None] * factor
    plain = dist.MultivariateNormal(MEAN, scale_tril=root).log_prob(found["effect"]["value"]).sum()
    in_units = np.eye(3) + np.einsum("ji,mj,jk->mik", root, information, root)
    stretched = 4 * np.log(np.diag(root)).sum() - 0.5 * np.linalg.slogdet(in_units)[1].sum()
    assert float(density - of_held - stretched) == pytest.approx(float(plain), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(found["correlation_effect"]["value"], factor @ factor.T)


def test_a_member_seen_in_one_stream_speaks_of_the_others_and_a_silent_one_follows_its_mean() -> None:
    information = np.zeros((4, 3))
    information[1, 0] = 1e12
    factor = np.linalg.cholesky(0.8 + 0.2 * np.eye(3))
    held = {"sd_effect": jnp.array([1.0, 2.0, 1.0]), "effect_factor": jnp.asarray(factor)}
    fast = informed(condition(four_members(MEAN + 1.0, information), held), Pilot())
    found = trace(substitute(fast, {"effect_u": jnp.zeros((4, 3))})).get_trace()["effect"]["value"]
    np.testing.assert_allclose(found - MEAN, [[0.0] * 3, [1.0, 1.6, 0.8], [0.0] * 3, [0.0] * 3], atol=1e-6)


@pytest.mark.parametrize("sd", [1e-12, 1e-3, 1.0])
def test_slopes_are_finite_at_small_spreads_and_near_full_correlation(sd: float) -> None:
    model = four_members(MEAN + 1.0, np.full((4, 3), 1e4))
    factor = jnp.asarray(np.linalg.cholesky(1.0 - 1e-9 + 1e-9 * np.eye(3)))

    def density(sd: jax.Array, factor: jax.Array, u: jax.Array) -> jax.Array:
        fast = informed(condition(model, {"sd_effect": jnp.full(3, sd), "effect_factor": factor}), Pilot())
        return log_density(fast, (), {}, {"effect_u": u})[0]

    slope = jax.value_and_grad(density, (0, 1, 2))(jnp.array(sd), factor, jnp.ones((4, 3)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def members_of_groups(tied: bool, information: np.ndarray) -> Callable[[], None]:
    def model() -> None:
        groups = Level("group", dist.HalfNormal(jnp.full(2, 0.5)), np.zeros(2, int))
        members = Level("member", dist.HalfNormal(jnp.ones(2)), np.array([0, 0, 1, 1]), 2.0 if tied else None)
        *_, member = hierarchy("level", dist.Normal(jnp.zeros(2), 1.0), [groups, members], seen(np.ones((4, 2)), information))
        numpyro.deterministic("shown", member)

    return model


def test_a_level_of_a_hierarchy_may_tie_its_members() -> None:
    information = np.array([[4.0, 0.0], [1.0, 2.0], [0.0, 0.0], [9.0, 1.0]])
    untied = trace(seed(informed(members_of_groups(False, information), Pilot()), 1)).get_trace()
    held = {"sd_group_z": untied["sd_group_z"]["value"], "sd_member_z": untied["sd_member_z"]["value"], "member_factor": jnp.eye(2)}
    held |= {name: untied[name]["value"] for name in ("level_u", "group_u", "member_u")}
    tied = trace(substitute(seed(informed(members_of_groups(True, information), Pilot()), 1), held)).get_trace()
    assert {"sd_member", "correlation_member", "member"} < set(tied)
    np.testing.assert_allclose(tied["member"]["value"], untied["member"]["value"])  # without correlation nothing else is different


@pytest.mark.slow
def test_same_posterior_as_the_model_as_written() -> None:
    """Means and sds of a small problem: informed, and by the standard form in which effects are independent numbers times a root."""
    rng = np.random.default_rng(3)
    noise = np.where(rng.random((20, 2)) > 0.3, 0.3, np.inf)
    noise[:3] = np.inf
    data = rng.multivariate_normal([1.0, -1.0], [[1.0, 0.6], [0.6, 1.0]], 20) + 0.3 * rng.standard_normal((20, 2))
    usual = noise**-2.0

    def fast() -> None:
        level = numpyro.sample("level", dist.Normal(jnp.zeros(2), 2.0))
        mean = jnp.broadcast_to(level, (20, 2))
        effect = correlated("effect", mean, dist.HalfNormal(jnp.ones(2)), 2.0, seen(data, usual))
        numpyro.sample("y", dist.Normal(effect, 0.3).mask(usual > 0), obs=data)

    def plain() -> None:
        level = numpyro.sample("level", dist.Normal(jnp.zeros(2), 2.0))
        sd = numpyro.sample("sd_effect", dist.HalfNormal(jnp.ones(2)))
        factor = numpyro.sample("factor", dist.LKJCholesky(2, 2.0))
        numpyro.deterministic("correlation_effect", factor @ factor.T)
        effect = level + numpyro.sample("z", dist.Normal(jnp.zeros((20, 2)), 1.0)) @ (sd[:, None] * factor).T
        numpyro.sample("y", dist.Normal(numpyro.deterministic("effect", effect), 0.3).mask(usual > 0), obs=data)

    ours = sample(fast, Pilot(), Sampling(chains=2, draws=1500, warmup=200, seed=5)).sites
    theirs = sample(plain, Pilot(), Sampling(chains=2, draws=1500, warmup=200, seed=6)).sites
    for name in ("level", "sd_effect", "correlation_effect", "effect"):
        one, other = (sites[name].reshape(3000, -1) for sites in (ours, theirs))
        width = np.maximum(other.std(0), 1e-6)
        assert np.abs((one.mean(0) - other.mean(0)) / width).max() < 0.25, name
        assert np.abs(one.std(0) / width - 1.0)[other.std(0) > 1e-6].max() < 0.2, name
