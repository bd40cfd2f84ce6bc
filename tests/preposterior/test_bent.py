"""Shares of variance that are left of quantities that are not normal: closed forms, and what must hold for any."""

import numpy as np
import pytest
from scipy import stats

from bayestwin.preposterior.bent import bent, by_order

LEFT = np.linspace(0.0, 1.0, 11)


def share(values: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Shares that are left of one quantity."""
    return bent(left[None, :, None], by_order(values[:, None]))[0, :, 0]


@pytest.mark.parametrize("variance", [0.01, 0.25, 0.6])
def test_a_lognormal_quantity_has_its_closed_form(variance: float) -> None:
    normal = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    exact = -np.expm1(-variance * LEFT) / -np.expm1(-variance)
    np.testing.assert_allclose(share(np.exp(np.sqrt(variance) * normal), LEFT), exact, atol=0.01)


@pytest.mark.parametrize("shape", ["saturated", "square", "cube"])
def test_shares_are_those_of_simulated_data(shape: str) -> None:
    """A score of which data tell all but a share: the mean variance of the quantity given these data, over its own."""
    bend = {"saturated": lambda z: np.tanh(1.5 * z + 0.5), "square": lambda z: (z + 2.0) ** 2, "cube": lambda z: z + 0.2 * z**3}[shape]
    rng = np.random.default_rng(3)
    for left in (0.2, 0.6):
        known, open_ = np.sqrt(1.0 - left) * rng.normal(size=(4000, 1)), np.sqrt(left) * rng.normal(size=(4000, 400))
        given = bend(known + open_)
        if shape == "square":
            given = np.where(known + open_ > -2.0, given, 0.0)  # a quantity that its score orders
        found = given.var(1).mean() / given.var()
        assert share(given[:, 0], np.array([left]))[0] == pytest.approx(found, abs=0.03)


def test_what_must_hold() -> None:
    values = np.exp(np.random.default_rng(1).normal(size=(400, 3)))
    orders = by_order(values)
    np.testing.assert_allclose(orders.sum(1), 1.0)
    assert (orders >= 0.0).all()
    found = share(values[:, 0], LEFT)
    assert found[0] == pytest.approx(0.0)
    assert found[-1] == pytest.approx(1.0)
    assert (np.diff(found) > 0.0).all()  # more information never leaves more
    assert (found >= LEFT - 1e-12).all()
    np.testing.assert_allclose(by_order(2.0 - 3.0 * values)[:, 0], orders[:, 0], atol=0.02)  # orders do not know of units or signs
    assert by_order(np.ones((50, 1)))[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_normal_draws_are_a_line() -> None:
    orders = by_order(np.random.default_rng(2).normal(size=(400, 200)))
    assert orders[:, 0].mean() > 0.99
    np.testing.assert_allclose(share(np.random.default_rng(3).normal(size=4000), LEFT), LEFT, atol=0.01)


def test_errors_are_carried_along_the_tangent() -> None:
    orders = by_order(np.exp(0.8 * np.random.default_rng(1).normal(size=(2000, 1))))
    points = np.array([0.28, 0.30, 0.32])[:, None]
    moved = bent(points, orders)[:, 0]
    alone = [float(bent(np.full((1, 1), p), orders)[0, 0]) for p in points[:, 0]]
    assert moved.mean() == pytest.approx(alone[1])
    np.testing.assert_allclose(moved, alone, atol=1e-3)
