import numpy as np
import pytest

from bayestwin.components.trend import coefficient_sd, cosine_basis, last_of_walk, onward


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
    # Linear in standard normal noise: law of the last value, steps, shocks.
    unit = np.eye(2 * ahead + 1)
    where = last_of_walk(coefficients, walk_sd, shock_sd)
    carried = onward(where.mean + where.sd * unit[0], walk_sd, shock_sd, unit[1 : ahead + 1], unit[ahead + 1 :]).values
    centre = onward(where.mean, walk_sd, shock_sd, np.zeros((ahead, 1)), np.zeros((ahead, 1))).values
    np.testing.assert_allclose(centre[:, 0], mean, atol=1e-6)
    np.testing.assert_allclose((carried - centre) @ (carried - centre).T, covariance, atol=1e-6)


def test_a_walk_carried_on_in_two_parts_is_the_walk_carried_on() -> None:
    steps, shocks = np.random.default_rng(4).standard_normal((2, 5, 3))
    whole = onward(np.ones(3), 0.3, 0.2, steps, shocks)
    first = onward(np.ones(3), 0.3, 0.2, steps[:2], shocks[:2])
    second = onward(first.last, 0.3, 0.2, steps[2:], shocks[2:])
    np.testing.assert_allclose(np.concatenate([first.values, second.values]), whole.values, rtol=1e-14)
    np.testing.assert_allclose(second.last, whole.last, rtol=1e-14)
