"""Nested levels: how much the data below a level say about it."""

import numpy as np


def group_information(information: np.ndarray, groups: np.ndarray, count: int, sd: np.ndarray | float) -> np.ndarray:
    """Information about group means: each member adds 1 / (sd² + 1 / I).

    Args:
        information: precision of the data about each member, leading axis members, ≥ 0.
        groups: group index of each member, shape (members,).
        count: number of groups; one without members gets zero.
        sd: spread of the members about their group's mean, broadcast against `information`.

    Returns:
        Precision about each group's mean, leading axis groups.

    Example:
        >>> group_information(np.array([1.0, 1.0, 0.0]), np.array([0, 0, 1]), 2, 1.0).tolist()
        [1.0, 0.0]
    """
    information = np.asarray(information, float)
    share = information / (1.0 + np.square(sd) * information)
    total = np.zeros((count, *share.shape[1:]))
    np.add.at(total, groups, share)
    return total


def group_mean(values: np.ndarray, weights: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Weighted mean of members by group, the overall mean where a group has no weight.

    Args:
        values: members' values, leading axis members.
        weights: members' weights, same shape, ≥ 0.
        groups: group index of each member.
        count: number of groups.
    """
    sums = np.zeros((2, count, *np.shape(values)[1:]))
    np.add.at(sums[0], groups, weights * values)
    np.add.at(sums[1], groups, weights)
    overall = sums[0].sum(0) / np.maximum(sums[1].sum(0), 1e-300)
    return np.where(sums[1] > 0, sums[0] / np.where(sums[1] > 0, sums[1], 1.0), overall)
