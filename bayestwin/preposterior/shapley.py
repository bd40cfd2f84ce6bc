"""Shares of a total that several causes make together: exact Shapley values.

Source: Shapley (1953), "A value for n-person games", Contributions to the Theory of Games II.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from jaxtyping import Float


def shapley(values: Float[np.ndarray, "subset ..."]) -> Float[np.ndarray, "player ..."]:
    """Shapley values of a game on n players, given its value for every subset.

    Args:
        values: leading axis the 2^n subsets; player i is in subset s where bit i of s is set.

    Returns:
        A value for each player; they sum to that of all players less that of none.

    Example:
        >>> shapley(np.array([0.0, 1.0, 2.0, 6.0])).tolist()
        [2.5, 3.5]
    """
    players = len(values).bit_length() - 1
    shares = np.zeros((players, *values.shape[1:]))
    for player in range(players):
        for subset, step in _steps(values, player):
            size = subset.bit_count()
            shares[player] += factorial(size) * factorial(players - size - 1) / factorial(players) * step
    return shares


def order_range(values: Float[np.ndarray, "subset ..."]) -> tuple[Float[np.ndarray, "player ..."], Float[np.ndarray, "player ..."]]:
    """The least and the most that each player adds, whoever came before.

    Args:
        values: leading axis the 2^n subsets, as for `shapley`.

    Example:
        >>> [ends.tolist() for ends in order_range(np.array([0.0, 1.0, 2.0, 6.0]))]
        [[1.0, 2.0], [4.0, 5.0]]
    """
    players = len(values).bit_length() - 1
    steps = [np.stack([step for _, step in _steps(values, player)]) for player in range(players)]
    return np.stack([step.min(0) for step in steps]), np.stack([step.max(0) for step in steps])


def _steps(values: np.ndarray, player: int) -> list[tuple[int, np.ndarray]]:
    """Every subset without a player, and what the player adds to it."""
    return [(subset, values[subset | 1 << player] - values[subset]) for subset in range(len(values)) if not subset >> player & 1]
