"""Sums of unlike NB2 counts have no closed form: their moments are exact, and their law is close."""

import jax.numpy as jnp
import numpy as np
import pytest
from registry import MONDAY, grid
from scipy import stats

from bayestwin.barriers import Aggregate, Consent, DateShift, Grid, Linkage, Revision, Unknown
from bayestwin.laws.expected import Counts

N = np.arange(700)


def nb(mean: float, k: float) -> np.ndarray:
    return stats.nbinom(k, k / (k + mean)).pmf(N)


def convolved(laws: list[np.ndarray]) -> np.ndarray:
    total = laws[0]
    for law in laws[1:]:
        total = np.convolve(total, law)[: len(N)]
    return total


def against(exact: np.ndarray, mean: float, k: float) -> float:
    """Total variation from the matched law, whose mean and variance must be right to start with."""
    assert mean == pytest.approx((N * exact).sum(), rel=1e-6)
    assert mean + mean**2 / k == pytest.approx((N**2 * exact).sum() - mean**2, rel=1e-5)
    return 0.5 * np.abs(exact - nb(mean, k)).sum()


def test_a_week_of_unlike_days() -> None:
    means, k = np.array([9.0, 7.0, 6.0, 6.0, 5.0, 0.5, 0.2]), 3.0
    law = Aggregate(period="week").expect(Counts(jnp.asarray(means), jnp.asarray(k)), Grid({"day": MONDAY + np.arange(7)}), {})
    distance = against(convolved([nb(m, k) for m in means]), float(law.mean[0]), float(law.concentration[0]))
    assert distance < 0.005


def test_a_sum_of_alike_parts_is_exact() -> None:
    means, k = np.full(7, 4.0), 3.0
    law = Aggregate(period="week").expect(Counts(jnp.asarray(means), jnp.asarray(k)), Grid({"day": MONDAY + np.arange(7)}), {})
    assert against(convolved([nb(m, k) for m in means]), float(law.mean[0]), float(law.concentration[0])) < 1e-9


def test_shifted_days() -> None:
    means = np.array([12.0, 3.0, 1.0])
    law = DateShift(days=1).expect(Counts(jnp.asarray(means), jnp.asarray(2.0)), Grid({"day": MONDAY + np.arange(3)}), {})
    middle = convolved([nb(m / 3, 2.0) for m in means])
    assert against(middle, float(law.mean[2]), float(law.concentration[2])) < 0.02


def test_links_that_are_missed_and_false() -> None:
    law = Linkage(missed=0.2, false=1.5).expect(Counts(jnp.asarray(10.0), jnp.asarray(3.0)), grid(1, 1), {})
    exact = convolved([nb(8.0, 3.0), stats.poisson(1.5).pmf(N)])
    assert against(exact, float(law.mean), float(law.concentration)) < 0.02


def test_the_hidden_category() -> None:
    cells = Grid({"band": np.array(["under", "a", "b", "over"])})
    law = Unknown(category="?", structural=True, null=0.3).expect(
        Counts(jnp.array([1.0, 10.0, 20.0, 2.0]), jnp.asarray(4.0)), cells, {"slope": 0.0}
    )
    exact = convolved([nb(1.0, 4.0), nb(3.0, 4.0), nb(6.0, 4.0), nb(2.0, 4.0)])
    assert against(exact, float(law.mean[-1]), float(law.concentration[-1])) < 0.01


@pytest.mark.parametrize("z", [-1.0, 1.0])
def test_versions_with_too_little_and_too_much(z: float) -> None:
    """Too much is drawn as counts beside those there; its law is that of a larger mean."""
    revision = Revision(log_sd=0.1)
    clean = np.full(200_000, 30)
    drawn = revision.draw(np.random.default_rng(0), clean, Grid({"n": np.arange(200_000)}), {"z": z})
    assert drawn.mean() == pytest.approx(30.0 * np.exp(0.1 * z), rel=0.002)
    assert float(revision.expect(Counts(jnp.asarray(30.0)), grid(1, 1), {"z": z}).mean) == pytest.approx(30.0 * np.exp(0.1 * z))


def test_consent_that_goes_with_the_rate() -> None:
    """The closed form against a population that consents by a logistic law of its log rate."""
    consent, rng = Consent(fraction=0.67, spread=0.53), np.random.default_rng(0)
    u = rng.standard_normal(2_000_000)
    for slope in (-1.0, -0.5, 0.5, 1.0):
        level = _level(slope, u[:100_000], 0.67)
        takes_part = rng.random(u.size) < 1.0 / (1.0 + np.exp(-level - slope * u))
        ratio = np.exp(0.53 * u[takes_part]).mean() / np.exp(0.53 * u).mean()
        assert float(consent.share({"slope": slope})) / 0.67 == pytest.approx(ratio, rel=0.01)


def _level(slope: float, u: np.ndarray, share: float) -> float:
    from scipy.optimize import brentq

    return brentq(lambda level: (1.0 / (1.0 + np.exp(-level - slope * u))).mean() - share, -5.0, 5.0)
