import numpy as np
import pytest
from scipy import stats

from bayestwin.components.chance import SMALL, binomial, gamma, gamma_poisson, poisson


def drawn(mean: np.ndarray, concentration: np.ndarray, inner: int = 50) -> np.ndarray:
    return gamma_poisson(np.random.default_rng(7), mean, concentration, inner)


@pytest.mark.parametrize("mean", [4.0, 99.0, 101.0, 5e4])
def test_counts_have_the_negative_binomial_mean_and_variance(mean: float) -> None:
    found = drawn(np.full((1, 1), mean), np.full((1, 1), 25.0), 200_000)
    assert found.mean() == pytest.approx(mean, rel=0.01)
    assert found.var() == pytest.approx(mean + mean**2 / 25.0, rel=0.02)


def test_large_counts_are_at_most_one_off_the_poissonpoisson() -> None:
    normal = np.linspace(-3.5, 3.5, 2001)
    exact = stats.poisson.ppf(stats.norm.cdf(normal), SMALL)
    off = np.abs(poisson(normal, np.full(2001, SMALL)) - exact)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.05


def test_what_is_not_changed_stays_exactly_as_it_was() -> None:
    mean, concentration = np.full((3, 4), 60.0), np.full((3, 4), 30.0)
    more, other = mean.copy(), concentration.copy()
    more[:, 1] *= 1.5
    other[2, 3] = 5.0
    before, after = drawn(mean, concentration), drawn(more, other)
    np.testing.assert_array_equal(before[:, :2, [0, 2, 3]], after[:, :2, [0, 2, 3]])
    assert (after[..., 1] > before[..., 1]).mean() > 0.99


def test_a_further_unit_leaves_the_others_and_the_generator_alone() -> None:
    few, many = np.random.default_rng(1), np.random.default_rng(1)
    alone = gamma_poisson(few, np.full((3, 4), 60.0), np.full((3, 4), 30.0), 5)
    joined = gamma_poisson(many, np.full((3, 5), 60.0), np.full((3, 5), 30.0), 5)
    np.testing.assert_array_equal(alone, joined[..., :4])
    assert few.uniform() == many.uniform()


@pytest.mark.parametrize("mean", [0.05, 3.0, 40.0, 99.0])
def test_small_counts_are_the_poisson_quantile(mean: float) -> None:
    normal = np.linspace(-5.0, 5.0, 501)
    np.testing.assert_array_equal(poisson(normal, np.array(mean)), stats.poisson.ppf(stats.norm.cdf(normal), mean))


@pytest.mark.parametrize(("number", "chance"), [(0, 0.5), (4, 0.3), (20, 0.9999), (90, 0.8)])
def test_binomial_counts_are_the_quantile(number: int, chance: float) -> None:
    normal = np.linspace(-5.0, 5.0, 501)
    found = binomial(normal, np.array(number), np.array(chance))
    np.testing.assert_array_equal(found, stats.binom.ppf(stats.norm.cdf(normal), number, chance).clip(0))


@pytest.mark.parametrize("shape", [0.5, 1.0, 7.0, 200.0])
def test_gamma_values_have_the_gamma_mean_and_sd(shape: float) -> None:
    found = gamma(np.random.default_rng(0).standard_normal(400_000), np.array(shape))
    assert found.mean() == pytest.approx(shape, rel=0.015)
    assert found.std() == pytest.approx(shape**0.5, rel=0.03)
    assert gamma(np.zeros(1), np.zeros(1))[0] == 0.0
