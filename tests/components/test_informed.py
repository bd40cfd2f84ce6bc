"""The parameterisation changes how a posterior is walked, never what it is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro import distributions as dist
from numpyro.handlers import reparam, seed, substitute, trace
from numpyro.infer.util import log_density

from bayestwin.components.hierarchy import pool, pooled
from bayestwin.components.informed import DataInformed, Evidence, Pilot, informed, seen, site
from bayestwin.components.scale import NormalScore
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling

NUMBER = st.floats(-3.0, 3.0)


def one_effect(mean: float, sd: float) -> None:
    numpyro.sample("x", dist.Normal(mean, sd))


def one_scale(prior: float) -> None:
    numpyro.sample("sd", dist.HalfNormal(prior))


@settings(max_examples=50, deadline=None)
@given(mean=NUMBER, sd=st.floats(0.05, 3.0), value=NUMBER, information=st.floats(0.0, 1e4), u=NUMBER)
def test_density_agrees_up_to_the_jacobian(mean: float, sd: float, value: float, information: float, u: float) -> None:
    fast = reparam(partial(one_effect, mean, sd), {"x": DataInformed(Evidence(value, information))})
    density, found = log_density(fast, (), {}, {"x_u": jnp.array(u)})
    x = found["x"]["value"]
    spread = 0.5 * np.log(1.0 / (sd**-2.0 + information))
    assert float(density - spread) == pytest.approx(float(dist.Normal(mean, sd).log_prob(x)), abs=1e-9)


def test_silent_effect_is_non_centred_and_rich_one_stays_at_its_pilot() -> None:
    fast = reparam(partial(one_effect, 1.0, 2.0), {"x": DataInformed(Evidence(5.0, 0.0))})
    assert float(trace(substitute(seed(fast, 0), {"x_u": jnp.array(1.5)})).get_trace()["x"]["value"]) == pytest.approx(1.0 + 2.0 * 1.5)
    fast = reparam(partial(one_effect, 1.0, 2.0), {"x": DataInformed(Evidence(5.0, 1e12))})
    assert float(trace(substitute(seed(fast, 0), {"x_u": jnp.array(1.5)})).get_trace()["x"]["value"]) == pytest.approx(5.0, abs=1e-5)


def test_rotated_effect_keeps_its_law_and_meets_its_evidence() -> None:
    """In a basis of the information's own directions the conditional law given u is the Gaussian posterior."""
    root = np.random.default_rng(0).normal(size=(3, 3))
    precision = root @ root.T + np.eye(3)
    information, basis = np.linalg.eigh(precision)
    value, mean, sd = np.array([1.0, -0.5, 2.0]), np.array([0.2, 0.1, -0.3]), 0.7

    def model() -> None:
        numpyro.sample("x", dist.Normal(jnp.asarray(mean), sd))

    fast = reparam(model, {"x": DataInformed(Evidence(value, information, basis))})
    posterior = np.linalg.inv(precision + np.eye(3) / sd**2)
    at = lambda u: np.asarray(trace(substitute(seed(fast, 0), {"x_u": jnp.asarray(u)})).get_trace()["x"]["value"])  # noqa: E731
    np.testing.assert_allclose(at(np.zeros(3)), posterior @ (precision @ value + mean / sd**2))
    spread = np.stack([at(e) - at(np.zeros(3)) for e in np.eye(3)], axis=1)
    np.testing.assert_allclose(spread @ spread.T, posterior)
    density, found = log_density(fast, (), {}, {"x_u": jnp.array([0.3, -1.0, 0.8])})
    plain = float(dist.Normal(mean, sd).log_prob(found["x"]["value"]).sum())
    assert float(density) == pytest.approx(plain + 0.5 * np.linalg.slogdet(posterior)[1])


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 2**31), tied=st.booleans(), based=st.booleans())
def test_effects_taken_together_have_the_plain_law_and_meet_their_evidence(number: int, tied: bool, based: bool) -> None:
    """Three members of three entries, one of them silent: density to the Jacobian, and the Gaussian posterior given u."""
    rng = np.random.default_rng(number)
    loc, value = rng.normal(size=(2, 3, 3))
    sd, lower = rng.lognormal(0.0, 2.0, 3), np.tril(rng.normal(size=(3, 3)))
    np.fill_diagonal(lower, rng.lognormal(0.0, 1.0, 3))
    root = lower if tied else np.diag(sd)
    information = rng.lognormal(0.0, 3.0, (3, 3)) * np.array([[1.0], [1.0], [0.0]])
    basis = np.linalg.qr(rng.normal(size=(3, 3, 3)))[0] if based or not tied else None
    plain = dist.MultivariateNormal(loc, scale_tril=root)

    def model() -> None:
        numpyro.sample("x", plain if tied else dist.Normal(jnp.asarray(loc), jnp.asarray(sd)).to_event(1))

    fast = reparam(model, {"x": DataInformed(Evidence(value, information, basis))})
    turned = np.broadcast_to(np.eye(3), (3, 3, 3)) if basis is None else basis
    precision = turned * information[:, None] @ np.swapaxes(turned, 1, 2)
    posterior = np.linalg.inv(precision + np.linalg.inv(root @ root.T))
    at = lambda u: np.asarray(log_density(fast, (), {}, {"x_u": jnp.asarray(u)})[1]["x"]["value"])  # noqa: E731
    centre = at(np.zeros((3, 3)))
    expected = loc + np.einsum("mij,mj->mi", posterior @ precision, value - loc)
    np.testing.assert_allclose(centre, expected, rtol=1e-6, atol=1e-9 * sd.max())
    spread = np.stack([at(np.broadcast_to(e, (3, 3))) - centre for e in np.eye(3)], axis=2)
    np.testing.assert_allclose(spread @ np.swapaxes(spread, 1, 2), posterior, rtol=1e-6, atol=1e-9 * posterior.max())
    u = rng.normal(size=(3, 3))
    density = log_density(fast, (), {}, {"x_u": jnp.asarray(u)})[0]
    stretched = np.linalg.slogdet(spread)[1].sum()
    assert float(density - stretched) == pytest.approx(float(plain.log_prob(at(u)).sum()), rel=1e-9, abs=1e-9)
    known = informed(model, Pilot({"x": lambda sites: Evidence(value, information, basis)}), {"x": jnp.asarray(at(u))})
    np.testing.assert_allclose(trace(known).get_trace()["x_u"]["value"], u, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("sd", [1e-200, 1e-30, 1e-9])
@pytest.mark.parametrize("basis", [None, np.eye(2)])
def test_a_spread_of_next_to_nothing_leaves_density_and_slope_finite(sd: float, basis: np.ndarray | None) -> None:
    def model(sd: jax.Array) -> None:
        numpyro.sample("x", dist.Normal(jnp.ones(2), sd * jnp.array([1.0, 2.0])))

    def density(sd: jax.Array, u: jax.Array) -> jax.Array:
        fast = reparam(partial(model, sd), {"x": DataInformed(Evidence(np.zeros(2), np.array([3.0, 1e6]), basis))})
        return log_density(fast, (), {}, {"x_u": u})[0]

    slope = jax.value_and_grad(density, (0, 1))(jnp.array(sd), jnp.array([0.4, -1.0]))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_only_normal_effects_can_be_informed() -> None:
    def model() -> None:
        numpyro.sample("x", dist.HalfNormal(1.0))

    with pytest.raises(ValueError, match="only a latent normal effect can be data-informed, got HalfNormal"):
        seed(reparam(model, {"x": DataInformed(Evidence(0.0, 1.0))}), 0)()


def test_pooling_by_hand() -> None:
    value, information = pool(np.array([1.0, 3.0, 7.0, 2.0]), np.array([4.0, 4.0, 0.0, 1.0]), np.array([0, 0, 1, 2]), 4, jnp.array(0.5))
    np.testing.assert_allclose(information, [2 / (0.25 + 0.25), 0.0, 1 / (0.25 + 1.0), 0.0])
    np.testing.assert_allclose(value, [2.0, 0.0, 2.0, 0.0])


def test_pooled_look_is_the_posterior_of_a_gaussian_hierarchy() -> None:
    """Two levels up from members seen with noise, the look is exact for every spread."""
    value, precision = np.array([0.3, 1.2, -0.4, 2.0, 0.9]), np.array([4.0, 1.0, 9.0, 0.5, 0.0])
    board = np.array([0, 0, 1, 2, 2])
    sites = {"sd_area": jnp.array(0.7), "sd_board": jnp.array(0.4), "slope": jnp.array(0.2)}
    covariate = np.array([1.0, -1.0, 0.5, 0.0, 2.0])
    area = seen(value, precision)
    boards = pooled(area, site("sd_area"), board, 3, lambda s: s["slope"] * covariate)
    mean, information, _ = pooled(boards, site("sd_board"))(sites)
    # The joint law of the members' estimates: y = level + board + area + noise, the silent member left out.
    known = precision > 0
    shared = (board[:, None] == board)[np.ix_(known, known)]
    covariance = 0.4**2 * shared + np.diag(0.7**2 + 1.0 / precision[known])
    weight = np.linalg.solve(covariance, np.ones(known.sum()))
    assert float(information) == pytest.approx(weight.sum())
    assert float(mean) == pytest.approx(weight @ (value - 0.2 * covariate)[known] / weight.sum())


@settings(max_examples=50, deadline=None)
@given(typical=st.floats(1e-3, 10.0), prior=st.floats(1e-3, 10.0), z=st.floats(-6.0, 4.0))
def test_scale_density_agrees_up_to_the_jacobian(typical: float, prior: float, z: float) -> None:
    fast = informed(partial(one_scale, prior), Pilot(start={"sd": np.array(typical)}))
    density, found = log_density(fast, (), {}, {"sd_z": jnp.array(z)})
    derivative = jax.grad(NormalScore(typical).inv)(z)
    assert float(density) == pytest.approx(float(dist.HalfNormal(prior).log_prob(found["sd"]["value"]) + jnp.log(derivative)), rel=1e-9)
    assert np.isfinite(jax.grad(lambda at: log_density(fast, (), {}, {"sd_z": at})[0])(z))


def test_score_is_zero_at_the_typical_value_and_its_own_inverse() -> None:
    score = NormalScore(0.3)
    assert float(score(0.3)) == pytest.approx(0.0, abs=1e-12)
    x = np.geomspace(1e-6, 8.0, 9)
    np.testing.assert_allclose(score.inv(score(x)), x, rtol=1e-8)


def test_looks_may_use_what_was_drawn_before() -> None:
    def model() -> None:
        first = numpyro.sample("first", dist.Normal(0.0, 1.0))
        numpyro.sample("second", dist.Normal(first, 1.0))

    fast = informed(model, Pilot({"second": lambda sites: Evidence(10.0 * sites["first"], 1e12)}))
    found = trace(substitute(seed(fast, 0), {"first": jnp.array(0.5), "second_u": jnp.array(0.0)})).get_trace()
    assert float(found["second"]["value"]) == pytest.approx(5.0, abs=1e-5)


Y = np.array([[2.1, 1.9, 2.4], [0.2, 0.1, -0.2], [1.1, 0.7, 0.9], [3.0, 2.7, 3.2]])


def groups() -> None:
    """Five groups, the last one silent."""
    sd = numpyro.sample("sd", dist.HalfNormal(2.0))
    level = numpyro.sample("level", dist.Normal(0.0, 3.0))
    effect = numpyro.sample("effect", dist.Normal(jnp.repeat(level, 5), sd))
    numpyro.sample("y", dist.Normal(effect[:4, None], 0.4), obs=Y)


def test_same_posterior_as_the_model_as_written() -> None:
    information = np.array([3 / 0.16] * 4 + [0.0])
    effect = seen(np.append(Y.mean(1), 0.0), information)
    pilot = Pilot({"effect": effect, "level": pooled(effect, site("sd"))}, {"sd": np.array(1.0)})
    settings_ = Sampling(chains=2, draws=1500, warmup=300, target_accept=0.95)
    fast, plain = sample(groups, pilot, settings_), sample(groups, Pilot(), settings_)
    assert fast.stats["diverging"].mean() < 0.01
    from arviz_stats import ess

    for name in ("level", "sd", "effect"):
        columns = [draws.sites[name].reshape(2, 1500, -1) for draws in (fast, plain)]
        for k in range(columns[0].shape[-1]):
            one, other = (column[..., k] for column in columns)
            error = np.sqrt(sum(c.var() / float(ess(c)) for c in (one, other)))
            assert abs(one.mean() - other.mean()) < 4.5 * error, name


def test_same_seed_same_draws() -> None:
    first, second = (sample(groups, Pilot(), Sampling(chains=2, draws=50, warmup=50, seed=3)) for _ in range(2))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first.sites, second.sites))


def test_sites_named_like_auxiliary_ones_are_kept() -> None:
    def model() -> None:
        numpyro.sample("slope_u", dist.Normal(0.0, 1.0))
        numpyro.sample("sd", dist.HalfNormal(1.0))

    assert set(sample(model, Pilot(), Sampling(chains=2, draws=50, warmup=50)).sites) == {"slope_u", "sd"}


@pytest.mark.parametrize("sd", [1e-3, 1e-9, 1e-15, 1e-30])
def test_at_a_spread_near_zero_an_effect_is_exact(sd: float) -> None:
    """A centre less the mean would be rounding noise as large as the spread, and with it density and effect."""
    fast = reparam(partial(one_effect, 1.5, sd), {"x": DataInformed(Evidence(0.7, 100.0))})
    density, _ = log_density(fast, (), {}, {"x_u": jnp.array(0.4)})
    towards = sd * 100.0 * (0.7 - 1.5) / np.sqrt(1.0 + 100.0 * sd**2)  # of the data, in units of the effect's spread
    expected = dist.Normal(-towards, np.sqrt(1.0 + 100.0 * sd**2)).log_prob(0.4)
    assert float(density) == pytest.approx(float(expected), abs=1e-9)
