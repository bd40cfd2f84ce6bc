"""Bounded counts, bounded scores, and what counts are expected to be given what was released of them."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayestwin.laws.expected import Counts
from bayestwin.laws.score import Score
from bayestwin.laws.trials import Trials
from bayestwin.laws.widths import Widths
from bayestwin.laws.within import still_to_come, within

NUMBER, CHANCE = np.array([20.0, 12.0, 0.0, 7.0]), np.array([0.3, 0.9, 0.5, 0.001])


@pytest.mark.parametrize(("low", "high"), [(3, 3), (1, 10), (0, 0), (5, np.inf), (0, np.inf), (-np.inf, np.inf)])
def test_trials_between_two_ends_agree_with_scipy(low: float, high: float) -> None:
    found = Trials(NUMBER, jnp.asarray(CHANCE)).log_mass(np.full(4, float(low)), np.full(4, float(high)))
    law = stats.binom(NUMBER.astype(int), CHANCE)
    first = law.cdf(low - 1) if np.isfinite(low) else np.zeros(4)
    expected = law.cdf(high) - first
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-12)


def test_trials_have_mass_one_and_finite_gradients() -> None:
    number = np.full(21, 20.0)

    def total(chance: jax.Array) -> jax.Array:
        return jnp.exp(Trials(number, chance * jnp.ones(21)).log_mass(np.arange(21.0), np.arange(21.0))).sum()

    for chance in (1e-4, 0.3, 1.0 - 1e-4):
        value, slope = jax.value_and_grad(total)(jnp.array(chance))
        assert value == pytest.approx(1.0, abs=1e-10)
        assert abs(slope) < 1e-6


def test_trials_draw_from_their_law() -> None:
    drawn = Trials(np.full(20_000, 15.0), jnp.full(20_000, 0.4)).draw(np.random.default_rng(0))
    seen = np.bincount(drawn, minlength=16)
    expected = 20_000 * stats.binom(15, 0.4).pmf(np.arange(16))
    keep = expected > 5
    assert stats.chisquare(seen[keep], expected[keep] * seen[keep].sum() / expected[keep].sum()).pvalue > 1e-4


def test_a_score_has_mass_one_and_is_the_logit_normal_density() -> None:
    law = Score(jnp.array([0.6]), jnp.array([0.5]), 100.0)
    cells = np.linspace(0.0, 100.0, 2001)
    masses = [float(jnp.exp(law.log_mass(np.array([a]), np.array([b])))[0]) for a, b in pairwise(cells)]
    assert sum(masses) == pytest.approx(1.0, abs=1e-9)
    density = float(jnp.exp(law.log_mass(np.array([70.0]), np.array([70.0])))[0])
    narrow = float(jnp.exp(law.log_mass(np.array([69.99]), np.array([70.01])))[0]) / 0.02
    assert density == pytest.approx(narrow, rel=1e-4)


def test_scores_draw_from_their_law_and_stay_on_the_scale() -> None:
    drawn = Score(jnp.full(5_000, 0.6), jnp.full(5_000, 0.5), 100.0).draw(np.random.default_rng(0))
    assert ((drawn > 0) & (drawn < 100)).all()
    assert stats.kstest(np.log(drawn / (100 - drawn)), stats.norm(0.6, 0.5).cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    "law", [Counts(jnp.full(3, 8.0)), Counts(jnp.full(3, 8.0), jnp.array(3.0)), Trials(np.full(3, 30.0), jnp.full(3, 0.25))]
)
def test_moments_within_ends_are_those_of_draws_that_fall_there(law: Counts | Trials) -> None:
    rng = np.random.default_rng(1)
    wide = (
        Counts(jnp.full(200_000, 8.0), law.concentration)
        if isinstance(law, Counts)
        else Trials(np.full(200_000, 30.0), jnp.full(200_000, 0.25))
    )
    drawn = wide.draw(rng).astype(float)
    hidden = drawn[(drawn >= 1) & (drawn <= 10)]
    found = within(law, np.array([[1, 10], [4, 4], [-np.inf, np.inf]]))
    np.testing.assert_allclose(found.mean, [hidden.mean(), 4.0, drawn.mean()], rtol=0.01)
    np.testing.assert_allclose(found.variance, [hidden.var(), 0.0, drawn.var()], rtol=0.03)


@pytest.mark.parametrize("concentration", [None, 4.0])
def test_what_is_still_to_come_completes_the_count(concentration: float | None) -> None:
    rng = np.random.default_rng(2)
    size, share = 400_000, 0.6
    whole = Counts(jnp.full(size, 9.0), None if concentration is None else jnp.array(concentration)).draw(rng)
    reported = rng.binomial(whole, share)
    law = Counts(jnp.full(1, 9.0), None if concentration is None else jnp.array(concentration))
    for n in (0, 4, 9):
        chosen = whole[reported == n].astype(float)
        found = still_to_come(within(law, np.array([[float(n), float(n)]])), law, jnp.full(1, share))
        assert float(found.mean[0]) == pytest.approx(chosen.mean(), rel=0.02)
        assert float(found.variance[0]) == pytest.approx(chosen.var(), rel=0.06)


def test_when_all_is_reported_nothing_is_to_come() -> None:
    law = Counts(jnp.full(2, 9.0), jnp.array(4.0))
    known = within(law, np.array([[3.0, 3.0], [-np.inf, np.inf]]))
    same = still_to_come(known, law, jnp.ones(2))
    np.testing.assert_allclose(same.mean, known.mean)
    np.testing.assert_allclose(same.variance, known.variance)
    part = still_to_come(within(law._replace(mean=law.mean * 0.3), np.array([[-np.inf, np.inf]] * 2)), law, jnp.full(2, 0.3))
    np.testing.assert_allclose(part.mean, law.mean, rtol=1e-12)
    np.testing.assert_allclose(part.variance, law.mean + law.mean**2 / 4.0, rtol=1e-12)


@pytest.mark.parametrize("widths", [Widths(11), Widths(4, wide=True)])
def test_ends_that_are_not_known_while_compiled_give_the_same(widths: Widths) -> None:
    law = Trials(np.array([12.0, 4.0, 9.0, 40.0, 0.0]), jnp.array([0.4, 0.999, 0.2, 0.05, 0.3]))
    low = np.array([[1.0, 1.0, -np.inf, 0.0, 0.0], [3.0, 4.0, 9.0, 2.0, 0.0], [8.0, 2.0, 3.0, 5.0, 0.0]])
    high = np.array([[10.0, 4.0, np.inf, 8.0, 0.0], [3.0, 4.0, 9.0, 2.0, 0.0], [np.inf if widths.wide else 12.0, 3.0, 5.0, 15.0, 0.0]])
    traced = jax.jit(lambda p, low, high: Trials(law.number, p).log_mass(low, high, widths))(law.probability, low, high)
    np.testing.assert_allclose(traced, law.log_mass(low, high), rtol=1e-9, atol=1e-9)
    slope = jax.jit(jax.grad(lambda p, low, high: Trials(law.number, p).log_mass(low, high, widths).sum()))(law.probability, low, high)
    np.testing.assert_allclose(
        slope, jax.grad(lambda p: Trials(law.number, p).log_mass(low, high).sum())(law.probability), rtol=1e-6, atol=1e-9
    )
