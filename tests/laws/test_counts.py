import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from numpyro import distributions as dist

from bayestwin.laws.counts import DirichletMultinomial, NegativeBinomial, agreement, log_gamma, log_powers
from bayestwin.laws.expected import Counts


def test_log_gamma_and_its_derivative() -> None:
    x = np.logspace(-6, 6, 500)
    np.testing.assert_allclose(log_gamma(jnp.asarray(x)), scipy.special.gammaln(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(log_gamma))(jnp.asarray(x)), scipy.special.digamma(x), rtol=1e-8)


@pytest.mark.parametrize(("mean", "concentration"), [(0.3, 0.5), (50.0, 400.0), (6e4, 2e3)])
def test_negative_binomial_is_scipys_and_has_mass_one(mean: float, concentration: float) -> None:
    counts = np.arange(0, 400)
    found = NegativeBinomial(mean, concentration).log_prob(jnp.asarray(counts))
    np.testing.assert_allclose(
        found, scipy.stats.nbinom(concentration, concentration / (concentration + mean)).logpmf(counts), rtol=1e-9, atol=1e-9
    )
    if mean < 100:
        assert float(jnp.exp(found).sum()) == pytest.approx(1.0, abs=1e-6)


def plain_powers(counts: jax.Array, mean: jax.Array, k: jax.Array) -> jax.Array:
    return -counts * jnp.log1p(k / mean) - k * jnp.log1p(mean / k)


@pytest.mark.parametrize("shape", [(), (3,), (4, 1)])
def test_powers_have_the_slopes_that_jax_finds(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    counts, mean, k = (
        rng.poisson(9.0, (4, 3)).astype(float),
        jnp.asarray(rng.gamma(3.0, 4.0, (4, 3))),
        jnp.asarray(rng.gamma(3.0, 4.0, shape)),
    )
    ours, theirs = (
        jax.value_and_grad(lambda mean, k, law=law: jnp.sin(law(counts, mean, k)).sum(), (0, 1))(mean, k)
        for law in (log_powers, plain_powers)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11), ours, theirs)
    bends = [
        jax.hessian(lambda both, law=law: law(counts, both[0], both[1]).sum())(jnp.array([9.0, 4.0])) for law in (log_powers, plain_powers)
    ]
    np.testing.assert_allclose(*bends, rtol=1e-9)


def test_a_law_of_many_means_at_once_is_each_ones() -> None:
    mean, k, counts = jnp.array([1.0, 4.0, 9.0]), jnp.array([2.0, 5.0, 0.5]), jnp.zeros((3, 3))
    together = jax.vmap(lambda one: NegativeBinomial(one, k))(mean).log_prob(counts)
    np.testing.assert_allclose(together, NegativeBinomial(mean[:, None], k).log_prob(counts), rtol=1e-12)


@pytest.mark.parametrize("counts", [3, np.uint8(3), np.int16(3), np.array([3], np.uint8)])
def test_counts_and_means_may_be_whole_numbers(counts: object) -> None:
    for law in (lambda k: NegativeBinomial(5, k).log_prob(counts), lambda k: Counts(np.array(5), k).log_pmf(counts)):
        value, slope = jax.value_and_grad(lambda k, law=law: jnp.sum(law(k)))(2.0)
        assert float(value) == pytest.approx(scipy.stats.nbinom(2.0, 2.0 / 7.0).logpmf(3), rel=1e-12)
        step = 1e-6
        ends = [scipy.stats.nbinom(k, k / (k + 5.0)).logpmf(3) for k in (2.0 - step, 2.0 + step)]
        assert float(slope) == pytest.approx((ends[1] - ends[0]) / (2.0 * step), rel=1e-6)


def test_dirichlet_multinomial_is_numpyros() -> None:
    alpha, counts = jnp.array([[3.0, 40.0, 0.2], [1.0, 1.0, 1.0]]), jnp.array([[4, 60, 1], [9, 0, 2]])
    law, theirs = (kind(alpha, total_count=counts.sum(-1)) for kind in (DirichletMultinomial, dist.DirichletMultinomial))
    np.testing.assert_allclose(law.log_prob(counts), theirs.log_prob(counts), rtol=1e-10)


def test_absent_category_takes_no_count_and_changes_nothing() -> None:
    counts = jnp.array([5, 7, 0])
    with_absent = DirichletMultinomial(jnp.array([2.0, 3.0, 1e-9]), total_count=12).log_prob(counts)
    without = DirichletMultinomial(jnp.array([2.0, 3.0]), total_count=12).log_prob(counts[:2])
    assert float(with_absent) == pytest.approx(float(without), abs=1e-7)


def test_draws_have_the_stated_moments() -> None:
    rng = np.random.default_rng(0)
    law = NegativeBinomial(jnp.full(50_000, 30.0), 8.0)
    drawn = law.draw(rng, **{name: np.asarray(v) for name, v in law.chance().items()})
    assert drawn.mean() == pytest.approx(30.0, rel=0.02)
    assert drawn.var() == pytest.approx(30.0 + 900.0 / 8.0, rel=0.05)
    shares = DirichletMultinomial(jnp.array([2.0, 5.0, 3.0]), total_count=jnp.full(50_000, 40))
    drawn = shares.draw(rng, **{name: np.asarray(v) for name, v in shares.chance().items()})
    assert (drawn.sum(-1) == 40).all()
    np.testing.assert_allclose(drawn.mean(0), [8.0, 20.0, 12.0], rtol=0.02)
    np.testing.assert_allclose(drawn.var(0), 40 * np.array([0.16, 0.25, 0.21]) * 50 / 11, rtol=0.05)


@pytest.mark.parametrize("concentration", [30.0, 1000.0])
def test_agreement_is_that_of_the_law_whatever_is_unseen_or_shared(concentration: float) -> None:
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.full(4, 5.0), 30)
    weeks = np.exp(0.05 * rng.standard_normal((40, 1, 4)))  # a pattern of weeks that all units share
    alpha = concentration * share * weeks / (share * weeks).sum(-1, keepdims=True)
    counts = DirichletMultinomial.draw(rng, alpha, np.full((40, 30), 20_000))
    seen = rng.random((40, 30)) < 0.8
    seen[:, 3] = False
    assert agreement(np.where(seen[..., None], counts, 0), seen) == pytest.approx(concentration, rel=0.25)


@pytest.mark.parametrize("concentration", [1e9, 1e12, 1e16, 1e30, 1e200])
def test_however_large_the_concentration_counts_are_as_good_as_poisson(concentration: float) -> None:
    mean, counts = jnp.array([0.5, 30.0, 400.0]), np.array([0.0, 41.0, 390.0])
    k = jnp.full(3, concentration)
    expected = scipy.stats.poisson.logpmf(counts, mean)
    np.testing.assert_allclose(np.asarray(NegativeBinomial(mean, k).log_prob(jnp.asarray(counts))), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(Counts(mean, k).log_pmf(counts)), expected, atol=1e-5)
    for low, high in ((counts, counts + 3.0), (counts, np.full(3, np.inf)), (counts, counts + 200.0)):
        mass = np.log(scipy.stats.poisson.cdf(high, mean) - scipy.stats.poisson.cdf(low - 1.0, mean))
        np.testing.assert_allclose(np.asarray(Counts(mean, k).log_mass(low, high)), mass, rtol=1e-4, atol=1e-5)
    slope = jax.grad(lambda log_k: Counts(mean, jnp.exp(log_k) * jnp.ones(3)).log_pmf(counts).sum())(jnp.log(concentration))
    assert abs(float(slope)) < 1e-5
