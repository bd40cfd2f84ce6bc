"""Shapley values: efficient, symmetric, additive, nothing for nobody; and the range over orders."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayestwin.preposterior.shapley import order_range, shapley

GAMES = st.integers(1, 5).flatmap(lambda n: arrays(float, 2**n, elements=st.floats(-10.0, 10.0)))


def by_orders(values: np.ndarray) -> np.ndarray:
    """What each player adds, for every order in which they may come, (order, player)."""
    players = len(values).bit_length() - 1
    added = []
    for order in permutations(range(players)):
        there, own = 0, np.zeros(players)
        for player in order:
            own[player] = values[there | 1 << player] - values[there]
            there |= 1 << player
        added.append(own)
    return np.array(added)


@given(GAMES)
def test_it_is_the_mean_over_all_orders_and_sums_to_the_total(values: np.ndarray) -> None:
    found, added = shapley(values), by_orders(values)
    np.testing.assert_allclose(found, added.mean(0), atol=1e-9)
    assert found.sum() == pytest.approx(values[-1] - values[0], abs=1e-9)
    least, most = order_range(values)
    np.testing.assert_allclose(least, added.min(0))
    np.testing.assert_allclose(most, added.max(0))


def test_a_player_who_adds_nothing_gets_nothing_and_equals_get_the_same() -> None:
    values = np.array([0.0, 1.0, 1.0, 3.0, 0.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(shapley(values), [1.5, 1.5, 0.0])


def test_games_are_divided_side_by_side() -> None:
    values = np.random.default_rng(1).normal(size=(8, 2, 3))
    np.testing.assert_allclose(shapley(values)[:, 1, 2], shapley(values[:, 1, 2]))
