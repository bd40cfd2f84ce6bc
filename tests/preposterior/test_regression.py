"""Knowing a parameter by regression: closed forms, draws that resemble their neighbours, and what must hold whatever the benefits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from bayestwin.preposterior.regression import explained, smooth, worth_of

CHAINS, DRAWS = 4, 100  # as many as a run keeps for its answers


def shares(seed: int, answer, chance: float = 0.0) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    parameter, rest = rng.standard_normal((2, CHAINS, DRAWS))
    noise = np.sqrt(chance) * rng.standard_normal((CHAINS, DRAWS))
    share, error = explained(parameter, (answer(parameter, rest) + noise)[..., None], np.array([chance]))
    return float(share[0]), float(error[0])


CASES = {
    "normal": (lambda x, e: 0.6 * x + 0.8 * e, 0.36),
    "square": (lambda x, e: x**2 + e, 2.0 / 3.0),  # of which a line sees nothing
    "wave": (lambda x, e: np.sin(2.0 * x) + 0.5 * e, None),
    "skewed": (lambda x, e: np.exp(0.5 * x) + 0.5 * e, None),
    "nothing": (lambda x, e: e, 0.0),
}
VARIANCE = {"wave": (1.0 - np.exp(-8.0)) / 2.0, "skewed": np.exp(0.25) * (np.exp(0.25) - 1.0)}


@pytest.mark.parametrize("name", CASES)
def test_shares_are_those_of_closed_forms(name: str) -> None:
    """Over forty posteriors: no bias beyond what forty show or 2 % of the variance, and errors that are neither too small nor too large."""
    answer, share = CASES[name]
    truth = share if share is not None else VARIANCE[name] / (VARIANCE[name] + 0.25)
    found, errors = np.array([shares(seed, answer) for seed in range(40)]).T
    assert abs(found.mean() - truth) < max(3.0 * found.std(ddof=1) / np.sqrt(40), 0.02)
    if truth > 0.0:  # at nothing, shares are cut off at zero and have no spread to compare with
        assert 0.6 < np.sqrt(np.mean(errors**2)) / np.sqrt(np.mean((found - truth) ** 2)) < 1.6


def test_a_line_sees_nothing_of_a_square() -> None:
    parameter, rest = np.random.default_rng(1).standard_normal((2, CHAINS, DRAWS))
    answer = parameter**2 + rest
    assert np.corrcoef(parameter.ravel(), answer.ravel())[0, 1] ** 2 < 0.05
    assert explained(parameter, answer[..., None], np.zeros(1))[0][0] > 0.5


def test_chance_in_the_answers_is_no_part_of_what_is_not_known() -> None:
    """As much chance as variance: the share is that of what is not known, not of all."""
    found = np.array([shares(seed, CASES["normal"][0], chance=1.0)[0] for seed in range(40)])
    assert found.mean() == pytest.approx(0.36, abs=0.05)


def test_neighbouring_draws_that_resemble_one_another_are_no_knowledge() -> None:
    """Parameter and answer wander slowly and independently; draws left out one by one would be foretold by their neighbours."""
    rng, found = np.random.default_rng(2), []
    for _ in range(40):
        walk = rng.standard_normal((CHAINS, DRAWS, 2))
        for i in range(1, DRAWS):
            walk[:, i] = 0.9 * walk[:, i - 1] + np.sqrt(0.19) * walk[:, i]
        found.append([part[0] for part in explained(walk[..., 0], walk[..., 1:], np.zeros(1))])
    share, error = np.array(found).T
    assert share.mean() < 0.02
    assert (share < 3.0 * error + 0.02).all()


def test_a_parameter_or_an_answer_that_does_not_vary_tells_nothing() -> None:
    still, moving = np.ones((2, 50)), np.random.default_rng(3).standard_normal((2, 50))
    assert explained(still, moving[..., None], np.zeros(1))[0][0] == 0.0
    assert [part[0] for part in explained(moving, still[..., None], np.zeros(1))] == [0.0, 0.0]


@given(st.integers(0, 1000), st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
@settings(max_examples=20, deadline=None)
def test_units_of_parameter_and_answer_do_not_matter(seed: int, scale: float, shift: float) -> None:
    parameter, rest = np.random.default_rng(seed).standard_normal((2, 2, 60))
    answer = (parameter + rest)[..., None]
    plain = explained(parameter, answer, np.zeros(1))
    other = explained(np.exp(scale * parameter / 10.0) + shift, scale * answer + shift, np.zeros(1))
    np.testing.assert_allclose(np.array(plain), np.array(other), rtol=1e-5, atol=1e-7)


def test_left_out_is_what_a_fit_without_them_says() -> None:
    """A second way: the closed form for draws left out against fits of the others with the same splines and penalty."""
    from bayestwin.preposterior import regression

    rng = np.random.default_rng(4)
    parameter = rng.standard_normal(80)
    answer = (parameter**2 + rng.standard_normal(80))[:, None]
    basis, found = regression._basis(parameter), smooth(parameter, answer).left_out
    bend = np.diff(np.eye(basis.shape[1]), 2, axis=0)
    ways = []
    for weight in regression.SMOOTHNESS * 80:
        away = np.empty_like(answer)
        for run in np.array_split(np.arange(80), regression.BLOCKS):
            others = np.setdiff1d(np.arange(80), run)
            fit = np.linalg.solve(basis[others].T @ basis[others] + weight * bend.T @ bend, basis[others].T @ answer[others])
            away[run] = basis[run] @ fit
        ways.append(away)
    np.testing.assert_allclose(found, min(ways, key=lambda away: np.square(answer - away).sum()), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.5])
def test_knowing_a_parameter_of_two_normal_options(mean: float) -> None:
    """The change is mean + 2 x + e: knowing x is worth E max(0, mean + 2 x) - max(0, mean), where the latter is that of the draws' own mean."""

    def best_of_zero_and(sd: float) -> float:
        return sd * norm.pdf(mean / sd) + mean * norm.cdf(mean / sd)

    truth = best_of_zero_and(2.0) - best_of_zero_and(np.sqrt(5.0 / (CHAINS * DRAWS)))
    found = []
    for seed in range(20):
        x, e = np.random.default_rng(seed).standard_normal((2, CHAINS, DRAWS))
        found.append(worth_of(x, (mean + 2.0 * x + e)[..., None]))
    above, below, errors = np.array(found).T
    spread = 3.0 * above.std(ddof=1) / np.sqrt(20)
    assert below.mean() - spread <= truth <= above.mean() + spread
    assert above.mean() == pytest.approx(truth, abs=spread + 0.02)
    assert 0.4 < np.sqrt(np.mean(errors**2)) / below.std(ddof=1) < 2.5


