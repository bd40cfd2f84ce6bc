import numpy as np
import pytest

from bayestwin.components.trend import coefficient_sd, cosine_basis, last_state, onward


@pytest.mark.parametrize("times", [2, 5, 22])
def test_basis_diagonalises_the_walk(times: int) -> None:
    basis, eigenvalues = cosine_basis(times)
    np.testing.assert_allclose(basis @ basis.T, np.eye(times - 1), atol=1e-12)
    np.testing.assert_allclose(basis.sum(1), 0.0, atol=1e-12)
    steps = np.diff(np.eye(times), axis=0)
    np.testing.assert_allclose(basis @ steps.T @ steps @ basis.T, np.diag(eigenvalues), atol=1e-12)


def test_coefficients_of_simulated_trends_have_the_stated_sd() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(0.3 * rng.standard_normal((40_000, 9)), axis=1) + 0.2 * rng.standard_normal((40_000, 9))
    basis, eigenvalues = cosine_basis(9)
    np.testing.assert_allclose((walk @ basis.T).std(0), coefficient_sd(eigenvalues, 0.3, 0.2), rtol=0.02)


def test_extension_is_the_conditional_law_of_the_joint_gaussian() -> None:
    times, ahead, walk_sd, shock_sd = 7, 3, 0.3, 0.25
    basis, _ = cosine_basis(times)
    whole = times + ahead
    level = 1e4  # a level as good as flat, which the model carries apart from the trend
    walk = walk_sd**2 * np.minimum.outer(np.arange(whole), np.arange(whole)) + level
    joint = walk + shock_sd**2 * np.eye(whole)
    past, future = slice(0, times), slice(times, whole)
    coefficients = np.random.default_rng(2).normal(size=times - 1)
    x = basis.T @ coefficients
    gain = joint[future, past] @ np.linalg.inv(joint[past, past])
    mean = gain @ x
    covariance = joint[future, future] - gain @ joint[past, future]
    # Linear in standard normal noise.
    state = last_state(coefficients, walk_sd, shock_sd)
    centre = np.stack(onward(state, walk_sd, shock_sd, np.zeros(ahead)).values)
    response = np.stack(onward(state, walk_sd, shock_sd, np.eye(ahead)).values) - centre[:, None]
    np.testing.assert_allclose(centre, mean, atol=1e-6)
    np.testing.assert_allclose(response @ response.T, covariance, atol=1e-6)


def test_a_state_given_further_values_is_that_of_all_of_them() -> None:
    times, walk_sd, shock_sd = 40, 0.3, 0.2
    basis, _ = cosine_basis(times)
    rng = np.random.default_rng(4)
    trend = np.cumsum(walk_sd * rng.standard_normal((times, 3)), axis=0) + shock_sd * rng.standard_normal((times, 3))
    at_once = last_state(basis @ trend, walk_sd, shock_sd)
    early, _ = cosine_basis(times - 5)
    state, level = last_state(early @ trend[:-5], walk_sd, shock_sd), trend[:-5].mean(0)
    for value in trend[-5:] - level:
        (expected,), _ = onward(state, walk_sd, shock_sd, np.zeros((1, 3)))
        sd = np.sqrt(state.variance + walk_sd**2 + shock_sd**2)
        _, state = onward(state, walk_sd, shock_sd, ((value - expected) / sd)[None])
    np.testing.assert_allclose(state.mean + level, at_once.mean + trend.mean(0), atol=1e-6)
    assert state.variance == pytest.approx(float(at_once.variance), rel=1e-5)
