"""Nested levels: what the data below a level say about it, whatever the spread of its members."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.components.informed import Evidence, Look

Sites = Mapping[str, Array]


def pooled(
    below: Look,
    spread: Callable[[Sites], Array],
    groups: np.ndarray | None = None,
    count: int = 1,
    shift: Callable[[Sites], Array] = lambda sites: jnp.zeros(()),
) -> Look:
    """The look at group means that a look at their members gives, at the members' current spread.

    Args:
        below: look at the members, leading axis members.
        spread: sd of the members about their group's mean, from the sites sampled so far; broadcast against the members.
        groups: group index of each member, shape (members,); one group that has no axis of its own if None.
        count: number of groups.
        shift: what the members lie above their group's mean by beyond chance, such as a covariate's effect.

    Returns:
        Look at the groups: a group whose members are all silent has zero information.

    Source: Gelman & Hill (2007), "Data Analysis Using Regression and Multilevel/Hierarchical Models", §12, eq. 12.1,
    applied level by level.
    """

    def look(sites: Sites) -> Evidence:
        value, information, _ = below(sites)
        index = np.zeros(len(value), int) if groups is None else groups
        pooled_value, pooled_information = pool(value - shift(sites), information, index, count, spread(sites))
        return Evidence(pooled_value[0], pooled_information[0]) if groups is None else Evidence(pooled_value, pooled_information)

    return look


def pool(
    value: Float[Array, "member ..."], information: Float[Array, "member ..."], groups: np.ndarray, count: int, sd: Float[Array, "..."]
) -> tuple[Float[Array, "group ..."], Float[Array, "group ..."]]:
    """Group means and their information: each member weighs 1 / (sd² + 1 / I).

    Args:
        value: what the data say of each member.
        information: how precisely, ≥ 0.
        groups: group index of each member, shape (member,).
        count: number of groups; one without information gets the value zero.
        sd: spread of the members about their group's mean, broadcast against the members.

    Returns:
        Values and information, leading axis groups.

    Example:
        >>> value, information = pool(np.array([1.0, 3.0, 9.0]), np.array([1.0, 1.0, 0.0]), np.array([0, 0, 1]), 2, 1.0)
        >>> value.tolist(), information.tolist()
        ([2.0, 0.0], [1.0, 0.0])
    """
    weight = information / (1.0 + jnp.square(sd) * information)
    member = jnp.asarray(groups == np.arange(count)[:, None], float)  # sums as a product: cheaper than scattering
    total = jnp.tensordot(member, weight, 1)
    mean = jnp.tensordot(member, weight * value, 1) / jnp.where(total > 0, total, 1.0)
    return mean, total