@given(st.integers(0, 10_000), st.integers(1, 3), st.floats(-1.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_one_parameter_is_worth_no_less_than_nothing_and_no_more_than_all(seed: int, options: int, mean: float) -> None:
    rng = np.random.default_rng(seed)
    parameter = rng.standard_normal((2, 60))
    change = mean + rng.normal(size=options) * parameter[..., None] + rng.uniform(0.0, 1.0) * rng.standard_normal((2, 60, options))
    flat = change.reshape(-1, options)
    perfect = np.maximum(flat.max(1), 0.0).mean() - max(flat.mean(0).max(), 0.0)
    assert -1e-12 <= worth_of(parameter, change).value <= perfect + 1e-12
    # Not because it is cut off there: the fit itself gains no less than nothing, and hardly more than all.
    fitted = smooth(parameter.ravel(), flat).fitted
    gain = np.maximum(fitted.max(1), 0.0).mean() - max(flat.mean(0).max(), 0.0)
    assert -1e-9 <= gain <= perfect + 0.02 * flat.std()


def test_a_parameter_that_the_benefit_is_made_of_is_worth_all() -> None:
    x = np.random.default_rng(6).standard_normal((CHAINS, DRAWS))
    found = worth_of(x, x[..., None])
    perfect = np.maximum(x, 0.0).mean() - max(x.mean(), 0.0)
    assert found.value == pytest.approx(perfect, rel=0.02)
    assert found.left_out == pytest.approx(perfect, rel=0.02)
